"""Length and aspect of the initial noise at which generated slices are as alike as true ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Final

Correlations = Callable[[float, float], Sequence[float]]
"""(aspect, length_mm) to the mean correlations of generated slices at some lags, the first of them 1."""
LARGEST: Final = 0.3
"""Aspect up to which is searched; slices are then far too much alike."""


@dataclass(frozen=True)
class Fit:
    """The kernel that was chosen, see :class:`~monai_xray2mri.diffusion.depth_noise.DepthKernel`.

    Attributes:
        aspect: growth of the length per wavelength in the plane.
        length_mm: how far the finest noise is alike.
        correlation: of neighbouring slices generated with it.
        wanted: of the true ones.
        beyond: mean absolute difference of the correlations at the further lags.
        reached: whether the wanted correlation lies between those of an aspect of 0 and of the largest.
        tried: every evaluation: aspect, length, correlations.
    """

    aspect: float
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
    """For each length the aspect at which neighbouring slices correlate as wanted; of these the best at further lags.

    The correlation rises with the aspect. Where even an aspect of 0 (the largest) is above (below) what is wanted, that
    end is the best of this length, and counts only if no length reaches it.

    Args:
        correlations: measures a kernel.
        wanted: the true volumes' correlations at the same lags.
        lengths_mm: lengths to choose among.
        tolerance: of the correlation at lag 1.
        most: measurements per length between the ends.

    Raises:
        ValueError: no lengths, or a measurement of another number of lags.
    """
    if not lengths_mm:
        raise ValueError("needs one length at least, got none")
    tried: list[tuple[float, float, tuple[float, ...]]] = []

    def measured(aspect: float, length: float) -> tuple[float, ...]:
        found = tuple(correlations(aspect, length))
        if len(found) != len(wanted):
            raise ValueError(f"wanted must hold {len(found)} correlations as measured, got {len(wanted)}")
        tried.append((aspect, length, found))
        return found

    best = []
    for length in lengths_mm:
        aspect, found = aspect_that_reaches(lambda x, at=length: measured(x, at), wanted[0], tolerance, most)  # type: ignore[misc]
        beyond = [abs(one - other) for one, other in zip(found[1:], wanted[1:], strict=True)]
        best.append((abs(found[0] - wanted[0]) > tolerance, sum(beyond) / max(len(beyond), 1), aspect, length, found))
    short, beyond_mean, aspect, length, found = min(best, key=lambda each: each[:2])
    return Fit(aspect, length, found[0], wanted[0], beyond_mean, not short, tuple(tried))


def aspect_that_reaches(
    measure: Callable[[float], tuple[float, ...]], wanted: float, tolerance: float, most: int
) -> tuple[float, tuple[float, ...]]:
    """The aspect whose first correlation is the wanted one, by interpolation between two that enclose it.

    Args:
        measure: aspect to correlations, the first of them rising with it.
        wanted: the first correlation.
        tolerance: of the wanted correlation.
        most: measurements between the ends at most.

    Returns:
        The aspect and its correlations; 0 or the largest if what is wanted lies beyond it.
    """
    bottom = measure(0.0)
    if bottom[0] >= wanted - tolerance:
        return 0.0, bottom
    top = measure(LARGEST)
    if top[0] <= wanted + tolerance:
        return LARGEST, top
    low, high = (0.0, bottom), (LARGEST, top)
    for _ in range(most):
        part = (wanted - low[1][0]) / (high[1][0] - low[1][0])
        # Kept off the ends, so that a bent curve does not creep towards one of them.
        aspect = low[0] + min(max(part, 0.1), 0.9) * (high[0] - low[0])
        found = measure(aspect)
        if abs(found[0] - wanted) <= tolerance:
            return aspect, found
        if found[0] < wanted:
            low = (aspect, found)
        else:
            high = (aspect, found)
    return min(low, high, key=lambda end: abs(end[1][0] - wanted))
