"""Families of image features for linear classifiers.

Each family describes one aspect of a radiograph's appearance. A high score of its classifier therefore names the aspect
in which simulated radiographs differ from real ones. All functions take regions [N,256,256] in [-1,1] of
``normalize_region``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Final

import numpy as np

_GRAY_BINS: Final = 24
_ANGLES: Final = 6
_SCALES: Final = (1, 2, 4)
_BANDS: Final = 9
_WINDOW: Final = 64
_LAYOUT: Final = 16
_TEXTURE_PLACES: Final = ((30, 55), (30, 135), (176, 60), (176, 130))
"""Top left corners (row, column) of windows in the lateral and medial condyle and the lateral and medial tibia."""


def gray_histogram(images: np.ndarray) -> np.ndarray:
    """Square roots [N,24] of the histogram of grey values: exposure and look-up table, independent of position."""
    edges = np.linspace(-1, 1, _GRAY_BINS + 1)
    counts = [np.histogram(image, edges)[0] / image.size for image in images]
    return np.sqrt(np.asarray(counts))


def gradient_histogram(images: np.ndarray) -> np.ndarray:
    """Logarithms [N,42] of gradient strengths at three scales: sharpness of outlines, independent of position.

    For each scale: the mean strength in each of six directions (of 0 to 180 degrees), and eight percentiles of the
    strength.
    """
    return np.stack([_gradient_features(image) for image in images])


def power_spectrum(images: np.ndarray) -> np.ndarray:
    """Logarithm [N,108] of the power in four windows of bone by frequency and direction.

    Nine bands of frequency (2/64 to 0.5 per pixel) and three directions; Hann weighted windows of 64 x 64 pixels. They
    describe trabecular texture, noise and sharpness.
    """
    return np.concatenate([_window_spectra(images, row, column) for row, column in _TEXTURE_PLACES], axis=1)


def layout(images: np.ndarray) -> np.ndarray:
    """Means [N,256] of 16 x 16 blocks: position of outlines, patella, fibula and soft tissue."""
    block = images.shape[1] // _LAYOUT
    return images.reshape(len(images), _LAYOUT, block, _LAYOUT, block).mean((2, 4)).reshape(len(images), -1)


FAMILIES: Final[Mapping[str, Callable[[np.ndarray], np.ndarray]]] = {
    "grey histogram": gray_histogram,
    "gradient histogram": gradient_histogram,
    "power spectrum": power_spectrum,
    "layout": layout,
}
"""Name of each family, and its function from [N,256,256] to [N,F]."""


def _gradient_features(image: np.ndarray) -> np.ndarray:
    values = []
    for scale in _SCALES:
        rows, columns = image.shape[0] // scale, image.shape[1] // scale
        small = image.reshape(rows, scale, columns, scale).mean((1, 3))
        down, across = np.gradient(small)
        strength = np.hypot(down, across)
        direction = np.floor(np.arctan2(down, across) % np.pi / np.pi * _ANGLES).astype(int) % _ANGLES
        sums = np.bincount(direction.ravel(), strength.ravel(), minlength=_ANGLES) / strength.size
        values += [sums, np.percentile(strength, (10, 25, 50, 75, 90, 95, 99, 99.8))]
    return np.log(np.concatenate(values) + 1e-5)


def _window_spectra(images: np.ndarray, row: int, column: int) -> np.ndarray:
    taper = np.hanning(_WINDOW)
    windows = images[:, row : row + _WINDOW, column : column + _WINDOW]
    windows = (windows - windows.mean((1, 2), keepdims=True)) * np.outer(taper, taper)
    power = np.abs(np.fft.fft2(windows)) ** 2
    return np.log(np.stack([power[:, sector].mean(1) for sector in _SECTORS], axis=1) + 1e-4)


def _frequency_sectors() -> tuple[np.ndarray, ...]:
    """Masks [64,64] of the bands of frequency in three directions (trabeculae vertical, oblique, horizontal)."""
    frequency = np.fft.fftfreq(_WINDOW)
    radius = np.hypot(frequency[:, None], frequency[None, :])
    angle = np.arctan2(np.abs(frequency)[:, None], np.abs(frequency)[None, :])
    edges = np.geomspace(2 / _WINDOW, 0.5, _BANDS + 1)
    masks = []
    for low, high in pairwise(edges):
        for turn in range(3):
            # Bands overlap by 10 %, so that every sector holds a frequency of the grid.
            inside = (radius >= 0.9 * low) & (radius < 1.1 * high)
            masks.append(inside & (angle >= turn * np.pi / 6 - 1e-9) & (angle <= (turn + 1) * np.pi / 6 + 1e-9))
    return tuple(masks)


_SECTORS: Final = _frequency_sectors()
