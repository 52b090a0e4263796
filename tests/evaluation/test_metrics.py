"""Measures with a known answer."""

from __future__ import annotations

import math

import numpy as np
import pytest

from monai_xray2mri.evaluation.baselines import mean_volume
from monai_xray2mri.evaluation.metrics import adjacent_slice_correlation, psnr, psnr_per_slice


def test_psnr_of_a_known_error() -> None:
    truth = np.zeros((2, 4, 4), np.float32)
    assert psnr(truth + 0.1, truth, 1.0) == pytest.approx(20.0, abs=1e-5)
    assert psnr(truth + 0.1, truth, 2.0) == pytest.approx(20.0 + 20 * math.log10(2), abs=1e-5)
    assert psnr(truth, truth, 1.0) == math.inf


def test_psnr_per_slice_is_the_mean_over_slices() -> None:
    truth = np.zeros((2, 4, 4))
    prediction = truth + np.array([0.1, 0.01])[:, None, None]
    assert psnr_per_slice(prediction, truth, 1.0) == pytest.approx(30.0)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        psnr(np.zeros((2, 2)), np.zeros((2, 3)), 1.0)
    with pytest.raises(ValueError, match="must be positive"):
        psnr(np.zeros(2), np.zeros(2), 0.0)
    with pytest.raises(ValueError, match="two slices"):
        adjacent_slice_correlation(np.zeros((1, 2, 2)))
    with pytest.raises(ValueError, match="one volume"):
        mean_volume([])


def test_correlation_of_equal_opposite_and_unrelated_slices() -> None:
    slice_ = np.random.default_rng(0).normal(size=(64, 64))
    assert adjacent_slice_correlation(np.stack([slice_, 2 * slice_ + 3])) == pytest.approx(1)
    assert adjacent_slice_correlation(np.stack([slice_, -slice_])) == pytest.approx(-1)
    unrelated = np.random.default_rng(1).normal(size=(9, 64, 64))
    assert abs(adjacent_slice_correlation(unrelated)) < 0.05


def test_the_mean_volume_has_the_least_squared_error() -> None:
    volumes = list(np.random.default_rng(0).normal(size=(5, 2, 3, 3)).astype(np.float32))
    mean = mean_volume(volumes)
    np.testing.assert_allclose(mean, np.mean(volumes, axis=0), rtol=1e-5)
