"""Do two measurements of the same thing agree? Equivalence within bounds, limits of agreement, kappa of grades.

"No significant difference" (p > 0.05) does not say that two things are equal: few cases and noise bring it about, too.
Equivalence is claimed where the whole interval of the difference lies within bounds that were stated before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monai_xray2mri.runtime.optional import optional_library

EQUIVALENT, DIFFERENT, UNDECIDED = "equivalent", "different", "not decided"


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided t tests (Schuirmann 1987) of paired differences.

    Attributes:
        mean: of the differences.
        ci90: 90 % interval of the mean; within the bounds the tests reject at 5 %.
        p: the larger of the two p values.
        bound: half width of what counts as equal.
        n: pairs.
    """

    mean: float
    ci90: tuple[float, float]
    p: float
    bound: float
    n: int

    @property
    def verdict(self) -> str:
        """Equivalent: the interval lies within the bounds; different: beyond them; not decided: it crosses one."""
        low, high = self.ci90
        if -self.bound < low and high < self.bound:
            return EQUIVALENT
        return DIFFERENT if low > self.bound or high < -self.bound else UNDECIDED


def equivalence(differences: Sequence[float], bound: float) -> Equivalence | None:
    """Test whether paired differences have a mean within +- ``bound``; None for fewer than three that are finite.

    Args:
        differences: one per participant.
        bound: in their unit, above 0.

    Raises:
        ValueError: a bound that is not above 0.
        UsageError: SciPy is not installed.

    Example:
        >>> equivalence([0.1, -0.1, 0.05, -0.02, 0.0], 1.0).verdict
        'equivalent'
    """
    if not bound > 0:
        raise ValueError(f"bound must be above 0, got {bound}")
    numbers = np.array([value for value in differences if np.isfinite(value)], np.float64)
    if len(numbers) < 3:
        return None
    t = optional_library("scipy.stats").t(len(numbers) - 1)
    mean, error = float(numbers.mean()), max(float(numbers.std(ddof=1)) / np.sqrt(len(numbers)), 1e-12)
    reach = float(t.ppf(0.95)) * error
    p = max(float(t.sf((mean + bound) / error)), float(t.cdf((mean - bound) / error)))
    return Equivalence(mean, (mean - reach, mean + reach), p, bound, len(numbers))


def limits_of_agreement(differences: Sequence[float]) -> tuple[float, float, float]:
    """Bias and the limits of agreement, bias -+ 1.96 standard deviations (Bland and Altman 1986).

    Raises:
        ValueError: fewer than two differences that are finite.
    """
    numbers = np.array([value for value in differences if np.isfinite(value)], np.float64)
    if len(numbers) < 2:
        raise ValueError(f"needs two differences at least, got {len(numbers)}")
    bias, spread = float(numbers.mean()), 1.96 * float(numbers.std(ddof=1))
    return bias, bias - spread, bias + spread


def weighted_kappa(first: Sequence[int], second: Sequence[int], classes: int) -> float | None:
    """Cohen's kappa with quadratic weights (Cohen 1968) of two gradings in 0 to ``classes`` - 1.

    1 is agreement, 0 what chance gives. None for no gradings, or where one of them has a single grade throughout.

    Example:
        >>> weighted_kappa([0, 1, 2, 3], [0, 1, 2, 3], 4)
        1.0
    """
    table = np.zeros((classes, classes))
    np.add.at(table, (np.asarray(first, int), np.asarray(second, int)), 1)
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    if (rows > 0).sum() < 2 or (columns > 0).sum() < 2:
        return None
    grade = np.arange(classes)
    weight = np.square(grade[:, None] - grade[None])
    expected = np.outer(rows, columns) / table.sum()
    return float(1 - (weight * table).sum() / (weight * expected).sum())
