"""The suites of knees: ``quick`` compares methods, ``papers`` repeats the experiments of Wang 2024a and 2024b."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any, Final

import numpy as np

from monai_xray2mri.errors import UsageError
from monai_xray2mri.evaluation.methods import seconds_per_call
from monai_xray2mri.evaluation.protocols import Cohort
from monai_xray2mri.evaluation.study import PROFILES, Profile, ResultTable, Study
from monai_xray2mri.evaluation.suite import CaseSource, Rows, Suite
from monai_xray2mri.knee.data.arrays import IMAGE_SIZE
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import (
    EvaluationKnee,
    KneeInputs,
    PreparedCohort,
    SimulatedCohort,
)
from monai_xray2mri.systems.knee_xray2mri.evaluation.claims import claims_table
from monai_xray2mri.systems.knee_xray2mri.evaluation.figures import FIGURES
from monai_xray2mri.systems.knee_xray2mri.evaluation.method_sources import bundle_method, method_of
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import BASELINES
from monai_xray2mri.systems.knee_xray2mri.evaluation.pictures import SHEETS
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import WORDS, KneeSetting
from monai_xray2mri.systems.knee_xray2mri.evaluation.simulators import check_simulators
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.calibration import CALIBRATION
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.comparison import COMPARISON, SHIFTED
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.depth import DEPTH
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.feature_groups import FEATURE_GROUPS
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.few_steps import FEW_STEPS
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.few_steps_hidden import FEW_STEPS_HIDDEN
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.film_defects import FILMS
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.hidden import HIDDEN_FEATURES
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.joint_space import JOINT_SPACE
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.quality import QUALITY
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.real_films import REAL_FILMS, FilmCohort
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.sampler import SAMPLER
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.ungraded import UNGRADED
from monai_xray2mri.systems.knee_xray2mri.evaluation.summary import calibration_file, metrics

KneeStudy = Study[KneeSetting, EvaluationKnee]
_PREPARED: Final = {"calibration": "validation"}
"""Split of a prepared set that stands for a range of seeds that it does not have."""
_PROBE: Final = (20, 30)
"""Positions of the slices that are generated to measure the time of one."""
_QUICK: Final = {"cpu": 10, "full": 10}


def knee_cohort(source: CaseSource, split: str, number: int) -> Cohort[EvaluationKnee]:
    """Knees of one split: real films, a prepared set's, or simulated.

    Raises:
        UsageError: there are none.
    """
    if split == "films":
        if source.films is None:
            raise UsageError("study real_films", "needs a folder of crops", "none", "Give --films.")
        return FilmCohort(source.films, number)
    if source.data is not None:
        return PreparedCohort(source.data, _PREPARED.get(split, split), number)
    return SimulatedCohort(split, number, source.seed)


def training_knees(source: CaseSource, number: int, _splits: Set[str]) -> Iterator[EvaluationKnee]:
    """Training knees to fit methods to, the same for all splits."""
    cohort: Cohort[EvaluationKnee]
    if source.data is None:
        cohort = SimulatedCohort("training", number)
    else:
        cohort = PreparedCohort(source.data, "training", number)
    for index in range(len(cohort.names)):
        yield cohort[index]


def pack_knee(knee: EvaluationKnee) -> Callable[[], EvaluationKnee]:
    """A knee in 8 bits, as training sets have it, and without what else a simulated knee knows."""
    inputs, volume, participant = knee.inputs, np.rint(knee.volume * 255).astype(np.uint8), knee.participant
    return lambda: EvaluationKnee(inputs, volume.astype(np.float32) / 255, participant)


def seconds_per_slice(setting: KneeSetting) -> float:
    """Time of one slice with the bundle's own sampler."""
    film = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.float32)
    inputs = KneeInputs("0", film, {}, ()).at(_PROBE)
    return seconds_per_call(setting.bundle, inputs, setting.seed) / len(_PROBE)


def knee_claims(rows: Rows, setting: KneeSetting) -> ResultTable | None:
    """What the run says of the papers' claims."""
    return claims_table(rows, setting.methods, setting.main)


def _complete(study: KneeStudy) -> KneeStudy:
    """A study with its figures and sheets."""
    sheet = SHEETS.get(study.name)
    return replace(study, figures=FIGURES.get(study.name, ()), sheets=() if sheet is None else (sheet,))


def knee_suite(
    name: str, studies: Sequence[KneeStudy], profiles: Mapping[str, Profile], training: Mapping[str, int]
) -> Suite[KneeSetting, EvaluationKnee]:
    """A suite of knees.

    Args:
        name: as ``--suite`` names it.
        studies: in their order.
        profiles: by name.
        training: profile to the number of knees that methods without weights are fitted to.
    """
    return Suite(
        name=name,
        title="Evaluation of Xray2MRI",
        studies=[_complete(study) for study in studies],
        cohort=knee_cohort,
        bundle_method=bundle_method,
        check=check_simulators,
        setting=KneeSetting,
        method_of=method_of,
        baselines=BASELINES,
        training=training_knees,
        training_cases=training,
        pack=pack_knee,
        profiles=profiles,
        words=WORDS,
        seconds=seconds_per_slice,
        simulation_seconds=3.0,
        claims=knee_claims,
        metrics=metrics,
        files=calibration_file,
        recorded={"simulator": SIMULATOR_VERSION},
    )


QUICK: Final = knee_suite(
    "quick",
    [replace(COMPARISON, cases=_QUICK)],
    {"cpu": Profile("cpu", 10), "full": PROFILES["full"]},  # every tenth slice where many samples are drawn
    {"cpu": 30, "full": 30},
)
PAPERS: Final = knee_suite(
    "papers",
    [
        COMPARISON, QUALITY, HIDDEN_FEATURES, FEATURE_GROUPS, JOINT_SPACE, DEPTH, SAMPLER, FEW_STEPS, FEW_STEPS_HIDDEN,
        FILMS, SHIFTED, CALIBRATION, UNGRADED, REAL_FILMS,
    ],
    PROFILES,
    {"cpu": 80, "full": 500},
)  # fmt: skip
SUITES: Final[Mapping[str, Suite[Any, Any]]] = {suite.name: suite for suite in (QUICK, PAPERS)}
"""Suites by name; the first is the default."""
