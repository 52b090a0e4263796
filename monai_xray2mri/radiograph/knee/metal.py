"""Metal in the region of a joint, by what it looks like on any film: large, brighter than cortex, sharply outlined."""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image, ImageFilter

from monai_xray2mri.radiograph.resampling import resize

GRID: Final = 190
"""Pixels per side on which the middle of a region is measured, 0.5 mm each."""
MEASURED_MM: Final = 95.0
"""Side of that middle."""
LEVELS: Final = (0.55, 0.65, 0.75, 0.85, 0.93)
"""Shares of the grey range above which metal is looked for: its brightness relative to bone is that of the film."""
SMALLEST_MM2: Final = 400.0
"""Least area at a level; a femoral condyle of metal covers more, the dense spots of bone cover less."""
_RING: Final = 2
"""Pixels, 1 mm, within and without the outline whose grey values are compared."""


def metal_step(region: np.ndarray, width_mm: float) -> float:
    """How steeply grey values fall at the outline of what is bright, as a share of the grey range.

    Bone grows thin towards its border and soft tissue covers it, so that the median step from 1 mm within to 1 mm
    without the outline of its bright parts is small. Metal is as thick at its border as anywhere.

    Args:
        region: [n,n], bone bright, any grey range.
        width_mm: its side at the detector.

    Returns:
        The largest step of all levels at which the bright part is as large as an implant; 0 if there is none.
    """
    size, margin = len(region), max(len(region) * (1 - MEASURED_MM / width_mm) / 2, 0)
    middle = resize(region, (GRID, GRID), (margin, margin, size - margin, size - margin))
    low, high = np.percentile(middle, (1, 99.8))
    gray = (middle - low) / max(float(high - low), 1e-6)
    return max(_step_at(gray, level) for level in LEVELS)


def _step_at(gray: np.ndarray, level: float) -> float:
    """The step at the outline of what is above a level, thin structures left out."""
    bright = Image.fromarray(np.where(gray > level, 255, 0).astype(np.uint8))
    opened = bright.filter(ImageFilter.MinFilter(5)).filter(ImageFilter.MaxFilter(5))
    inside = np.asarray(opened) > 0
    if inside.sum() * (MEASURED_MM / GRID) ** 2 < SMALLEST_MM2:
        return 0.0
    core = np.asarray(opened.filter(ImageFilter.MinFilter(2 * _RING + 1))) > 0
    around = np.asarray(opened.filter(ImageFilter.MaxFilter(2 * _RING + 1))) > 0
    within, without = inside & ~core, around & ~inside
    if not within.any() or not without.any():
        return 0.0
    return float(np.median(gray[within]) - np.median(gray[without]))
