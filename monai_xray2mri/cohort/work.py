"""One study of a cohort, from its files to its results: what runs in a worker process, whoever started it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from monai_xray2mri.cohort.layouts import LAYOUTS, Layout
from monai_xray2mri.cohort.sources import Found, staged
from monai_xray2mri.core.system import Measured, Outputs, Predictor, Result
from monai_xray2mri.errors import InputRefused, UsageError, Xray2MRIError, describe_unexpected
from monai_xray2mri.systems.registry import system_of

DRAFTS: Final = ".drafts"


@dataclass(frozen=True)
class Job:
    """What all studies of a run share; picklable.

    Attributes:
        source: the input, see :func:`~.sources.find_studies`.
        output: folder of the cohort.
        bundle: its folder.
        run: name of the run, for its drafts.
        device: where to compute.
        request: request options of all studies.
        sampling: sampling options.
        outputs: what is written beside results.
        layout: name of one of :data:`~.layouts.LAYOUTS`.
        measure: whether numbers are read off each result.
    """

    source: str
    output: Path
    bundle: Path
    run: str
    device: str = "auto"
    request: Mapping[str, Any] = field(default_factory=dict)
    sampling: Mapping[str, Any] = field(default_factory=dict)
    outputs: Outputs = field(default_factory=Outputs)
    layout: str = "folders"
    measure: bool = False

    @property
    def drafts(self) -> Path:
        """Where the results of this run are made."""
        return self.output / DRAFTS / self.run


@dataclass(frozen=True)
class Study:
    """A row of the manifest that is to be worked on.

    Attributes:
        study, source, files: see :class:`~.sources.Found`.
        options: request options of this study alone, as texts.
        cases: names of what it was planned to give.
    """

    study: str
    source: str
    files: tuple[str, ...]
    options: Mapping[str, str]
    cases: tuple[str, ...]

    @staticmethod
    def of(row: Mapping[str, Any]) -> Study:
        """The study of a row of the manifest."""
        return Study(row["study"], row["source"], tuple(row["files"]), json.loads(row["options"]), tuple(row["cases"]))

    def row(self) -> dict[str, Any]:
        """What :meth:`of` makes the study of."""
        return {
            "study": self.study, "source": self.source, "files": list(self.files),
            "options": json.dumps(dict(self.options)), "cases": list(self.cases),
        }  # fmt: skip

    def missing(self, output: Path, layout: Layout) -> list[str]:
        """The cases without a result."""
        return [case for case in self.cases if not (output / layout.place(self.study, case)).exists()]


def outcome(
    study: str,
    case: str,
    status: str,
    reason: str = "",
    rule: str = "",
    seconds: float = 0.0,
    measures: Mapping[str, float] | None = None,
    remarks: Sequence[str] = (),
) -> dict[str, Any]:
    """A row of the log, see :data:`~.tables.OUTCOME_COLUMNS`."""
    return {
        "study": study, "case": case, "status": status, "reason": reason, "rule": rule,
        "seconds": round(seconds, 3), "measures": json.dumps(dict(measures or {})), "remarks": list(remarks),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }  # fmt: skip


_WRITTEN = "written by a process that died before it could say so"


def load(job: Job) -> None:
    """Load what the studies of a run share, so that the first one need not wait for it."""
    _loaded(job.bundle, job.device)


def synthesize(job: Job, study: Study) -> list[dict[str, Any]]:
    """Make the results of a study that are missing.

    Never raises for what a study or its results do: the row says so.

    Returns:
        A row of the log for each case that was worked on.
    """
    begin = time.perf_counter()
    layout = LAYOUTS[job.layout]
    rows: list[dict[str, Any]] = []
    missing = study.missing(job.output, layout)
    if not missing:  # given out again because its process died: after it wrote the results, and before it could say so
        return [outcome(study.study, case, "done", remarks=[_WRITTEN]) for case in study.cases]
    try:
        system = system_of(job.bundle)
        predictor = _loaded(job.bundle, job.device)
        sampling = predictor.resolve(**job.sampling)
        own = {option.name: option.read(study.options[option.name]) for option in system.request_options
               if option.name in study.options}  # fmt: skip
        request = system.request(**{**job.request, **own})
        with staged(Found(study.study, study.source, study.files), job.source) as place:
            plan = system.plan(place, request, job.bundle)
            for case in plan.cases:
                if case.name in missing:
                    missing.remove(case.name)
                    rows.append(_one_case(job, study.study, case.name, partial(predictor.predict, case, sampling)))
    except Xray2MRIError as error:
        status = "refused" if isinstance(error, InputRefused) else "failed"
        rows += [outcome(study.study, case, status, str(error), error.rule) for case in missing]
        missing = []
    except Exception as error:  # its text may quote the input
        rows += [outcome(study.study, case, "failed", describe_unexpected(error)) for case in missing]
        missing = []
    for case in missing:
        rows.append(outcome(study.study, case, "refused", "its files have changed since it was planned", "Plan again."))
    if rows:
        rows[0]["seconds"] = round(time.perf_counter() - begin, 3)
    return rows


def _one_case(job: Job, study: str, case: str, make: Callable[[], Result]) -> dict[str, Any]:
    """Make, measure and save one case."""
    try:
        result = make()
        measures = result.numbers() if job.measure and isinstance(result, Measured) else {}
        _save(job, study, case, result)
        return outcome(study, case, "done", measures=measures, remarks=result.case.remarks)
    except Xray2MRIError as error:
        return outcome(study, case, "refused" if isinstance(error, InputRefused) else "failed", str(error), error.rule)
    except Exception as error:  # its text may quote the input
        return outcome(study, case, "failed", describe_unexpected(error))


def _save(job: Job, study: str, case: str, result: Result) -> None:
    """Put a result in its place, whole or not at all.

    Raises:
        UsageError: the output cannot be written.
    """
    layout, draft = LAYOUTS[job.layout], job.drafts / f"{socket.gethostname()}_{os.getpid()}"
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        written = result.save(draft, layout.outputs(job.outputs))
        layout.put(written.directory, job.output / layout.place(study, case))
    except OSError as error:
        found = error.strerror or type(error).__name__
        raise UsageError("output", "must be writable", found, "Make room and run again.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@cache
def _loaded(bundle: Path, device: str) -> Predictor:
    """The predictor, loaded once a process."""
    return system_of(bundle).predictor(bundle, device)
