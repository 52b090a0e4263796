"""Suites of studies: what each costs, running them knee by knee, and going on where a run was interrupted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch

from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.evaluation.protocols import Cohort, FittedMethod
from monai_xray2mri.evaluation.records import ALL_KNEES, Part, RecordFile, Row
from monai_xray2mri.evaluation.study import PROFILES, Profile, Setting, Study
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import (
    EvaluationKnee,
    KneeInputs,
    PreparedCohort,
    SimulatedCohort,
)
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import generated
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.calibration import CALIBRATION
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.comparison import CEILING, COMPARISON, SHIFTED, TRUE
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.depth import DEPTH
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.features import FEATURE_GROUPS
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.films import FILMS
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.hidden import HIDDEN_FEATURES
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.joint_space import JOINT_SPACE
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.quality import QUALITY
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.real_films import REAL_FILMS, FilmCohort
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.sampler import SAMPLER
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.ungraded import UNGRADED

STUDIES: Final = {
    study.name: study
    for study in (
        COMPARISON, QUALITY, HIDDEN_FEATURES, FEATURE_GROUPS, JOINT_SPACE, DEPTH, SAMPLER, FILMS, SHIFTED, CALIBRATION,
        UNGRADED, REAL_FILMS,
    )
}  # fmt: skip
"""All studies by name, in the order in which they run."""
QUICK_KNEES: Final = 10
TRAINING_KNEES: Final = {"quick": 30, "cpu": 80, "full": 500}
"""Training knees that methods without weights are fitted to."""
_PREPARED: Final = {"calibration": "validation"}
"""Split of a prepared set that stands for a range of seeds that it does not have."""


@dataclass(frozen=True)
class Source:
    """Where knees come from.

    Attributes:
        seed: chooses simulated knees.
        data: prepared set; None: simulated knees.
        films: folder of real crops; None: no such study.
        knees: of every study; None: what the study states.
    """

    seed: int = 0
    data: Path | None = None
    films: Path | None = None
    knees: int | None = None

    def cohort(self, study: Study, split: str, profile: Profile, number: int | None = None) -> Cohort:
        """Knees of one split for a study.

        Raises:
            UsageError: there are none.
        """
        knees = self.knees or number or study.knees[profile.name]
        if split == "films":
            if self.films is None:
                raise UsageError("study real_films", "needs a folder of crops", "none", "Give --films.")
            return FilmCohort(self.films, knees)
        if self.data is not None:
            return PreparedCohort(self.data, _PREPARED.get(split, split), knees)
        return SimulatedCohort(split, knees, self.seed)

    def training(self, knees: int) -> Iterator[EvaluationKnee]:
        """Training knees to fit methods to."""
        if self.data is None:
            yield from SimulatedCohort("training", knees)
            return
        cohort = PreparedCohort(self.data, "training", knees)
        for index in range(len(cohort.names)):
            yield cohort[index]


@dataclass
class Task:
    """One study of a run.

    Attributes:
        study: what is measured.
        cohorts: split to its knees.
        records: what was measured before, and is measured now.
        part: which of the knees this process measures.
        methods: all that are compared; those that a folder's earlier run did not have are measured in addition.
    """

    study: Study
    cohorts: dict[str, Cohort]
    records: RecordFile
    part: Part = ALL_KNEES
    methods: tuple[str, ...] = ()

    @property
    def todo(self) -> list[tuple[str, int]]:
        """Split and index of the knees of this part that are not recorded."""
        return [(split, index) for split, index in self._missing if self.part.holds(index)]

    @property
    def complete(self) -> bool:
        """Whether the knees of all parts are recorded."""
        self.records.read()
        return not self._missing

    @property
    def _missing(self) -> list[tuple[str, int]]:
        return [
            (split, index)
            for split, cohort in self.cohorts.items()
            for index, name in enumerate(cohort.names)
            if self._lacks(self.key(split, name))
        ]

    def _lacks(self, key: str) -> bool:
        """Whether a knee has not been measured, or not with all methods; one that was found unfit lacks nothing."""
        if key not in self.records or not self.study.compares:
            return key not in self.records
        return key not in self.records.failed and not self.records.methods_of(key).issuperset(self.methods)

    def setting_of(self, setting: Setting, split: str, index: int) -> Setting:
        """The setting for one knee: without the methods that it was measured with before."""
        if not self.study.compares:
            return setting
        return replace(setting, done=self.records.methods_of(self.key(split, self.cohorts[split].names[index])))

    def key(self, split: str, name: str) -> str:
        """Name of a knee in the records; two splits of a prepared set share no knee, and seeds tell theirs."""
        return name if len(self.cohorts) == 1 else f"{split}/{name}"

    @property
    def rows(self) -> list[Row]:
        """Rows of this run's knees and methods, in the order of the methods: a folder may hold those of more.

        A knee that cannot be used with one of the methods is left out for all: they are compared on equal knees.
        """
        usable = self._keys - self.failed.keys()
        rows = [row for row in self.records.rows if row["knee"] in usable]
        if not self.study.compares:
            return rows
        order = {name: place for place, name in enumerate((TRUE, *self.methods, CEILING))}
        return sorted((row for row in rows if row["method"] in order), key=lambda row: order[row["method"]])

    @property
    def failed(self) -> dict[str, str]:
        """Knees of this run that were skipped, with the reason."""
        refused = {
            row["knee"]: f"{row['method']}: {row['refused']}"
            for row in self.records.rows
            if "refused" in row and row["method"] in self.methods
        }
        keys = self._keys
        return {key: reason for key, reason in (refused | self.records.failed).items() if key in keys}

    @property
    def _keys(self) -> set[str]:
        return {self.key(split, name) for split, cohort in self.cohorts.items() for name in cohort.names}


@dataclass
class Run:
    """A suite with its setting.

    Attributes:
        setting: methods and profile.
        tasks: the studies.
        source: where knees come from.
        training_knees: that methods without weights are fitted to.
        fitted: whether they are.
    """

    setting: Setting
    tasks: list[Task]
    source: Source
    training_knees: int
    fitted: bool = field(default=False)

    def cost(self) -> tuple[float, float]:
        """Slices that are left to generate, and knees that are left to simulate."""
        slices = sum(
            task.study.slices(task.setting_of(self.setting, *each)) for task in self.tasks for each in task.todo
        )
        knees = sum(len(task.todo) * task.study.simulations(self.setting) for task in self.tasks)
        knees = round(knees) if self.setting.simulated else 0
        return slices, knees + (self.training_knees if self.must_fit and self.setting.simulated else 0)

    def fit(self, tick: Callable[[], object]) -> None:
        """Show training knees to the methods that ask for them, once; ``tick`` after each knee."""
        wanting = self._fitted_methods
        if self.fitted or not wanting:
            return
        held = []  # in 8 bits, as training sets have them, and without what else a simulated knee knows
        for knee in self.source.training(self.training_knees):
            held.append((knee.inputs, np.rint(knee.volume * 255).astype(np.uint8), knee.participant))
            tick()
        for method in wanting:
            method.fit(EvaluationKnee(inputs, volume.astype(np.float32) / 255, who) for inputs, volume, who in held)
        self.fitted = True

    @property
    def must_fit(self) -> bool:
        """Whether what is left to measure needs methods that are shown training knees."""
        fitted = {name for name, method in self.setting.methods.items() if isinstance(method, FittedMethod)}
        asked = (
            fitted if task.study.fitted else fitted & task.setting_of(self.setting, *each).todo.keys()
            for task in self.tasks
            if task.study.fitted or task.study.compares
            for each in task.todo
        )
        return any(asked)

    @property
    def _fitted_methods(self) -> list[FittedMethod]:
        return [method for method in self.setting.methods.values() if isinstance(method, FittedMethod)]

    def measure(self, task: Task, split: str, index: int) -> None:
        """Measure one knee and record it, or why it cannot be."""
        cohort = task.cohorts[split]
        key = task.key(split, cohort.names[index])
        try:
            knee = cohort[index]
            setting = task.setting_of(self.setting, split, index)
            rows = [{"split": split, **row} for row in task.study.measure(setting, knee)]
        except InputRefused as error:
            task.records.fail(key, str(error))
            return
        task.records.add(key, knee.participant, rows)

    @property
    def failed(self) -> dict[str, dict[str, str]]:
        """Study to the knees that were skipped, with the reason."""
        return {task.study.name: failed for task in self.tasks if (failed := task.failed)}


def chosen_studies(suite: str, names: Sequence[str] | None, source: Source) -> list[Study]:
    """Studies of a suite, or the named ones.

    Raises:
        UsageError: an unknown name, or a study that these knees cannot answer.
    """
    if names:
        unknown = sorted(set(names) - set(STUDIES))
        if unknown:
            raise UsageError("option studies", f"must be among: {', '.join(STUDIES)}", ", ".join(unknown))
        chosen = [study for name, study in STUDIES.items() if name in names]
        if source.data is not None and any(study.needs_simulation for study in chosen):
            asked = ", ".join(study.name for study in chosen if study.needs_simulation)
            raise UsageError("option studies", "must not ask what only simulated knees know", asked)
        return chosen
    if suite == "quick":
        return [COMPARISON]
    return [
        study
        for study in STUDIES.values()
        if not (study.needs_simulation and source.data is not None) and not (study is REAL_FILMS and not source.films)
    ]


def plan(
    setting: Setting, studies: Sequence[Study], source: Source, suite: str, folder: Path, part: Part = ALL_KNEES
) -> Run:
    """A run of studies that records into a folder.

    Raises:
        UsageError: a study has no knees.
    """
    profile, quick = setting.profile, suite == "quick"
    tasks = [
        Task(
            study,
            {split: source.cohort(study, split, profile, QUICK_KNEES if quick else None) for split in study.splits},
            RecordFile(folder, study.name, part),
            part,
            tuple(setting.methods),
        )
        for study in studies
    ]
    return Run(setting, tasks, source, TRAINING_KNEES["quick" if quick else profile.name])


def profile_of(suite: str, name: str) -> Profile:
    """The profile; the quick suite looks at every tenth slice where many samples are asked for."""
    return Profile("cpu", 10) if suite == "quick" and name == "cpu" else PROFILES[name]


def seconds_per_slice(run: Run) -> float:
    """Time of one slice with the bundle's default sampler, from one call of two after another that warms up."""
    inputs = KneeInputs("0", np.zeros((256, 256), np.float32), {}, ()).at((20, 30))
    device = run.setting.bundle.network.null_context.device
    for _ in range(2):
        start = time.perf_counter()
        generated(run.setting.bundle, inputs, 1, run.setting.seed)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    return (time.perf_counter() - start) / 2
