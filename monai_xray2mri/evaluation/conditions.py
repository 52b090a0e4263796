"""Rows and tables of studies that run the bundle under conditions and compare what comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monai_xray2mri.evaluation.bootstrap import Summary, summarise
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import Table, column, distinct, where


def condition_table(
    rows: Sequence[Row], name: str, title: str, measures: Mapping[str, str], note: str = "", by: str = "condition"
) -> Table:
    """A table with a line for each condition: the mean of each measure over knees and its interval.

    Args:
        rows: with the entry ``by``.
        name: of the table's files.
        title: above it.
        measures: entry of a row to heading.
        note: below it.
        by: entry that tells conditions apart.
    """
    cells: list[list[Any]] = []
    for condition in distinct(rows, by):
        mine = where(rows, **{by: condition})
        people = [str(row["participant"]) for row in mine]
        found = [summarise(column(mine, measure), people) for measure in measures]
        cells.append([condition, *map(mean_cell, found), max((each.n for each in found), default=0)])
    told = "Mean and its 95 % bootstrap interval over participants."
    return Table(name, title, [by, *measures.values(), "knees"], cells, f"{told} {note}".strip())


def mean_cell(summary: Summary, digits: int = 3) -> str:
    """A summary as a cell: mean and interval."""
    if summary.mean is None or summary.ci95[0] is None or summary.ci95[1] is None:
        return "-"
    return f"{summary.mean:.{digits}f} [{summary.ci95[0]:.{digits}f}, {summary.ci95[1]:.{digits}f}]"
