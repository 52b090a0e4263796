"""Resampling and filtering of films."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from monai_xray2mri.types import Box

REGION_SIZE = 299
"""Pixels per side of a region (Wang 2024a and 2024b: 299 x 299)."""


def stretch(image: np.ndarray, percentiles: tuple[float, float] = (0.5, 99.5)) -> np.ndarray:
    """Map the two percentiles of an image to 0 and 1 and clip: [H,W] float64 in [0,1]."""
    low, high = np.percentile(image, percentiles)
    return np.clip((image.astype(np.float64) - low) / max(high - low, 1e-6), 0, 1)


def resize(
    image: np.ndarray, shape: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> np.ndarray:
    """Resample an image with a linear kernel that widens with the reduction, so that nothing aliases.

    Args:
        image: [H,W] of any grey range.
        shape: (rows, columns) of the result.
        box: (left, top, right, bottom) in pixels of what to resample; the whole image if None.

    Returns:
        [rows,columns] float32.
    """
    source = Image.fromarray(np.ascontiguousarray(image, dtype=np.float32))
    return np.array(source.resize((shape[1], shape[0]), Image.Resampling.BILINEAR, box=box), dtype=np.float32)


def smooth(image: np.ndarray, sigma: float) -> np.ndarray:
    """Filter with a Gaussian of ``sigma`` pixels, mirrored at the border: [H,W]."""
    reach = math.ceil(3 * sigma)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        padding = [(reach, reach) if i == axis else (0, 0) for i in (0, 1)]
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(image, padding, mode="symmetric"), len(kernel), axis)
        image = windows @ kernel
    return image


def cut_box(pixels: np.ndarray, box: Box, *, repeat: bool = False) -> np.ndarray:
    """Resample a square of a film.

    Args:
        pixels: [H,W] in [0,1].
        box: the square in pixels, also with fractions and beyond the border.
        repeat: beyond the film are the values at its border; else what lies there is 0.

    Returns:
        [299,299] float32, anti-aliased.
    """
    margin = 2 + math.ceil(max(box.rows, box.columns) / REGION_SIZE)  # what the kernel reaches beyond the square
    top, bottom = _span(box.top, box.rows, pixels.shape[0], margin)
    left, right = _span(box.left, box.columns, pixels.shape[1], margin)
    inside = pixels[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    above, before = min(max(-top, 0), bottom - top), min(max(-left, 0), right - left)
    padding = (
        (above, bottom - top - above - inside.shape[0]),
        (before, right - left - before - inside.shape[1]),
    )
    window = (box.left - left, box.top - top, box.left - left + box.columns, box.top - top + box.rows)
    padded = np.pad(inside, padding, mode="edge" if repeat else "constant")
    return resize(padded, (REGION_SIZE, REGION_SIZE), window)


def _span(start: float, length: float, size: int, margin: int) -> tuple[int, int]:
    """Return the pixels [first, last) that a square needs along one axis.

    The margin ends at the border of the film: a square that lies on the film must not be darkened from beyond it.
    """
    first, last = math.floor(start), math.ceil(start + length)
    return min(first, max(first - margin, 0)), max(last, min(last + margin, size))
