"""The suites of SCCDM: ``quick`` compares methods, ``sccdm`` repeats the paper's experiments and adds its controls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from monai_xray2mri.evaluation.methods import seconds_per_call
from monai_xray2mri.evaluation.protocols import Method
from monai_xray2mri.evaluation.results import method_metrics
from monai_xray2mri.evaluation.study import PROFILES, Study
from monai_xray2mri.evaluation.suite import CaseSource, Rows, Suite, require_simulator
from monai_xray2mri.simulation.foot.people import FOOT_SIMULATOR_VERSION
from monai_xray2mri.systems.foot_xray_sccdm.baselines.given import GivenPhotograph
from monai_xray2mri.systems.foot_xray_sccdm.baselines.untrained import BASELINES
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.cases import FootCase, foot_cohort, training_feet
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.claims import claims_table
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.methods import bundle_method, method_of
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.quality import quality_table
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.setting import WORDS, FootSetting
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.studies.comparison import COMPARISON
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.studies.inputs import INPUTS
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.studies.intervals import INTERVALS, files
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.studies.sampler import SAMPLER
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.studies.shifts import REGISTRATION, VISIBILITY

FootStudy = Study[FootSetting, FootCase]
_NO_MEASURE: Final = ("moments", "keypoints_mm")


def check_methods(methods: Mapping[str, Method], source: CaseSource) -> None:
    """See :func:`~monai_xray2mri.evaluation.suite.require_simulator`; a prepared set asks for no version."""
    require_simulator(methods, source, None if source.data is not None else FOOT_SIMULATOR_VERSION, "feet")


def pack_foot(case: FootCase) -> Callable[[], FootCase]:
    """A training pair in 8 bits, without the truth."""
    packed = [np.rint(picture.clip(0, 1) * 255).astype(np.uint8) for picture in (case.photograph, case.radiograph)]
    bare = replace(case, photograph=np.empty(0), radiograph=np.empty(0), truth=None)

    def unpack() -> FootCase:
        photograph, radiograph = (picture.astype(np.float32) / 255 for picture in packed)
        return replace(bare, photograph=photograph, radiograph=radiograph)

    return unpack


def seconds_per_radiograph(setting: FootSetting) -> float:
    """Time of one radiograph by the bundle's own sampler."""
    size = setting.bundle.network.image_size
    return seconds_per_call(setting.bundle, GivenPhotograph("0", np.full((size, size), 0.5, np.float32)), setting.seed)


def metrics(rows: Rows) -> dict[str, Any]:
    """``methods`` of the comparison."""
    chosen = [
        {name: value for name, value in row.items() if name not in _NO_MEASURE} for row in rows.get("comparison", ())
    ]
    return method_metrics({"comparison": chosen})


def _suite(name: str, studies: Sequence[FootStudy], training: Mapping[str, int]) -> Suite[FootSetting, FootCase]:
    return Suite(
        name=name,
        title="Evaluation of SCCDM",
        studies=studies,
        cohort=foot_cohort,
        bundle_method=bundle_method,
        check=check_methods,
        setting=FootSetting,
        method_of=method_of,
        baselines=BASELINES,
        training=training_feet,
        training_cases=training,
        pack=pack_foot,
        profiles=PROFILES,
        words=WORDS,
        seconds=seconds_per_radiograph,
        simulation_seconds=1.9,
        claims=claims_table,
        quality=quality_table,
        metrics=metrics,
        files=files,
        recorded={"simulator": FOOT_SIMULATOR_VERSION},
    )


QUICK: Final = _suite("quick", [replace(COMPARISON, cases={"cpu": 20, "full": 100})], {"cpu": 100, "full": 300})
SCCDM: Final = _suite(
    "sccdm",
    [COMPARISON, SAMPLER, VISIBILITY, REGISTRATION, INPUTS, INTERVALS],
    {"cpu": 300, "full": 1500},
)
SUITES: Final[Mapping[str, Suite[Any, Any]]] = {suite.name: suite for suite in (QUICK, SCCDM)}
"""Suites by name; the first is the default."""
