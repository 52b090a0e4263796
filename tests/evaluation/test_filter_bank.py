"""Features of fixed filters, distances of their distributions, agreement of grades."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from monai_xray2mri.evaluation.agreement import weighted_kappa
from monai_xray2mri.evaluation.filter_bank import DIRECTIONS, LEVELS, filter_levels, filter_maps, filter_moments
from monai_xray2mri.evaluation.kid import frechet_distance


def stripes(angle_deg: float, period: float = 5.0, size: int = 64) -> torch.Tensor:
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    angle = np.radians(angle_deg)
    return torch.cos(2 * np.pi / period * (columns * np.cos(angle) + rows * np.sin(angle)))[None, None].float()


def test_a_filter_answers_to_its_direction_and_width() -> None:
    for number, angle in enumerate((0, 45, 90, 135)):
        levels = filter_levels(stripes(angle))
        strength = [level[0, :DIRECTIONS, 8:-8, 8:-8].mean(dim=(1, 2)) for level in levels[:2]]
        assert int(strength[0].argmax()) == number
        assert strength[0].max() > 3 * strength[1].max()  # the next level sees coarser stripes
    shifted = filter_levels(stripes(0).roll(2, dims=3))[0][0, 0, :, 8:-8]
    torch.testing.assert_close(shifted.mean(), filter_levels(stripes(0))[0][0, 0, :, 8:-8].mean(), rtol=0.01, atol=0)


def test_an_even_picture_has_its_intensity_alone() -> None:
    levels = filter_levels(torch.full((2, 1, 32, 32), 0.5))
    assert [level.shape for level in levels] == [(2, 5, 32 // 2**number, 32 // 2**number) for number in range(LEVELS)]
    for level in levels:
        torch.testing.assert_close(level[:, :DIRECTIONS], torch.zeros_like(level[:, :DIRECTIONS]), atol=1e-5, rtol=0)
        torch.testing.assert_close(level[:, DIRECTIONS:], torch.full_like(level[:, DIRECTIONS:], 0.75))
    assert filter_maps(torch.zeros(1, 1, 32, 32)).shape == (1, 15, 8, 8)
    assert filter_moments(np.zeros((3, 32, 32), np.float32)).shape == (3, 30)


def test_frechet_distance_of_normal_distributions() -> None:
    rng = np.random.default_rng(0)
    acquired = rng.standard_normal((20_000, 3))
    assert frechet_distance(acquired, acquired) == pytest.approx(0.0, abs=1e-9)
    moved = 2 * rng.standard_normal((20_000, 3)) + [1.0, 0.0, 0.0]
    assert frechet_distance(moved, acquired) == pytest.approx(1 + 3 * (2 - 1) ** 2, rel=0.05)
    turned = rng.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], 20_000)
    plain = rng.standard_normal((20_000, 2))
    wanted = 4 - 2 * (np.sqrt(1.9) + np.sqrt(0.1))  # tr(S) + tr(1) - 2 tr(S^(1/2)); both have unit variances
    assert frechet_distance(turned, plain) == pytest.approx(wanted, rel=0.05)
    with pytest.raises(ValueError, match="two slices"):
        frechet_distance(acquired[:1], acquired)


def test_weighted_kappa() -> None:
    assert weighted_kappa([0, 1, 2, 3], [3, 2, 1, 0], 4) == pytest.approx(-1.0)
    assert weighted_kappa([0, 0, 1, 1], [0, 1, 0, 1], 2) == pytest.approx(0.0)
    near, far = weighted_kappa([0, 1, 2, 3], [0, 1, 2, 2], 4), weighted_kappa([0, 1, 2, 3], [0, 1, 2, 0], 4)
    assert near is not None and far is not None and near > far
    assert weighted_kappa([1, 1], [0, 1], 2) is None and weighted_kappa([], [], 4) is None
