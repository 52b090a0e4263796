"""Intervals and tests over participants: all cases of one person are one draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

DRAWS: Final = 2000
_FLIPS: Final = 10_000


@dataclass(frozen=True)
class Summary:
    """A measure over cases.

    Attributes:
        median: over cases.
        mean: over cases.
        ci95: 95 % interval of the mean, by bootstrap over participants.
        n: number of cases that have the measure.
    """

    median: float | None
    mean: float | None
    ci95: tuple[float | None, float | None]
    n: int

    def record(self) -> dict[str, object]:
        """As ``metrics.json`` holds it."""
        return {"median": self.median, "mean": self.mean, "ci95": list(self.ci95), "n": self.n}


def bootstrap_interval(
    values: Sequence[float], participants: Sequence[str] | None = None, level: float = 0.95, draws: int = DRAWS
) -> tuple[float, float]:
    """Percentile interval of the mean over cases; participants are drawn with replacement, each with all their cases.

    Efron and Tibshirani 1993, chapter 13. The draws are seeded: the same values give the same interval.

    Args:
        values: one per case.
        participants: whose case each is; None: each case is of another person.
        level: of the interval.
        draws: bootstrap samples.

    Raises:
        ValueError: no values, or not one participant for each.
    """
    numbers = np.asarray(values, np.float64)
    people = np.arange(len(numbers)).astype(str) if participants is None else np.asarray(participants)
    if not len(numbers) or len(people) != len(numbers):
        raise ValueError(f"needs a participant for each of one value at least, got {len(people)} and {len(numbers)}")
    _, member = np.unique(people, return_inverse=True)
    sums, counts = np.bincount(member, numbers), np.bincount(member)
    drawn = np.random.default_rng(0).integers(len(sums), size=(draws, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def summarize(values: Sequence[float | None], participants: Sequence[str]) -> Summary:
    """Median, mean and interval of the cases that have a value; None and NaN are left out and not counted."""
    kept = [
        (float(value), person)
        for value, person in zip(values, participants, strict=True)
        if value is not None and np.isfinite(value)
    ]
    if not kept:
        return Summary(None, None, (None, None), 0)
    numbers, people = zip(*kept, strict=True)
    interval = bootstrap_interval(numbers, people)
    return Summary(float(np.median(numbers)), float(np.mean(numbers)), interval, len(numbers))


def paired_p_value(differences: Sequence[float], participants: Sequence[str] | None = None) -> float:
    """Two-sided p of the sign-flip test that a paired difference has mean 0; signs flip by participant.

    All sign patterns count where there are 13 participants or fewer, else 10,000 seeded ones (the observed one is
    among them, so that p is never 0).

    Raises:
        ValueError: no differences.
    """
    numbers = np.asarray(differences, np.float64)
    if not len(numbers):
        raise ValueError("needs one difference at least, got none")
    people = np.arange(len(numbers)).astype(str) if participants is None else np.asarray(participants)
    sums = np.bincount(np.unique(people, return_inverse=True)[1], numbers)
    if 2 ** len(sums) <= _FLIPS:
        signs = 1 - 2 * ((np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums))) & 1)
    else:
        signs = np.random.default_rng(0).choice([-1, 1], size=(_FLIPS, len(sums)))
        signs[0] = 1
    totals = np.abs(signs @ sums)
    return float((totals >= abs(sums.sum()) - 1e-12 * max(1.0, np.abs(sums).sum())).mean())


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """P values corrected for their number (Holm 1979): the chance of any false finding stays below the level."""
    corrected, running = {}, 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        running = max(running, min(1.0, p * (len(p_values) - rank)))
        corrected[name] = running
    return {name: corrected[name] for name in p_values}


def correlation(first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray) -> float | None:
    """Pearson's r of pairs without NaN; None for fewer than three, or where one side is constant."""
    x, y = np.asarray(first, np.float64), np.asarray(second, np.float64)
    both = np.isfinite(x) & np.isfinite(y)
    x, y = x[both], y[both]
    if len(x) < 3 or min(x.std(), y.std()) < 1e-12:
        return None
    return float(np.corrcoef(x, y)[0, 1])
