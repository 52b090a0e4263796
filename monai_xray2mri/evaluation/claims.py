"""What papers claim, and what a run says of each claim: differences between methods or conditions, with a verdict.

A claim that something is more than something else is a paired difference over cases with its 95 % bootstrap interval
over participants. It *holds* where the interval lies above zero, *does not hold* where it lies below zero, and is *not
decided* where the interval holds zero. A claim that a method is better than several others holds only if it is better
than each of them, which needs no correction for their number (Berger 1982, intersection-union test).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from monai_xray2mri.evaluation.bootstrap import summarize
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, column, distinct, where

HOLDS, FAILS, OPEN, ABSENT = "holds", "does not hold", "not decided", "not measured"
FEWEST_CASES: Final = 5
"""Fewer decide nothing."""

COLUMNS: Final = ("claim", "where", "paper", "here", "verdict")
"""Of a table of claims."""

ByCase = dict[str, float]
"""Case to a number."""


@dataclass(frozen=True)
class Finding:
    """What a run says of a claim: in words, and the verdict."""

    words: str
    verdict: str


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes:
        claim: in words.
        source: place in the paper; "control" where the paper has none.
        figures: the paper's.
        test: rows of the studies and what the suite says besides (its setting) to what this run says; None: it did
            not measure it.
    """

    claim: str
    source: str
    figures: str
    test: Callable[[Mapping[str, Sequence[Row]], Any], Finding | None]


def claims_table(
    tested: Sequence[Claim], rows: Mapping[str, Sequence[Row]], about: Any, title: str, note: str
) -> ResultTable | None:
    """All claims with what a run says; None where it says nothing of any.

    Args:
        tested: claims, in the table's order.
        rows: study to its rows.
        about: second argument of the tests.
        title: above the table.
        note: what must be known to read it.
    """
    found = [(claim, claim.test(rows, about) or Finding("-", ABSENT)) for claim in tested]
    if all(each.verdict == ABSENT for _, each in found):
        return None
    cells = [[claim.claim, claim.source, claim.figures, each.words, each.verdict] for claim, each in found]
    return ResultTable("claims", title, list(COLUMNS), cells, note)


def verdict_on(
    differences: ByCase, participants: Mapping[str, str], margin: float = 0.0, cases: str = "cases"
) -> Finding | None:
    """Interval of the mean difference, and its verdict; None for fewer than five cases.

    Args:
        differences: case to what the claim says is above zero.
        participants: case to whose it is.
        margin: the claim holds down to so much below zero.
        cases: word for cases.

    Example:
        >>> people = {name: name for name in "abcde"}
        >>> verdict_on({"a": 1.0, "b": 2.0, "c": 1.5, "d": 1.0, "e": 2.0}, people).verdict
        'holds'
    """
    names = [name for name, value in differences.items() if np.isfinite(value)]
    found = summarize([differences[name] for name in names], [participants[name] for name in names])
    low, high = found.ci95
    if found.mean is None or low is None or high is None or found.n < FEWEST_CASES:
        return None
    verdict = HOLDS if low > -margin else FAILS if high < -margin else OPEN
    return Finding(f"{found.mean:+.3f} [{low:+.3f}, {high:+.3f}], {found.n} {cases}", verdict)


def all_of(findings: Mapping[str, Finding | None]) -> Finding | None:
    """One finding of several that must all hold; None where one is missing."""
    known = {name: each for name, each in findings.items() if each is not None}
    if not known or len(known) < len(findings):
        return None
    verdicts = {each.verdict for each in known.values()}
    verdict = FAILS if FAILS in verdicts else OPEN if OPEN in verdicts else HOLDS
    return Finding("; ".join(f"{name}: {each.words}" for name, each in known.items()), verdict)


def difference(first: ByCase, second: ByCase) -> ByCase:
    """First minus second, of the cases that both have."""
    return {name: value - second[name] for name, value in first.items() if name in second}


def participants_of(rows: Iterable[Row]) -> dict[str, str]:
    """Case to participant."""
    return {str(row["case"]): str(row["participant"]) for row in rows}


def mean_by_case(rows: Sequence[Row], measure: str) -> ByCase:
    """Case to the mean of a measure over its rows that have it."""
    return {
        str(name): float(np.mean([value for value in column(where(rows, case=name), measure) if np.isfinite(value)]))
        for name in distinct([row for row in rows if row.get(measure) is not None], "case")
    }
