"""The suites of X-Diffusion: ``quick`` compares methods, ``xdiffusion`` repeats the paper's experiments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from monai_xray2mri.evaluation.methods import seconds_per_call
from monai_xray2mri.evaluation.protocols import Method
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.results import method_metrics
from monai_xray2mri.evaluation.study import PROFILES, Profile, Study
from monai_xray2mri.evaluation.suite import CaseSource, Rows, Suite, require_simulator
from monai_xray2mri.simulation.cones import CONES_VERSION
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION
from monai_xray2mri.systems.mri_xdiffusion.baselines.untrained import BASELINES
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import (
    BODIES,
    CONES,
    Extent,
    VolumeCase,
    can_answer,
    domain_of_split,
    training_volumes,
    volume_cohort,
)
from monai_xray2mri.systems.mri_xdiffusion.evaluation.claims import claims_table
from monai_xray2mri.systems.mri_xdiffusion.evaluation.methods import bundle_method, method_of
from monai_xray2mri.systems.mri_xdiffusion.evaluation.quality import quality_table
from monai_xray2mri.systems.mri_xdiffusion.evaluation.setting import WORDS, VolumeSetting, work_of
from monai_xray2mri.systems.mri_xdiffusion.evaluation.studies.anatomy import ANATOMY
from monai_xray2mri.systems.mri_xdiffusion.evaluation.studies.calibration import CALIBRATION
from monai_xray2mri.systems.mri_xdiffusion.evaluation.studies.comparison import (
    COMPARISON,
    CONES_COMPARED,
    MASKED_COMPARED,
    ONE,
    SHIFTED,
)
from monai_xray2mri.systems.mri_xdiffusion.evaluation.studies.compressed import COMPRESSED
from monai_xray2mri.systems.mri_xdiffusion.evaluation.studies.distance import BODY_DISTANCE, CONE_DISTANCE
from monai_xray2mri.systems.mri_xdiffusion.evaluation.studies.foreign import FOREIGN_BODIES, FOREIGN_CONES
from monai_xray2mri.systems.mri_xdiffusion.evaluation.studies.given import BODY_INPUTS, CONE_INPUTS
from monai_xray2mri.systems.mri_xdiffusion.evaluation.studies.lesions import LESIONS
from monai_xray2mri.systems.mri_xdiffusion.evaluation.studies.projection import PROJECTIONS
from monai_xray2mri.systems.mri_xdiffusion.evaluation.studies.sampler import SAMPLER
from monai_xray2mri.systems.mri_xdiffusion.evaluation.studies.slices import BODY_SLICES, CONE_SLICES
from monai_xray2mri.systems.mri_xdiffusion.evaluation.studies.test_time import TEST_TIME
from monai_xray2mri.systems.mri_xdiffusion.evaluation.studies.views import BODY_VIEWS, CONE_MANY_VIEWS, CONE_VIEWS

VolumeStudy = Study[VolumeSetting, VolumeCase]


def check_methods(methods: Mapping[str, Method], source: CaseSource) -> None:
    """See :func:`~monai_xray2mri.evaluation.suite.require_simulator`; a prepared set asks for no version."""
    require_simulator(methods, source, None if source.data is not None else SIMULATOR_VERSION, "knees")


def pack_volume(case: VolumeCase) -> Callable[[], VolumeCase]:
    """A training volume in 8 bits."""
    voxels = np.rint(case.voxels.clip(0, 1) * 255).astype(np.uint8)
    bare = replace(case, voxels=np.empty(0, np.float32), anatomy=None)
    return lambda: replace(bare, voxels=voxels.astype(np.float32) / 255)


def seconds_per_section(setting: VolumeSetting) -> float:
    """Time of a section of a body, from a view of whatever network the bundle has."""
    domain = BODIES if setting.bundle.knows(BODIES) else CONES
    size = setting.bundle.networks[domain].image_size
    voxels = np.full((size, size, size), 0.5, np.float32)
    case = VolumeCase("0", "0", domain, voxels, Extent(), 1.0)
    return seconds_per_call(setting.bundle, case.given(case.even_places(1)), setting.seed) / work_of(domain, 1)


def metrics(rows: Rows) -> dict[str, Any]:
    """``methods`` of the comparison on bodies with one slice, and ``cones`` of that on cones."""

    def of(study: str) -> dict[str, Any]:
        chosen: list[Row] = [row for row in rows.get(study, ()) if row.get("condition", ONE) == ONE]
        found: dict[str, Any] = method_metrics({study: chosen})["methods"]
        return found

    return {"methods": of("comparison"), "cones": of("cones")}


def _drawn_at_once(study: VolumeStudy) -> VolumeStudy:
    """A study, of which only bodies count as simulated: a cone takes no time."""
    if all(domain_of_split(split) == CONES for split in study.splits):
        return replace(study, simulations=lambda setting: 0.0)
    return study


def _suite(
    name: str, studies: Sequence[VolumeStudy], profiles: Mapping[str, Profile], training: Mapping[str, int]
) -> Suite[VolumeSetting, VolumeCase]:
    return Suite(
        name=name,
        title="Evaluation of X-Diffusion",
        studies=[_drawn_at_once(study) for study in studies],
        cohort=volume_cohort,
        bundle_method=bundle_method,
        check=check_methods,
        setting=VolumeSetting,
        method_of=method_of,
        baselines=BASELINES,
        training=training_volumes,
        training_cases=training,
        pack=pack_volume,
        profiles=profiles,
        words=WORDS,
        seconds=seconds_per_section,
        simulation_seconds=4.5,
        answers=can_answer,
        quality=quality_table,
        claims=claims_table,
        metrics=metrics,
        recorded={"simulator": SIMULATOR_VERSION, "cones": CONES_VERSION},
    )


QUICK: Final = _suite(
    "quick",
    [replace(CONES_COMPARED, cases={"cpu": 3, "full": 10}), replace(COMPARISON, cases={"cpu": 1, "full": 10})],
    {"cpu": Profile("cpu", 10), "full": PROFILES["full"]},
    {"cpu": 10, "full": 30},
)
XDIFFUSION: Final = _suite(
    "xdiffusion",
    [
        COMPARISON, CONES_COMPARED, MASKED_COMPARED, CONE_SLICES, BODY_SLICES, CONE_VIEWS, CONE_MANY_VIEWS, BODY_VIEWS,
        CONE_INPUTS, BODY_INPUTS, CONE_DISTANCE, BODY_DISTANCE, SAMPLER, TEST_TIME, COMPRESSED, ANATOMY, LESIONS,
        SHIFTED, FOREIGN_CONES, FOREIGN_BODIES, PROJECTIONS, CALIBRATION,
    ],
    PROFILES,
    {"cpu": 40, "full": 300},
)  # fmt: skip
SUITES: Final[Mapping[str, Suite[Any, Any]]] = {suite.name: suite for suite in (QUICK, XDIFFUSION)}
"""Suites by name; the first is the default."""
