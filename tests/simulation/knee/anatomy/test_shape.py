"""Shapes drawn from the population, and how the two knees of a patient resemble each other."""

from __future__ import annotations

import torch

from monai_xray2mri.simulation.knee.anatomy.shape import draw_shape, mean_shape, resembling
from monai_xray2mri.simulation.knee.film.pair import SIDE_CORRELATION


def generator(seed):
    return torch.Generator().manual_seed(seed)


def test_equal_generators_draw_equal_shapes():
    first, second = draw_shape(generator(1)), draw_shape(generator(1))
    assert first.scale == second.scale
    assert torch.equal(first.deformation, second.deformation)
    assert draw_shape(generator(2)).scale != first.scale


def test_size_and_fat_scale_the_knee():
    usual, large = draw_shape(generator(3)), draw_shape(generator(3), size=1.1, fat=1.5)
    assert all(abs(b / a - 1.1) < 1e-9 for a, b in zip(usual.scale, large.scale, strict=True))
    assert large.fat > usual.fat


def test_a_larger_spread_leaves_the_population():
    def spread(factor):
        return torch.tensor([draw_shape(generator(s), factor).notch_height for s in range(200)]).std()

    assert 1.6 < spread(1.8) / spread(1.0) < 2.0


def test_a_resembling_knee_is_correlated_and_varies_as_much():
    mean = mean_shape()
    ones = [draw_shape(generator(s)) for s in range(400)]
    others = [resembling(one, draw_shape(generator(10_000 + s)), mean, SIDE_CORRELATION) for s, one in enumerate(ones)]
    for numbers in (lambda shape: shape.notch_height, lambda shape: shape.joint_space[0], lambda shape: shape.scale[1]):
        pair = torch.tensor([[numbers(one), numbers(other)] for one, other in zip(ones, others, strict=True)]).T
        assert abs(torch.corrcoef(pair)[0, 1] - SIDE_CORRELATION) < 0.05
        assert 0.9 < pair[1].std() / pair[0].std() < 1.1
    assert torch.equal(resembling(ones[0], ones[1], mean, 1.0).roughness, ones[0].roughness)
