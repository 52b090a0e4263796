"""What came of a cohort: a table of all cases (Parquet and CSV), and a page with counts, durations and pictures."""

from __future__ import annotations

import csv
import json
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from monai_xray2mri.cohort.engine import LOG
from monai_xray2mri.cohort.layouts import LAYOUTS, Layout
from monai_xray2mri.cohort.planning import MANIFEST, Manifest
from monai_xray2mri.cohort.tables import LastRows, arrow, rows_of, schema, write_table
from monai_xray2mri.evaluation.html_report import page
from monai_xray2mri.evaluation.study import ResultTable
from monai_xray2mri.evaluation.suite import Words
from monai_xray2mri.runtime.files import whole_file, write_whole

CASES: Final = "cases"
PAGE: Final = "summary.html"
CASE_COLUMNS: Final[Mapping[str, str]] = {
    "study": "string",
    "case": "string",
    "status": "string",  # done, refused, failed, set aside, to do
    "reason": "string",
    "result": "string",  # path below the output
    "seconds": "number",
    "measures": "string",
    "remarks": "list",
    "source": "string",
    "megabytes": "number",
}
"""Columns of the table of all cases. A study that was refused as a whole has one row without a case."""
TO_DO: Final = "to do"
_NOTHING: Final[Mapping[str, Any]] = {
    "status": TO_DO, "reason": "", "rule": "", "seconds": 0.0, "measures": "{}", "remarks": [],
}  # fmt: skip
"""In place of the row of the log of a case that was not worked on."""
_PICTURES: Final = 12
_REASONS: Final = 20
_ROWS: Final = 4096


@dataclass
class Counts:
    """What a summary counts.

    Attributes:
        studies: rows of the manifest.
        status: of cases, and of studies that were refused as a whole.
        rules: refusals by the rule that they name.
        failures: failures by their reason.
        seconds: of studies that were worked on.
    """

    studies: int = 0
    status: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """Counts as JSON."""
        return {
            "studies": self.studies,
            "cases": dict(sorted(self.status.items())),
            "seconds_a_study": _spread(self.seconds),
            "refused_by_rule": dict(self.rules.most_common(_REASONS)),
            "failed_by_reason": dict(self.failures.most_common(_REASONS)),
        }


def _spread(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    middle, late, longest = np.percentile(seconds, (50, 95, 100))
    return {"median": round(middle, 2), "95 %": round(late, 2), "longest": round(longest, 2)}


def summarize(output: Path, layout: str) -> Counts:
    """Write the table of all cases and the page.

    Args:
        output: folder of the cohort.
        layout: of its results.

    Raises:
        UsageError: there is no plan; the tables cannot be written.
    """
    manifest = Manifest.open(output / MANIFEST)
    counts, chosen = Counts(studies=manifest.studies), LAYOUTS[layout]
    path = output / f"{CASES}.parquet"
    pa, columns = arrow(), schema(CASE_COLUMNS)

    def tables(logged: LastRows[tuple[str, str]]) -> Iterator[Any]:
        rows: list[dict[str, Any]] = []
        for row in _rows(manifest, logged, output, chosen, counts):
            rows.append(row)
            if len(rows) == _ROWS:
                yield pa.Table.from_pylist(rows, columns)
                rows.clear()
        yield pa.Table.from_pylist(rows, columns)

    with _logged(output / LOG) as logged:
        write_table(path, CASE_COLUMNS, tables(logged), {"bundle": manifest.bundle})
    with whole_file(output / f"{CASES}.csv") as draft, draft.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(CASE_COLUMNS))
        writer.writeheader()
        for row in rows_of(path):
            writer.writerow({**row, "remarks": "; ".join(row["remarks"])})
    write_whole(output / PAGE, _page(output, manifest, counts).encode())
    write_whole(output / "summary.json", json.dumps(counts.record(), indent=2, ensure_ascii=False).encode())
    return counts


def _logged(log: Path) -> LastRows[tuple[str, str]]:
    """The last row of the logs of each study and case."""
    return LastRows(
        sorted(log.glob("*.jsonl")),
        lambda row: (row["study"], sys.intern(row["case"])),
        lambda row: datetime.fromisoformat(row["finished"]).timestamp(),
    )


def _rows(
    manifest: Manifest,
    logged: Mapping[tuple[str, str], Mapping[str, Any]],
    output: Path,
    layout: Layout,
    counts: Counts,
) -> Iterator[dict[str, Any]]:
    for row in rows_of(manifest.path):
        about = {"study": row["study"], "source": row["source"], "megabytes": row["megabytes"]}
        for rule in row["rules"]:
            counts.rules[rule] += 1
        if not row["cases"]:
            counts.status["refused"] += 1
            nothing = {"case": "", "result": "", "seconds": row["seconds"], "measures": "{}"}
            yield {
                **about,
                **nothing,
                "status": "refused",
                "reason": " | ".join(row["refusals"]),
                "remarks": row["remarks"],
            }
            continue
        for case in row["cases"]:
            place = layout.place(row["study"], case)
            told = logged.get((row["study"], case), _NOTHING)
            status, reason, seconds = told["status"], told["reason"], told["seconds"]
            if (output / place).exists():
                status, reason = "done", ""
            elif status == "done":  # it was removed
                status = TO_DO
            counts.status[status] += 1
            if status == "refused":
                counts.rules[told["rule"]] += 1
            elif status in ("failed", "set aside"):
                counts.failures[reason] += 1
            if seconds:
                counts.seconds.append(seconds)
            yield {
                **about, "case": case, "status": status, "reason": reason, "seconds": seconds,
                "measures": told["measures"], "result": place.as_posix() if status == "done" else "",
                "remarks": told["remarks"],
            }  # fmt: skip


def _page(output: Path, manifest: Manifest, counts: Counts) -> str:
    record = counts.record()
    tables = [
        ResultTable("cases", "Cases", ("status", "number"), list(record["cases"].items())),
        ResultTable("durations", "Seconds a study", ("", "s"), list(record["seconds_a_study"].items())),
        ResultTable(
            "refusals", "Refusals by the rule that they name", ("rule", "number"), counts.rules.most_common(_REASONS)
        ),
        ResultTable("failures", "Failures by reason", ("reason", "number"), counts.failures.most_common(_REASONS)),
    ]
    settings = {"bundle": manifest.bundle, "studies": manifest.studies, **manifest.options}
    sections = [("What came of it", [table for table in tables if table.rows], _previews(output))]
    return page("Cohort", sections, settings, {}, Words())


def _previews(output: Path) -> list[tuple[str, bytes]]:
    """Some previews, evenly over the cases that are done."""
    path = output / f"{CASES}.parquet"
    status = arrow().parquet.read_table(path, columns=["status"]).column("status")
    done = np.flatnonzero(status.to_numpy() == "done")
    places = set(done[np.linspace(0, len(done) - 1, min(_PICTURES, len(done))).astype(int)].tolist())
    rows = enumerate(rows_of(path, ("study", "case", "result")))
    chosen = [(row["study"], row["case"], row["result"]) for place, row in rows if place in places]
    found = []
    for study, case, result in chosen:
        picture = _preview(output / result)
        if picture is not None:
            found.append((f"{study} {case}", picture))
    return found


def _preview(result: Path) -> bytes | None:
    if result.is_dir():
        file = result / "preview.png"
        return file.read_bytes() if file.is_file() else None
    if result.suffix == ".zip":
        with zipfile.ZipFile(result) as archive:
            name = f"{result.stem}/preview.png"
            return archive.read(name) if name in archive.namelist() else None
    return None
