"""How sharp and how noisy the region of a joint is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from monai_xray2mri.radiograph.resampling import resize, smooth, stretch

GRID: Final = 128
"""Pixels per side on which a region is measured: 0.86 mm in one of 110 mm."""
_EDGE: Final = 20
"""Left out on each side for the sharpness, 17 mm: a border of collimation is as steep at every scale."""
_MEDIAN_OF_NORMAL: Final = 0.6745


@dataclass(frozen=True)
class Quality:
    """Measures of a region.

    Attributes:
        sharpness: mean gradient at 0.9 mm over that at 3.4 mm in the middle 76 mm; 1 where nothing finer than 3 mm is
            left.
        noise: standard deviation of what changes from pixel to pixel, as a share of the region's grey range.
    """

    sharpness: float
    noise: float


def measure_quality(region: np.ndarray) -> Quality:
    """Measure a square region of about 110 mm.

    Noise is estimated from the second differences in both directions, which edges and shading leave alone
    (Immerkaer, "Fast noise variance estimation", Computer Vision and Image Understanding 1996), by their median.

    Args:
        region: [n,n] in any grey range.
    """
    grid = stretch(resize(region, (GRID, GRID)))
    coarse = _mean_gradient(smooth(grid, 4.0))
    difference = grid[1:-1, 1:-1] * 4 - 2 * (grid[1:-1, 2:] + grid[1:-1, :-2] + grid[2:, 1:-1] + grid[:-2, 1:-1])
    difference += grid[2:, 2:] + grid[2:, :-2] + grid[:-2, 2:] + grid[:-2, :-2]
    noise = float(np.median(np.abs(difference))) / (_MEDIAN_OF_NORMAL * 6)  # the mask's norm is 6
    return Quality(_mean_gradient(smooth(grid, 1.0)) / max(coarse, 1e-6), noise)


def _mean_gradient(image: np.ndarray) -> float:
    inner = image[_EDGE:-_EDGE, _EDGE:-_EDGE]
    down, across = np.diff(inner, axis=0)[:, :-1], np.diff(inner, axis=1)[:-1]
    return float(np.sqrt(down * down + across * across).mean())
