"""The kernel distance of sets whose distance is known."""

from __future__ import annotations

import numpy as np
import pytest

from monai_xray2mri.evaluation.kid import GRID, kernel_distance, picture_features
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion


def test_equal_sets_have_no_distance() -> None:
    features = np.random.default_rng(0).standard_normal((20, 6))
    assert kernel_distance(features, features) == pytest.approx(0, abs=1e-9)


def test_sets_of_one_distribution_have_none_in_the_mean() -> None:
    rng = np.random.default_rng(1)
    found = [kernel_distance(*rng.standard_normal((2, 40, 8))) for _ in range(60)]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(60)
    assert min(found) < 0 < max(found)  # unbiased: on both sides of 0


def test_it_grows_with_a_shift() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((2, 60, 8))
    near, far = (kernel_distance(x + shift, y) for shift in (0.5, 1.5))
    assert 0.1 < near < far


def test_agrees_with_torchmetrics() -> None:
    """Over all slices at once and with features that are standardized already, up to the pairs that are left out."""
    torch = pytest.importorskip("torch")
    kid = pytest.importorskip("torchmetrics.image.kid")
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((2, 50, 5)) + np.array([0.4, 0.0])[:, None, None]
    y = (y - y.mean(axis=0)) / y.std(axis=0)
    theirs = kid.poly_mmd(torch.from_numpy(x), torch.from_numpy(y), degree=3, gamma=None, coef=1.0)
    between = (x @ y.T / 5 + 1) ** 3
    pairs = between.mean() - (between.sum() - np.trace(between)) / (50 * 49)
    assert kernel_distance(x, y) == pytest.approx(float(theirs) + 2 * pairs, rel=1e-6)


def test_features_of_slices(tiny_network: SliceDiffusion) -> None:
    slices = np.random.default_rng(4).random((3, 64, 64)).astype(np.float32)
    found = picture_features(tiny_network.encode, slices)
    assert found.shape == (3, GRID * GRID * tiny_network.autoencoder.latent_channels)
    np.testing.assert_allclose(picture_features(tiny_network.encode, slices[1:]), found[1:], atol=1e-5)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="two slices"):
        kernel_distance(np.zeros((1, 3)), np.zeros((5, 3)))
    with pytest.raises(ValueError, match="two sets"):
        kernel_distance(np.zeros((4, 3)), np.zeros((5, 2)))
