"""Measures of a generated volume against the true one."""

from __future__ import annotations

import math

import numpy as np


def psnr(prediction: np.ndarray, truth: np.ndarray, data_range: float) -> float:
    """Peak signal-to-noise ratio in dB: 10 log10(range^2 / mean squared error), over all elements.

    Args:
        prediction: any shape.
        truth: the same shape.
        data_range: largest minus smallest possible value; always stated, since it moves the number.

    Returns:
        Infinity for equal arrays.

    Raises:
        ValueError: the shapes differ or the range is not positive.
    """
    if prediction.shape != truth.shape:
        raise ValueError(f"prediction and truth must have one shape, got {prediction.shape} and {truth.shape}")
    if data_range <= 0:
        raise ValueError(f"data_range must be positive, got {data_range}")
    error = float(np.square(prediction.astype(np.float64) - truth.astype(np.float64)).mean())
    return math.inf if error == 0 else 10 * math.log10(data_range**2 / error)


def psnr_per_slice(prediction: np.ndarray, truth: np.ndarray, data_range: float) -> float:
    """Mean over the slices of [S,H,W] of :func:`psnr`, as papers on slices report it."""
    return float(np.mean([psnr(one, other, data_range) for one, other in zip(prediction, truth, strict=True)]))


def adjacent_slice_correlation(volume: np.ndarray) -> float:
    """Mean Pearson correlation of neighbouring slices of [S,H,W] (paper 000, Fig. 6).

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
