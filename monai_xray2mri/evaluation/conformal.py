"""Calibrated uncertainty: how wide an interval of samples must be so that it holds the truth as often as it says.

Of K samples of one case the mean m and the standard deviation s are taken at each voxel; the interval is

    m +- scale * (s + floor)

where the floor stands for what all samples have in common (noise of the acquisition, autoencoder). The scale is chosen
on calibration cases by *conformal risk control* (Angelopoulos et al., ICLR 2024, Eq. 4): the loss of a case is the
share of its voxels outside, which falls as the scale grows; the least scale at which

    n / (n + 1) * mean loss + 1 / (n + 1) <= alpha

keeps the expected loss of a new case, exchangeable with the n, at most alpha. The second bound, risk-controlling
prediction sets with Hoeffding and Bentkus (Bates et al., JACM 2021, Theorem 4), as Conffusion uses it, is one-sided:
with probability 1 - delta over calibration sets the loss lies below alpha, so that it covers more than 1 - alpha on
purpose.
A case counts once, however many voxels of it are looked at: voxels of one case are not independent.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from monai_xray2mri.errors import UsageError

FLOOR: Final = 0.02
"""Intensity; about the noise of an acquired volume."""
SCALES: Final = np.geomspace(0.05, 50.0, 241)
"""Scales that are tried, each 3 % above the one before."""
LEVEL: Final = 0.9
NOMINAL: Final = 1.6449
"""Half width of the middle 90 % of a normal distribution, in standard deviations: what a bare spread claims."""


def interval(samples: np.ndarray, scale: float = NOMINAL, floor: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bound [...] of samples [K,...], within 0 to 1.

    Raises:
        ValueError: fewer than two samples.
    """
    if len(samples) < 2:
        raise ValueError(f"needs two samples at least, got {len(samples)}")
    mean, half = samples.mean(axis=0), scale * (samples.std(axis=0, ddof=1) + floor)
    return np.clip(mean - half, 0, 1), np.clip(mean + half, 0, 1)


def needed_scales(samples: np.ndarray, truth: np.ndarray, floor: float = FLOOR) -> np.ndarray:
    """The scale [...] at which the interval of samples [K,...] just reaches the truth [...]."""
    error = np.abs(truth.astype(np.float64) - samples.mean(axis=0))
    return np.asarray(error / (samples.std(axis=0, ddof=1) + floor))


def loss_curve(needed: np.ndarray, scales: np.ndarray = SCALES) -> np.ndarray:
    """Share of voxels that lie outside at each scale [L]; falls from one scale to the next."""
    ordered = np.sort(needed, axis=None)
    return np.asarray(1 - np.searchsorted(ordered, scales, side="right") / max(len(ordered), 1))


def controlled_scale(losses: np.ndarray, alpha: float, scales: np.ndarray = SCALES) -> float:
    """Least scale by conformal risk control.

    Args:
        losses: [n,L] curve of each case.
        alpha: expected loss that is allowed.
        scales: [L] rising; of the curves, whatever they count (half widths of an interval of one width, too).

    Raises:
        UsageError: too few cases for this alpha, or no scale is wide enough.
    """
    count = len(losses)
    bound = (count * losses.mean(axis=0) + 1) / (count + 1)
    return _least(scales, bound <= alpha, count, alpha)


def risk_controlling_scale(losses: np.ndarray, alpha: float, delta: float, scales: np.ndarray = SCALES) -> float:
    """Least scale above which the Hoeffding-Bentkus p value of "the loss exceeds alpha" stays below delta.

    Raises:
        UsageError: too few cases for this alpha and delta.
    """
    count = len(losses)
    p = np.array([hoeffding_bentkus(float(mean), count, alpha) for mean in losses.mean(axis=0)])
    return _least(scales, p <= delta, count, alpha)


def hoeffding_bentkus(mean: float, count: int, alpha: float) -> float:
    """P value of a mean loss of ``count`` cases if the true one is alpha (Bates et al. 2021, Eq. 10 and 11)."""
    if mean >= alpha:
        return 1.0
    divergence = _relative_entropy(mean, alpha)
    binomial = _binomial_below(math.ceil(count * mean), count, alpha)
    return min(1.0, math.exp(-count * divergence), math.e * binomial)


def _least(scales: np.ndarray, enough: np.ndarray, count: int, alpha: float) -> float:
    # Only a scale above which every scale is enough: the guarantee of both bounds rests on that.
    always = np.logical_and.accumulate(enough[::-1])[::-1]
    if not always.any():
        rule = f"needs more cases, or scales beyond {scales[-1]:g}, for a loss of {alpha:g}"
        raise UsageError("calibration", rule, f"{count} cases", "Calibrate on more cases.")
    return float(scales[int(always.argmax())])


def _relative_entropy(a: float, b: float) -> float:
    first = a * math.log(a / b) if a > 0 else 0.0
    return first + ((1 - a) * math.log((1 - a) / (1 - b)) if a < 1 else 0.0)


def _binomial_below(successes: int, count: int, p: float) -> float:
    """P(X <= successes) of a binomial."""
    logs = [
        math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1)
        + k * math.log(p) + (count - k) * math.log(1 - p)
        for k in range(successes + 1)
    ]  # fmt: skip
    return math.fsum(map(math.exp, logs))
