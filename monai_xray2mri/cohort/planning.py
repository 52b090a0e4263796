"""The plan of a cohort: every study is checked once, before anything is computed, and its row written down.

A row says what ``xray2mri check`` says. What is done is kept in a journal, so that a plan goes on where it stopped; a
study whose files changed is checked again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final

from monai_xray2mri import __version__
from monai_xray2mri.cohort.sources import Found, find_studies, fingerprint, foreign_columns, staged
from monai_xray2mri.cohort.tables import (
    MANIFEST_COLUMNS,
    LastRows,
    append_line,
    arrow,
    lines_of,
    open_parquet,
    schema,
    write_table,
)
from monai_xray2mri.core.bundles import bundle_version
from monai_xray2mri.core.options import chosen_options
from monai_xray2mri.errors import InputRefused, UsageError, describe_unexpected
from monai_xray2mri.runtime.files import lock_folder, require_free
from monai_xray2mri.runtime.worker import Died, Limits
from monai_xray2mri.runtime.workers import as_they_come
from monai_xray2mri.systems.registry import system_of

MANIFEST: Final = "manifest.parquet"
JOURNAL: Final = "plan.jsonl"
CASE_SECONDS: Final = 10.0
"""What a case is thought to take where nobody measured it."""
_ROWS_PER_GROUP: Final = 1024


@dataclass(frozen=True)
class Planning:
    """What a plan depends on.

    Attributes:
        source: the input, see :func:`~.sources.find_studies`.
        bundle: its folder.
        options: request options of all studies.
        case_seconds: what one case takes, for the division of the work; from the summary of a trial run.
    """

    source: str
    bundle: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    case_seconds: float = CASE_SECONDS

    def record(self) -> dict[str, str]:
        """What rows of this plan agree in; JSON, kept in journal and manifest. Defaults count as if they were given."""
        options = chosen_options(system_of(self.bundle).request_options, self.options)
        return {
            "source": self.source if "://" in self.source else str(Path(self.source).resolve()),
            "bundle": bundle_version(self.bundle),
            "version": __version__,
            "options": json.dumps({name: str(value) for name, value in options.items() if value is not None}),
        }


def plan_cohort(
    planning: Planning,
    output: Path,
    workers: int = 1,
    limits: Limits | None = None,
    progress: Callable[[], object] = lambda: None,
) -> Path:
    """Check every study of an input and write the manifest; goes on where it was interrupted.

    Args:
        planning: of what, and how.
        output: folder of the cohort.
        workers: processes.
        limits: of the checks of one study.
        progress: called after each study.

    Returns:
        The manifest, a Parquet file of :data:`~.tables.MANIFEST_COLUMNS`, sorted by study.

    Raises:
        UsageError: the input cannot be read or holds no study; the output cannot be written, or holds a plan of other
            options. A plan that is there stays as it is.
    """
    system = system_of(planning.bundle)
    system.request(**planning.options)  # a wrong option is an error of the call, not of every study
    found = find_studies(planning.source, system.request_options, workers, output)
    require_free(output, ())
    with lock_folder(output):
        journal = output / JOURNAL
        done = _checked_before(journal, planning)
        first = next(found, None)
        if first is None:
            raise UsageError(
                "input", "must hold at least one study", "none",
                "Give DICOM files, pictures or volumes, or a table with rows; a server: another query.",
            )  # fmt: skip
        if done is None:  # not before: an input that was mistyped must not bind the output to itself
            append_line(journal, {"plan": planning.record()})
        current = set[str]()
        for row in _checked(planning, chain((first,), found), done or {}, current, workers, limits):
            append_line(journal, row)
            progress()
        return _write(output / MANIFEST, journal, current, planning)


def _checked_before(journal: Path, planning: Planning) -> dict[str, str] | None:
    """Name and fingerprint of the studies that the journal holds; None where there is no journal yet."""
    lines = lines_of(journal)
    first = next(lines, None)
    if first is None:
        return None
    require_same(first.get("plan", {}), planning)
    return {row["study"]: row["fingerprint"] for row in lines if "fingerprint" in row}


def require_same(before: Mapping[str, str], planning: Planning) -> None:
    """Refuse to go on with a plan of something else.

    Raises:
        UsageError: input, bundle, software or options differ from those of the record.
    """
    for name, value in planning.record().items():
        if before.get(name) != value:
            raise UsageError(
                f"plan of this output: {name}", f"must be {before.get(name)}, as it was", value,
                "Choose another output folder, or remove the plan.",
            )  # fmt: skip


def _checked(
    planning: Planning,
    studies: Iterator[Found],
    done: Mapping[str, str],
    current: set[str],
    workers: int,
    limits: Limits | None,
) -> Iterator[dict[str, Any]]:
    """Rows of the studies that the journal does not hold as they are; notes the names of all."""

    def tasks() -> Iterator[tuple[Found, str]]:
        for found in studies:
            if found.study in current:  # a server may name a study twice while others arrive
                continue
            current.add(found.study)
            stamp = fingerprint(found, planning.source)
            if done.get(found.study) != stamp:
                yield found, stamp

    for (found, stamp), row in as_they_come(partial(_check, planning), tasks(), workers, limits):
        if isinstance(row, Died):
            refusal = InputRefused("study", "must not end its process", f"the process {row.why}", "Look at its files.")
            row = _row(found, [refusal], planning)
        elif isinstance(row, Exception):
            raise row
        yield {**row, "fingerprint": stamp}


def _check(planning: Planning, task: tuple[Found, str]) -> dict[str, Any]:
    """The row of a study; runs in a process of its own."""
    found, _ = task
    if found.refusal is not None:
        return _row(found, [found.refusal], planning)
    begin = time.perf_counter()
    system = system_of(planning.bundle)
    try:
        request = system.request(**{**planning.options, **found.options})
        with staged(found, planning.source) as place:
            plan = system.plan(place, request, planning.bundle)
    except (InputRefused, UsageError) as refusal:
        return _row(found, [refusal], planning, seconds=time.perf_counter() - begin)
    except Exception as error:  # its text may quote the input
        unforeseen = InputRefused("study", "must be checked without an error", describe_unexpected(error))
        return _row(found, [unforeseen], planning, seconds=time.perf_counter() - begin)
    return _row(
        found,
        plan.refusals,
        planning,
        cases=[(case.name, case.title, case.record()) for case in plan.cases],
        remarks=plan.remarks,
        seconds=time.perf_counter() - begin,
    )


def _row(
    found: Found,
    refusals: Any,
    planning: Planning,
    cases: Any = (),
    remarks: Any = (),
    seconds: float = 0.0,
) -> dict[str, Any]:
    return {
        "study": found.study,
        "source": found.source,
        "files": list(found.files),
        "options": json.dumps({name: str(value) for name, value in found.options.items()}),
        "megabytes": round(found.megabytes, 3),
        "status": "planned" if cases else "refused",
        "cases": [name for name, _, _ in cases],
        "titles": [title for _, title, _ in cases],
        "checks": json.dumps([record for _, _, record in cases], ensure_ascii=False),
        "refusals": [str(refusal) for refusal in refusals],
        "rules": [refusal.rule for refusal in refusals],
        "remarks": list(remarks),
        "seconds": round(seconds, 3),
        "cost": round(seconds + planning.case_seconds * len(cases), 3) if cases else 0.0,
    }


def _write(path: Path, journal: Path, current: set[str], planning: Planning) -> Path:
    """The manifest from the journal: the last row of each study that is there now, sorted by name."""
    pa, columns = arrow(), schema(MANIFEST_COLUMNS)
    with LastRows([journal], lambda row: row["study"] if row.get("study") in current else None) as last:
        names = sorted(last)

        def tables() -> Iterator[Any]:
            for start in range(0, len(names), _ROWS_PER_GROUP):
                rows = [last[name] for name in names[start : start + _ROWS_PER_GROUP]]
                yield pa.Table.from_pylist(rows, columns)

        about = {**planning.record(), "case_seconds": f"{planning.case_seconds:g}"}
        write_table(path, MANIFEST_COLUMNS, tables(), about)
    return path


@dataclass(frozen=True)
class Manifest:
    """A plan that was written.

    Attributes:
        path: of the file.
        record: what it was made from and with, see :meth:`Planning.record`.
        studies: number of rows.
    """

    path: Path
    record: Mapping[str, str]
    studies: int

    @property
    def source(self) -> str:
        """The input that it was made from."""
        return self.record["source"]

    @property
    def options(self) -> dict[str, str]:
        """Request options of all studies, as texts."""
        options: dict[str, str] = json.loads(self.record["options"])
        return options

    @property
    def bundle(self) -> str:
        """Name and version of the bundle."""
        return self.record["bundle"]

    @staticmethod
    def open(path: Path) -> Manifest:
        """Read what a manifest says of itself.

        Raises:
            UsageError: it is not there, or no manifest of a cohort.
        """
        with open_parquet(path) as file:
            about = {key.decode(): value.decode() for key, value in (file.schema_arrow.metadata or {}).items()}
            missing = sorted(set(MANIFEST_COLUMNS) - set(file.schema_arrow.names))
            if missing or "source" not in about:
                raise UsageError(
                    f"table {path.name}", "must be a manifest that xray2mri cohort-plan wrote",
                    f"no {', '.join(missing) or 'source'}", "Plan the cohort first.",
                )  # fmt: skip
            return Manifest(path, about, file.metadata.num_rows)


def passed_over(planning: Planning) -> tuple[str, ...]:
    """What of the input is not used, as remarks: columns of a table that mean nothing here.

    Raises:
        UsageError: the table cannot be read.
    """
    foreign = foreign_columns(planning.source, system_of(planning.bundle).request_options)
    return (f"columns of the table passed over: {', '.join(foreign)}",) if foreign else ()
