"""The table of a study that compares conditions: methods, samplers, inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monai_xray2mri.evaluation.bootstrap import Summary, summarize
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, column, distinct, where


def condition_table(
    rows: Sequence[Row],
    name: str,
    title: str,
    measures: Mapping[str, str],
    note: str = "",
    by: str = "condition",
    counted: str = "cases",
) -> ResultTable:
    """A table with a line for each condition: the mean of each measure over cases and its interval.

    Args:
        rows: with the entry ``by``.
        name: of the table's files.
        title: above it.
        measures: entry of a row to heading.
        note: below it.
        by: entry that tells conditions apart; ``"method"`` compares methods.
        counted: heading of the number of cases.
    """
    cells: list[list[Any]] = []
    for condition in distinct(rows, by):
        chosen = where(rows, **{by: condition})
        people = [str(row["participant"]) for row in chosen]
        found = [summarize(column(chosen, measure), people) for measure in measures]
        cells.append([condition, *map(mean_cell, found), max((each.n for each in found), default=0)])
    form = "Mean and its 95 % bootstrap interval over participants."
    return ResultTable(name, title, [by, *measures.values(), counted], cells, f"{form} {note}".strip())


def mean_cell(summary: Summary, digits: int = 3) -> str:
    """A summary as a cell: mean and interval."""
    if summary.mean is None or summary.ci95[0] is None or summary.ci95[1] is None:
        return "-"
    return f"{summary.mean:.{digits}f} [{summary.ci95[0]:.{digits}f}, {summary.ci95[1]:.{digits}f}]"
