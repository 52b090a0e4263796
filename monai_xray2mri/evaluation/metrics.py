"""Measures of intensity and continuity of a generated volume: PSNR, mean absolute error, adjacent-slice correlation.

Every measure that depends on the range of intensities takes it as an argument: Wang 2024a and 2024b do not state
theirs, and the same pair of volumes moves by 6 dB when the range is doubled. Volumes of this project lie in [0,1],
range 1.
"""

from __future__ import annotations

import math

import numpy as np


def psnr(prediction: np.ndarray, truth: np.ndarray, data_range: float) -> float:
    """Peak signal-to-noise ratio in dB: 10 log10(range^2 / mean squared error), over all elements.

    Wang 2024a, section IV-A.2: "a measure used to assess the quality of reconstructed or compressed images compared to
    their original versions". Against the noise-free volume of a simulation it has no ceiling from the noise.

    Args:
        prediction: any shape.
        truth: the same shape.
        data_range: largest minus smallest possible value; always stated, since it moves the number.

    Returns:
        Infinity for equal arrays.

    Raises:
        ValueError: the shapes differ, the arrays are empty, or the range is not positive.
    """
    check_pair(prediction, truth, data_range)
    error = float(np.square(prediction.astype(np.float64) - truth.astype(np.float64)).mean())
    return math.inf if error == 0 else 10 * math.log10(data_range**2 / error)


def psnr_per_slice(prediction: np.ndarray, truth: np.ndarray, data_range: float) -> float:
    """Mean over the slices of [S,H,W] of :func:`psnr`, as papers on slices report it.

    Never below :func:`psnr` of the whole volume (the logarithm is concave), and infinite as soon as one slice is equal.

    Raises:
        ValueError: as :func:`psnr`.
    """
    check_pair(prediction, truth, data_range)
    return float(np.mean([psnr(one, other, data_range) for one, other in zip(prediction, truth, strict=True)]))


def expected_psnr(sigma: float, data_range: float) -> float:
    """PSNR in dB that additive noise of standard deviation ``sigma`` leaves at best: 20 log10(range / sigma).

    Two images of the same object with independent noise of that size differ by sqrt(2) sigma: 3.01 dB less.

    Raises:
        ValueError: sigma or range are not positive.
    """
    if sigma <= 0 or data_range <= 0:
        raise ValueError(f"sigma and data_range must be positive, got {sigma} and {data_range}")
    return 20 * math.log10(data_range / sigma)


def mean_absolute_error(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Mean of the absolute differences of all elements, in the unit of the intensities.

    Raises:
        ValueError: the shapes differ or the arrays are empty.
    """
    check_pair(prediction, truth)
    return float(np.abs(prediction.astype(np.float64) - truth.astype(np.float64)).mean())


def adjacent_slice_correlation(volume: np.ndarray) -> float:
    """Mean Pearson correlation of neighbouring slices of [S,H,W] (Wang 2024a, Fig. 6).

    It measures continuity, not truth: a volume of equal slices scores 1. The paper's upper benchmark is the value of
    the true volume, and a value above that is too smooth, not better.

    Raises:
        ValueError: fewer than two slices.
    """
    if len(volume) < 2:
        raise ValueError(f"needs two slices at least, got {len(volume)}")
    flat = volume.reshape(len(volume), -1).astype(np.float64)
    flat = flat - flat.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(flat, axis=1)
    products = (flat[1:] * flat[:-1]).sum(axis=1)
    return float(np.mean(products / np.maximum(norm[1:] * norm[:-1], 1e-12)))


def check_pair(prediction: np.ndarray, truth: np.ndarray, data_range: float | None = None) -> None:
    """Refuse arrays that cannot be compared.

    Raises:
        ValueError: the shapes differ, the arrays are empty, or the range is not positive.
    """
    if prediction.shape != truth.shape:
        raise ValueError(f"prediction and truth must have one shape, got {prediction.shape} and {truth.shape}")
    if not prediction.size:
        raise ValueError(f"prediction and truth must not be empty, got {prediction.shape}")
    if data_range is not None and data_range <= 0:
        raise ValueError(f"data_range must be positive, got {data_range}")
