"""Running a cohort: what every engine shares, and the engine of this machine.

A result that is there is done, whoever made it. So any run may be ended at any time, by a kill too, and the same
command goes on.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from monai_xray2mri.cohort.deaths import Deaths
from monai_xray2mri.cohort.layouts import LAYOUTS
from monai_xray2mri.cohort.planning import Manifest
from monai_xray2mri.cohort.sharing import divide
from monai_xray2mri.cohort.tables import append_line, arrow, rows_of
from monai_xray2mri.cohort.work import Job, Study, outcome, synthesize
from monai_xray2mri.core.shards import Shard
from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.files import lock_folder
from monai_xray2mri.runtime.worker import Died, Limits
from monai_xray2mri.runtime.workers import as_they_come

LOG: Final = "log"
_COLUMNS: Final = ("study", "source", "files", "options", "cases", "status")
_UNWRITABLE: Final = 3
"""Cases in a row that could not be written, after which a run ends: the others would fail as well."""
UNWRITABLE_RULES: Final = ("must be writable", "cannot be written")

Tell = Callable[[list[dict[str, Any]]], object]
"""Called with the rows of the log of each study, as it ends."""


@dataclass(frozen=True)
class Share:
    """The studies of a run that are left to do.

    Attributes:
        studies: of the shard that were planned.
        left: of them, those with a case without result.
    """

    studies: int
    left: Sequence[Study]


def share_of(manifest: Manifest, shard: Shard, job: Job) -> Share:
    """What a shard has to do, the costliest study first, so that no long one is left at the end."""
    pa = arrow()
    table = pa.parquet.read_table(manifest.path, columns=["study", "cost", "status"])
    planned = np.asarray(table.column("status").combine_chunks().to_numpy(zero_copy_only=False) == "planned")
    cost = np.where(planned, table.column("cost").to_numpy(), 0.0)
    mine = planned & (divide(cost, shard.of) == shard.number)
    layout, left = LAYOUTS[job.layout], []
    for place, row in enumerate(rows_of(manifest.path, _COLUMNS)):
        if mine[place]:
            study = Study.of(row)
            if study.missing(job.output, layout):
                left.append((float(cost[place]), study))
    left.sort(key=lambda one: (-one[0], one[1].study))
    return Share(int(mine.sum()), [study for _, study in left])


@contextmanager
def running(job: Job) -> Iterator[Path]:
    """Keep other runs of the same name away, and remove drafts that a killed one left; yields the log's folder.

    Raises:
        UsageError: another run of this name works in the output, or it cannot be written.
    """
    try:
        job.drafts.mkdir(parents=True, exist_ok=True)
        log = job.output / LOG
        log.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"output folder {job.output.name}", "must be writable", error.strerror or "an error",
            "Choose another folder or correct its permissions.",
        ) from error  # fmt: skip
    with lock_folder(job.drafts):
        for draft in job.drafts.iterdir():
            shutil.rmtree(draft, ignore_errors=True)
        try:
            yield log
        finally:
            for draft in job.drafts.iterdir():
                shutil.rmtree(draft, ignore_errors=True)


class CohortLog:
    """The log of a run that begins now: takes the rows of each study as it ends, and tells of them.

    Args:
        job: of the run.
        folder: of the logs.
        tell: called with the rows.
    """

    def __init__(self, job: Job, folder: Path, tell: Tell) -> None:
        self._path = folder / f"{job.run}_{datetime.now(UTC):%Y%m%dT%H%M%S}_{os.getpid()}.jsonl"
        self._tell, self._unwritable = tell, 0

    def __call__(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write the rows of a study.

        Raises:
            UsageError: some cases in a row could not be written, and neither can the others.
        """
        for row in rows:
            append_line(self._path, row)
            self._unwritable = self._unwritable + 1 if row["rule"] in UNWRITABLE_RULES else 0
        self._tell(list(rows))
        if self._unwritable >= _UNWRITABLE:
            raise UsageError("output", "must be writable", rows[-1]["reason"], "Run again: what is done is kept.")


def run_here(job: Job, share: Share, workers: int, limits: Limits, tell: Tell) -> None:
    """Do what is left with processes of this machine.

    A study whose process died is tried again when all others are done, and set aside when it dies again.

    Raises:
        UsageError: the output cannot be written.
    """
    deaths = Deaths(job.output)
    with running(job) as folder:
        log = CohortLog(job, folder, tell)
        todo = tried(share, deaths, tell)
        while todo:
            again: list[Study] = []
            for study, found in as_they_come(partial(synthesize, job), _begun(todo, deaths), workers, limits):
                if isinstance(found, Exception):
                    raise found
                if isinstance(found, Died):
                    deaths.died(study.study, found.why)
                    rows = set_aside(study, deaths)
                    if rows:
                        log(rows)
                    else:
                        again.append(study)
                else:
                    deaths.end(study.study)
                    log(found)
            todo = again


def tried(share: Share, deaths: Deaths, tell: Tell) -> list[Study]:
    """The studies that are left and not set aside; tells of those that are."""
    todo = []
    for study in share.left:
        rows = set_aside(study, deaths)
        if rows:
            tell(rows)
        else:
            todo.append(study)
    return todo


def _begun(studies: Sequence[Study], deaths: Deaths) -> Iterator[Study]:
    for study in studies:
        deaths.begin(study.study)
        yield study


def set_aside(study: Study, deaths: Deaths) -> list[dict[str, Any]]:
    """The rows of a study that is set aside; none if it may be tried."""
    why = deaths.why_set_aside(study.study)
    if not why:
        return []
    reason = f"{why}. Look at its files, then run with --retry-set-aside."
    return [outcome(study.study, case, "set aside", reason, "must not end its process") for case in study.cases]
