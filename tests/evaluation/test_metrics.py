"""Measures of intensity with a known answer."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import peak_signal_noise_ratio

from monai_xray2mri.evaluation.metrics import (
    adjacent_slice_correlation,
    expected_psnr,
    mean_absolute_error,
    psnr,
    psnr_per_slice,
)


def test_psnr_of_a_known_error() -> None:
    truth = np.zeros((2, 4, 4), np.float32)
    assert psnr(truth + 0.1, truth, 1.0) == pytest.approx(20.0, abs=1e-5)
    assert psnr(truth + 0.1, truth, 2.0) == pytest.approx(20.0 + 20 * math.log10(2), abs=1e-5)
    assert psnr(truth, truth, 1.0) == math.inf


def test_psnr_of_known_noise_is_the_closed_form() -> None:
    random = np.random.default_rng(0)
    truth = random.random((8, 64, 64))
    first, second = (truth + 0.02 * random.standard_normal(truth.shape) for _ in range(2))
    assert psnr(first, truth, 1.0) == pytest.approx(expected_psnr(0.02, 1.0), abs=0.1)
    assert psnr(first, second, 1.0) == pytest.approx(expected_psnr(0.02 * math.sqrt(2), 1.0), abs=0.1)
    assert expected_psnr(0.1, 1.0) == pytest.approx(20)


def test_psnr_agrees_with_torchmetrics() -> None:
    random = np.random.default_rng(0)
    one, other = random.random((2, 5, 16, 16))
    theirs = float(peak_signal_noise_ratio(torch.from_numpy(one), torch.from_numpy(other), data_range=1.0))
    assert psnr(one, other, 1.0) == pytest.approx(theirs, abs=1e-5)


def test_psnr_does_not_overflow_in_bytes() -> None:
    black, white = np.zeros((2, 3, 3), np.uint8), np.full((2, 3, 3), 255, np.uint8)
    assert psnr(black, white, 255.0) == pytest.approx(0)
    assert mean_absolute_error(black, white) == 255


def test_psnr_per_slice_is_the_mean_over_slices() -> None:
    truth = np.zeros((2, 4, 4))
    prediction = truth + np.array([0.1, 0.01])[:, None, None]
    assert psnr_per_slice(prediction, truth, 1.0) == pytest.approx(30.0)
    assert psnr(prediction, truth, 1.0) < 30.0


def test_mean_absolute_error_of_a_constant_offset() -> None:
    truth = np.random.default_rng(0).random((3, 5, 5))
    assert mean_absolute_error(truth - 0.25, truth) == pytest.approx(0.25)
    assert mean_absolute_error(truth, truth) == 0
    mixed = truth + np.where(np.arange(5) < 2, 0.5, -0.1)
    assert mean_absolute_error(mixed, truth) == pytest.approx(0.4 * 0.5 + 0.6 * 0.1)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        psnr(np.zeros((2, 2)), np.zeros((2, 3)), 1.0)
    with pytest.raises(ValueError, match="one shape"):
        mean_absolute_error(np.zeros((1, 2)), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="must be positive"):
        psnr(np.zeros(2), np.zeros(2), 0.0)
    with pytest.raises(ValueError, match="must be positive"):
        expected_psnr(0.0, 1.0)
    with pytest.raises(ValueError, match="not be empty"):
        psnr(np.zeros((0, 2)), np.zeros((0, 2)), 1.0)
    with pytest.raises(ValueError, match="two slices"):
        adjacent_slice_correlation(np.zeros((1, 2, 2)))


def test_correlation_of_equal_opposite_and_unrelated_slices() -> None:
    slice_ = np.random.default_rng(0).normal(size=(64, 64))
    assert adjacent_slice_correlation(np.stack([slice_, 2 * slice_ + 3])) == pytest.approx(1)
    assert adjacent_slice_correlation(np.stack([slice_, -slice_])) == pytest.approx(-1)
    unrelated = np.random.default_rng(1).normal(size=(9, 64, 64))
    assert abs(adjacent_slice_correlation(unrelated)) < 0.05


def test_correlation_of_a_known_mixture() -> None:
    """Slices that share the part s of their variance correlate by s."""
    random = np.random.default_rng(0)
    shared, own = random.normal(size=(1, 96, 96)), random.normal(size=(12, 96, 96))
    assert adjacent_slice_correlation(np.sqrt(0.8) * shared + np.sqrt(0.2) * own) == pytest.approx(0.8, abs=0.02)
