"""A knee with one lesion, a tiny network in the setting of its studies, and rows as records hold them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monai_xray2mri.evaluation.study import Profile
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.simulation.knee.knee import simulate_knee
from monai_xray2mri.simulation.knee.people.seeds import LESION_ENRICHED
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import (
    EvaluationKnee,
    simulated_case,
)
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import MeanSliceMethod
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import KneeSetting
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies import (
    comparison,
)
from tests.helpers.bundles import make_tiny_bundle
from tests.helpers.knee_settings import make_setting
from tests.helpers.knees import knee, lesioned_knee, narrow_knee, other_knee, reexamined, slab  # noqa: F401

FAST = Profile("cpu", 25)
Rows = list[dict[str, Any]]


@pytest.fixture(scope="package")
def case() -> EvaluationKnee:
    """A knee with a femoral cyst alone, whose number no ceiling is measured on."""
    seed = next(seed for seed in LESION_ENRICHED if not comparison.has_ceiling(seed, FAST))
    return simulated_case(simulate_knee(seed, grades=dict.fromkeys(LESION_FEATURES, 0) | {"XRCYFM": 1}))


@pytest.fixture(scope="package")
def setting(tmp_path_factory: pytest.TempPathFactory, bundle: Path, case: EvaluationKnee) -> KneeSetting:
    mean = MeanSliceMethod()
    mean.fit([case])
    folder = make_tiny_bundle(tmp_path_factory.mktemp("studies") / "tiny", bundle)
    return make_setting(folder, FAST, **{"mean slice": mean})


def recorded(rows: Iterator[dict[str, Any]] | Any, measured: EvaluationKnee) -> Rows:
    """Rows as the records hold them."""
    return [
        {"case": measured.name, "participant": measured.participant, "split": "test", **json.loads(json.dumps(row))}
        for row in rows
    ]
