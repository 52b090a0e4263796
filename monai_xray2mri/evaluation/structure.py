"""Structural similarity of slices (SSIM)."""

from __future__ import annotations

import numpy as np

from monai_xray2mri.evaluation.metrics import check_pair
from monai_xray2mri.runtime.optional import optional_library

_WINDOW_SIGMA = 1.5
_SMALLEST_SIDE = 11
"""Pixels: scikit-image's window at 1.5 pixels reaches 3.5 sigma to either side."""


def ssim_map(prediction: np.ndarray, truth: np.ndarray, data_range: float) -> np.ndarray:
    """SSIM of one slice at every pixel, as Wang et al., IEEE TIP 2004;13:600 define it.

    Gaussian window of 1.5 pixels, K1 = 0.01, K2 = 0.03, population covariance; computed by scikit-image, whose own
    defaults are others (a uniform window and the sample covariance).

    Args:
        prediction: [H,W], at least 11 x 11.
        truth: the same shape.
        data_range: largest minus smallest possible value.

    Returns:
        [H,W] float64.

    Raises:
        ValueError: shapes differ or are too small, range not positive.
        UsageError: scikit-image is not installed.
    """
    check_pair(prediction, truth, data_range)
    if prediction.ndim != 2 or min(prediction.shape) < _SMALLEST_SIDE:
        raise ValueError(f"needs slices of {_SMALLEST_SIDE} x {_SMALLEST_SIDE} pixels at least, got {prediction.shape}")
    _, whole = optional_library("skimage.metrics").structural_similarity(
        prediction.astype(np.float64),
        truth.astype(np.float64),
        data_range=data_range,
        gaussian_weights=True,
        sigma=_WINDOW_SIGMA,
        use_sample_covariance=False,
        full=True,
    )
    return np.asarray(whole)


def ssim_per_slice(prediction: np.ndarray, truth: np.ndarray, data_range: float) -> float:
    """Mean SSIM over all pixels of all slices of [S,H,W] (Wang 2024a and 2024b generate and compare slices).

    Every pixel counts, those within half a window of the border with mirrored surroundings.

    Raises:
        ValueError: as :func:`ssim_map`.
        UsageError: scikit-image is not installed.
    """
    check_pair(prediction, truth, data_range)
    return float(
        np.mean([ssim_map(one, other, data_range).mean() for one, other in zip(prediction, truth, strict=True)])
    )
