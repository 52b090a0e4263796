"""Share and length of the initial noise at which generated slices are as alike as true ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

Correlations = Callable[[float, float], Sequence[float]]
"""(share, length_mm) to the mean correlations of generated slices at some lags, the first of them 1."""


@dataclass(frozen=True)
class Fit:
    """The kernel that was chosen.

    Attributes:
        share: of the noise that all slices have in common.
        length_mm: how far the rest is alike.
        correlation: of neighbouring slices generated with it.
        wanted: of the true ones.
        beyond: mean absolute difference of the correlations at the further lags.
        reached: whether the wanted correlation lies between those of a share of 0 and of 1.
        tried: every evaluation: share, length, correlations.
    """

    share: float
    length_mm: float
    correlation: float
    wanted: float
    beyond: float
    reached: bool
    tried: tuple[tuple[float, float, tuple[float, ...]], ...]

    def record(self) -> dict[str, object]:
        """As plain JSON."""
        return asdict(self)


def fit_noise(
    correlations: Correlations,
    wanted: Sequence[float],
    lengths_mm: Sequence[float],
    tolerance: float = 0.001,
    most: int = 6,
) -> Fit:
    """For each length the share at which neighbouring slices correlate as wanted; of these the best at further lags.

    The correlation rises with the share. Where even a share of 0 (1) is above (below) what is wanted, that end is the
    best of this length, and counts only if no length reaches it.

    Args:
        correlations: measures a kernel.
        wanted: the true volumes' correlations at the same lags.
        lengths_mm: lengths to choose among.
        tolerance: of the correlation at lag 1.
        most: measurements per length between the ends.

    Raises:
        ValueError: no lengths, or a first measurement of another number of lags.
    """
    if not lengths_mm:
        raise ValueError("needs one length at least, got none")
    tried: list[tuple[float, float, tuple[float, ...]]] = []
    top = tuple(correlations(1.0, lengths_mm[0]))  # a share of 1 has no length
    if len(top) != len(wanted):
        raise ValueError(f"wanted must hold {len(top)} correlations as measured, got {len(wanted)}")
    tried.append((1.0, lengths_mm[0], top))

    def measured(share: float, length: float) -> tuple[float, ...]:
        tried.append((share, length, tuple(correlations(share, length))))
        return tried[-1][2]

    best = []
    for length in lengths_mm:
        share, found = share_that_reaches(lambda x, at=length: measured(x, at), wanted[0], top, tolerance, most)  # type: ignore[misc]
        beyond = [abs(one - other) for one, other in zip(found[1:], wanted[1:], strict=True)]
        best.append((abs(found[0] - wanted[0]) > tolerance, sum(beyond) / max(len(beyond), 1), share, length, found))
    short, beyond_mean, share, length, found = min(best, key=lambda each: each[:2])
    return Fit(share, length, found[0], wanted[0], beyond_mean, not short, tuple(tried))


def share_that_reaches(
    measure: Callable[[float], tuple[float, ...]],
    wanted: float,
    top: tuple[float, ...],
    tolerance: float,
    most: int,
) -> tuple[float, tuple[float, ...]]:
    """The share in 0..1 whose first correlation is the wanted one, by interpolation between two that enclose it.

    Args:
        measure: share to correlations, the first of them rising with it.
        wanted: the first correlation.
        top: correlations of a share of 1.
        tolerance: of the wanted correlation.
        most: measurements between the ends at most.

    Returns:
        The share and its correlations; an end of 0..1 if what is wanted lies beyond it.
    """
    if top[0] <= wanted + tolerance:
        return 1.0, top
    bottom = measure(0.0)
    if bottom[0] >= wanted - tolerance:
        return 0.0, bottom
    low, high = (0.0, bottom), (1.0, top)
    for _ in range(most):
        part = (wanted - low[1][0]) / (high[1][0] - low[1][0])
        # Kept off the ends, so that a bent curve does not creep towards one of them.
        share = low[0] + min(max(part, 0.1), 0.9) * (high[0] - low[0])
        found = measure(share)
        if abs(found[0] - wanted) <= tolerance:
            return share, found
        if found[0] < wanted:
            low = (share, found)
        else:
            high = (share, found)
    return min(low, high, key=lambda end: abs(end[1][0] - wanted))
