"""An evaluation: a suite that runs case by case, and goes on where a run was interrupted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic

from monai_xray2mri.core.shards import WHOLE, Shard
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.evaluation.plots import read_figure, remove_figure, write_figure
from monai_xray2mri.evaluation.protocols import C, Cohort, FittedMethod
from monai_xray2mri.evaluation.records import RecordFile, Row
from monai_xray2mri.evaluation.study import S, Study
from monai_xray2mri.evaluation.suite import CaseSource, Rows, Suite


@dataclass
class Task(Generic[S, C]):
    """One study of an evaluation.

    Attributes:
        study: what is measured.
        cohorts: split to its cases.
        records: what was measured before, and is measured now.
        shard: which of the cases this process measures.
        methods: all that are compared; those that a folder's earlier run did not have are measured in addition.
    """

    study: Study[S, C]
    cohorts: dict[str, Cohort[C]]
    records: RecordFile
    shard: Shard = WHOLE
    methods: tuple[str, ...] = ()

    @property
    def todo(self) -> list[tuple[str, int]]:
        """Split and index of the cases of this shard that are not recorded."""
        return [(split, index) for split, index in self._missing if self.shard.holds(index)]

    @property
    def complete(self) -> bool:
        """Whether the cases of all shards are recorded."""
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
        """Whether a case has not been measured, or not with all methods; one that was found unfit lacks nothing."""
        if key not in self.records or not self.study.compares:
            return key not in self.records
        return key not in self.records.failed and not self.records.methods_of(key).issuperset(self.methods)

    def setting_of(self, setting: S, split: str, index: int) -> S:
        """The setting for one case: without the methods that it was measured with before."""
        if not self.study.compares:
            return setting
        return replace(setting, done=self.records.methods_of(self.key(split, self.cohorts[split].names[index])))

    def key(self, split: str, name: str) -> str:
        """Name of a case in the records; where there are several splits, they may use a name twice."""
        return name if len(self.cohorts) == 1 else f"{split}/{name}"

    def case(self, key: str) -> C:
        """The case of a name in the records.

        Raises:
            KeyError: it is none of this study's.
            InputRefused: it cannot be used.
        """
        for split, cohort in self.cohorts.items():
            for index, name in enumerate(cohort.names):
                if self.key(split, name) == key:
                    return cohort[index]
        raise KeyError(key)

    @property
    def rows(self) -> list[Row]:
        """Rows of this run's cases and methods, in the order of the methods: a folder may hold those of more.

        A case that cannot be used with one of the methods is left out for all: they are compared on equal cases.
        """
        usable = self._keys - self.failed.keys()
        rows = [row for row in self.records.rows if row["case"] in usable]
        if not self.study.compares:
            return rows
        names = (*self.study.before_methods, *self.methods, *self.study.after_methods)
        order = {name: place for place, name in enumerate(names)}
        return sorted((row for row in rows if row["method"] in order), key=lambda row: order[row["method"]])

    @property
    def failed(self) -> dict[str, str]:
        """Cases of this run that were skipped, with the reason."""
        refused = {
            row["case"]: f"{row['method']}: {row['refused']}"
            for row in self.records.rows
            if "refused" in row and row["method"] in self.methods
        }
        keys = self._keys
        return {key: reason for key, reason in (refused | self.records.failed).items() if key in keys}

    @property
    def _keys(self) -> set[str]:
        return {self.key(split, name) for split, cohort in self.cohorts.items() for name in cohort.names}


@dataclass
class Evaluation(Generic[S, C]):
    """A suite with its setting.

    Attributes:
        suite: what is run.
        setting: methods and profile.
        tasks: the studies.
        source: where cases come from.
        training_cases: that methods without weights are fitted to.
        fitted: whether they are.
    """

    suite: Suite[S, C]
    setting: S
    tasks: list[Task[S, C]]
    source: CaseSource
    training_cases: int
    fitted: bool = field(default=False)

    @classmethod
    def of(
        cls,
        suite: Suite[S, C],
        setting: S,
        studies: Sequence[Study[S, C]],
        source: CaseSource,
        folder: Path,
        shard: Shard = WHOLE,
    ) -> Evaluation[S, C]:
        """An evaluation that records into a folder.

        Raises:
            UsageError: a study has no cases.
        """
        profile = setting.profile.name
        tasks = [
            Task(
                study,
                {split: suite.cohort(source, split, source.cases or study.cases[profile]) for split in study.splits},
                RecordFile(folder, study.name, shard),
                shard,
                tuple(setting.methods),
            )
            for study in studies
        ]
        return cls(suite, setting, tasks, source, suite.training_cases.get(profile, 0))

    @property
    def complete(self) -> bool:
        """Whether all cases of all studies are recorded, by whichever process."""
        return all([task.complete for task in self.tasks])  # each of them, since it reads what others have written

    @property
    def rows(self) -> Rows:
        """Study to its rows."""
        return {task.study.name: task.rows for task in self.tasks}

    @property
    def failed(self) -> dict[str, dict[str, str]]:
        """Study to the cases that were skipped, with the reason."""
        return {task.study.name: failed for task in self.tasks if (failed := task.failed)}

    def cost(self) -> tuple[float, int]:
        """Units of work that are left to do, and cases that are left to simulate."""
        units = sum(task.study.work(task.setting_of(self.setting, *each)) for task in self.tasks for each in task.todo)
        if not self.setting.simulated:
            return units, 0
        simulated = round(sum(len(task.todo) * task.study.simulations(self.setting) for task in self.tasks))
        timeless = not any(task.study.simulations(self.setting) for task in self._fitting)
        return units, simulated + (self.training_cases if self.must_fit and not timeless else 0)

    @property
    def _fitting(self) -> list[Task[S, C]]:
        """Tasks that may need methods that are shown training cases."""
        return [task for task in self.tasks if task.study.fitted or task.study.compares]

    @property
    def must_fit(self) -> bool:
        """Whether what is left to measure needs methods that are shown training cases."""
        fitted = {name for name, method in self.setting.methods.items() if isinstance(method, FittedMethod)}
        needed = (
            fitted if task.study.fitted else fitted & task.setting_of(self.setting, *each).todo.keys()
            for task in self._fitting
            for each in task.todo
        )
        return any(needed)

    def fit(self, tick: Callable[[], object] = lambda: None) -> None:
        """Show training cases to the methods that ask for them, once; ``tick`` after each case."""
        asking = [method for method in self.setting.methods.values() if isinstance(method, FittedMethod)]
        if self.fitted or not asking:
            return
        packed, splits = [], {split for task in self._fitting for split in task.study.splits}
        for case in self.suite.training(self.source, self.training_cases, splits):
            packed.append(self.suite.pack(case))
            tick()
        for method in asking:
            method.fit(unpack() for unpack in packed)
        self.fitted = True

    def measure(self, task: Task[S, C], split: str, index: int) -> None:
        """Measure one case and record it, or why it cannot be used."""
        cohort = task.cohorts[split]
        key = task.key(split, cohort.names[index])
        try:
            case = cohort[index]
            setting = task.setting_of(self.setting, split, index)
            rows = [{"split": split, **row} for row in task.study.measure(setting, case)]
        except InputRefused as error:
            task.records.fail(key, str(error))
            return
        task.records.add(key, case.participant, rows)

    def draw_sheets(self, folder: Path) -> None:
        """Draw the pictures of the studies that are not there yet."""
        for task in self.tasks:
            rows = task.rows
            for sheet in task.study.sheets if rows else ():
                if read_figure(folder, sheet.name) is not None:
                    continue
                if task.study.compares or task.study.fitted:
                    self.fit()
                if (figure := sheet.draw(self.setting, rows, task.case)) is not None:
                    write_figure(figure, folder, sheet.name)

    def forget_sheets(self, folder: Path) -> None:
        """Remove the pictures that show all methods, for methods were added: they are drawn again."""
        for task in self.tasks:
            for sheet in task.study.sheets if task.study.compares else ():
                remove_figure(folder, sheet.name)
