"""Bars that were stated for networks before they were trained, and what a run says of each: ``Suite.quality``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from monai_xray2mri.evaluation.bootstrap import summarize
from monai_xray2mri.evaluation.claims import ByCase
from monai_xray2mri.evaluation.conditions import mean_cell
from monai_xray2mri.evaluation.study import ResultTable
from monai_xray2mri.evaluation.suite import Rows

HOLDS, MISSED, ABSENT, REFERENCE = "holds", "missed", "not measured", "reference"

Values = tuple[ByCase, Mapping[str, str]]
"""Case to a number, and case to participant: their mean is held against the bar."""


@dataclass(frozen=True)
class Single:
    """A number of all cases together, such as a correlation.

    Attributes:
        value: held against the bar.
        cases: that it is of.
    """

    value: float
    cases: int


Found = Callable[[Rows, Any], Values | Single | None]


@dataclass(frozen=True)
class QualityBar:
    """One line of the table.

    Attributes:
        words: what is measured.
        unit: of it.
        bars: profile to lowest and highest allowed value; empty: a reference without a bar.
        found: rows and setting to the values; None where it was not measured.
    """

    words: str
    unit: str
    bars: Mapping[str, tuple[float, float]]
    found: Found


def bars_table(
    bars: Sequence[QualityBar], rows: Rows, setting: Any, note: str, counted: str = "cases"
) -> ResultTable | None:
    """All bars of the profile with what a run says; None where it measured none.

    Args:
        bars: lines of the table.
        rows: of the run.
        setting: of the run.
        note: below the table.
        counted: word for cases.
    """
    cells = [_cells(bar, rows, setting) for bar in bars]
    if all(line[-1] in (ABSENT, REFERENCE) for line in cells):
        return None
    head = ["measure", "bar", "here", counted, "verdict"]
    return ResultTable("quality", f"Stated bars ({setting.profile.name})", head, cells, note)


def at_least(cpu: float, full: float) -> dict[str, tuple[float, float]]:
    """Bars that a value must reach."""
    return {"cpu": (cpu, np.inf), "full": (full, np.inf)}


def at_most(cpu: float, full: float) -> dict[str, tuple[float, float]]:
    """Bars that a value must not exceed."""
    return {"cpu": (-np.inf, cpu), "full": (-np.inf, full)}


def _cells(bar: QualityBar, rows: Rows, setting: Any) -> list[Any]:
    limits = bar.bars.get(setting.profile.name)
    stated = "-" if limits is None else _stated(limits, bar.unit)
    found, digits = bar.found(rows, setting), _DIGITS.get(bar.unit, 3)
    if found is None or (not isinstance(found, Single) and not found[0]):
        return [bar.words, stated, "-", 0, ABSENT]
    if isinstance(found, Single):
        value, count, shown = found.value, found.cases, f"{found.value:.{digits}f}"
    else:
        by_case, people = found
        summary = summarize(list(by_case.values()), [people[case] for case in by_case])
        value, count, shown = float(np.mean(list(by_case.values()))), summary.n, mean_cell(summary, digits)
    shown = f"{shown} {bar.unit}".strip()
    if limits is None:
        return [bar.words, stated, shown, count, REFERENCE]
    return [bar.words, stated, shown, count, HOLDS if limits[0] <= value <= limits[1] else MISSED]


_DIGITS: Final = {"dB": 2, "mm": 2, "degrees": 2}


def _stated(limits: tuple[float, float], unit: str) -> str:
    low, high = limits
    text = (
        f"at least {low:.3g}"
        if np.isinf(high)
        else f"at most {high:.3g}"
        if np.isinf(low)
        else f"{low:.3g} to {high:.3g}"
    )
    return f"{text} {unit}".strip()
