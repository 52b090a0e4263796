"""Tables as CSV and Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monai_xray2mri.evaluation.study import ResultTable
from monai_xray2mri.runtime.files import write_whole


def csv_text(table: ResultTable) -> str:
    """A table as CSV with a header."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([[cell_text(value) for value in row] for row in table.rows])
    return stream.getvalue()


def markdown(table: ResultTable) -> str:
    """A table as Markdown with its title and note."""
    lines = [f"**{table.title}**", "", _line(table.columns), _line(["---"] * len(table.columns))]
    lines += [_line([cell_text(value) for value in row]) for row in table.rows]
    return "\n".join([*lines, *(["", table.note] if table.note else [])]) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def cell_text(value: Any) -> str:
    """A cell as text: numbers with four significant digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def write_tables(folder: Path, tables: Sequence[ResultTable]) -> None:
    """Write each table as ``NAME.csv`` and ``NAME.md``."""
    for table in tables:
        write_whole(folder / f"{table.name}.csv", csv_text(table).encode())
        write_whole(folder / f"{table.name}.md", markdown(table).encode())
