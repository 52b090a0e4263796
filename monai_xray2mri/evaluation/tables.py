"""Tables as CSV and Markdown, and ``metrics.json``."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monai_xray2mri.dicom.files import write_whole
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.studies.comparison import CEILING, METRICS, TRUE, summaries
from monai_xray2mri.evaluation.studies.study import Table


def csv_text(table: Table) -> str:
    """A table as CSV with a header."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([[text(value) for value in row] for row in table.rows])
    return stream.getvalue()


def markdown(table: Table) -> str:
    """A table as Markdown with its title and note."""
    lines = [f"**{table.title}**", "", _line(table.columns), _line(["---"] * len(table.columns))]
    lines += [_line([text(value) for value in row]) for row in table.rows]
    return "\n".join([*lines, *(["", table.note] if table.note else [])]) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def text(value: Any) -> str:
    """A cell in words: numbers with four digits that count."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def write_tables(folder: Path, tables: Sequence[Table]) -> None:
    """Write each table as ``NAME.csv`` and ``NAME.md``."""
    for table in tables:
        write_whole(folder / f"{table.name}.csv", csv_text(table).encode())
        write_whole(folder / f"{table.name}.md", markdown(table).encode())


def metrics(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """``methods`` and, beside them, ``ceilings`` and ``true_volume``: each measure's median, mean, ci95 and n.

    A measure that a method does not have (the interval of a method without samples) has n = 0 and nulls.
    """
    found = {
        method: {name: summary.record() for name, summary in measures.items()}
        for method, measures in summaries(rows, tuple(METRICS)).items()
    }
    true = {name: value for name, value in found.pop(TRUE, {}).items() if value["n"]}
    return {"ceilings": found.pop(CEILING, {}), "true_volume": true, "methods": found}
