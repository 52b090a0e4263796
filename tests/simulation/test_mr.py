from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from monai_xray2mri.simulation.fields import Grid
from monai_xray2mri.simulation.mr import (
    INTENSITY,
    PIXEL_MM,
    SLICE_MM,
    Placement,
    Tissue,
    acquired,
    draw_placement,
    mr_grid,
    spoiled_gradient_echo,
)
from monai_xray2mri.simulation.seeds import knee_generator


def test_signal_is_the_ernst_equation():
    angle, e1 = math.radians(12), math.exp(-20 / 1000)
    expected = 0.8 * math.sin(angle) * (1 - e1) / (1 - math.cos(angle) * e1) * math.exp(-7.57 / 30)
    assert spoiled_gradient_echo(1000, 30, 0.8) == pytest.approx(expected)


def test_long_t1_and_short_t2_star_darken():
    assert spoiled_gradient_echo(2000, 30, 1) < spoiled_gradient_echo(500, 30, 1)
    assert spoiled_gradient_echo(1000, 2, 1) < spoiled_gradient_echo(1000, 30, 1)


def test_order_of_brightness_is_that_of_water_excitation():
    order = ["cartilage", "muscle", "marrow", "meniscus", "tendon", "cortex"]
    levels = [INTENSITY[name] for name in order]
    assert levels == sorted(levels, reverse=True)
    assert INTENSITY["cartilage"] > 3 * INTENSITY["marrow"]
    assert all(0 <= level <= 1.0 for level in INTENSITY.values())


def test_grid_is_oai_geometry_with_the_joint_in_the_middle():
    grid = mr_grid(Placement(), (1.0, 1.0, 1.0))
    assert [len(axis) for axis in (grid.y, grid.z, grid.x)] == [80, 256, 256]
    assert torch.allclose(grid.y.diff(), torch.tensor(-SLICE_MM))  # first slice posterior
    assert torch.allclose(grid.z.diff(), torch.tensor(-PIXEL_MM), atol=1e-4)  # first row superior
    assert torch.allclose(grid.x.diff(), torch.tensor(PIXEL_MM), atol=1e-4)  # first column at the patient's right
    assert 256 * PIXEL_MM == 160
    assert abs(float(grid.x.mean())) < 1e-3 > abs(float(grid.z.mean()))


def test_field_of_view_is_left_half_a_millimetre_off():
    placed = [draw_placement(knee_generator(seed, "mr placement")) for seed in range(200)]
    for axis, middle in (("x", 0.0), ("y", Placement().y), ("z", 0.0)):
        offsets = np.array([getattr(placement, axis) for placement in placed]) - middle
        assert 0.4 < offsets.std() < 0.6
        assert np.abs(offsets).max() < 1.3


def test_intensity_scale_is_shared_by_all_knees(painted, knee):
    """Not normalised per volume: muscle is as bright in one knee as in another, up to coil shading."""
    canvas, _ = painted()
    other = float(canvas.signal[canvas.labels == int(Tissue.MUSCLE)].median())
    assert float(np.median(knee.noise_free[knee.labels == Tissue.MUSCLE])) == pytest.approx(other, rel=0.15)


def test_noise_is_rician():
    axes = torch.linspace(-60, 60, 40)
    volume, noise_free = acquired(torch.zeros(40, 40, 40), Grid(axes, axes, axes), knee_generator(1, "mr"))
    assert noise_free.max() == 0
    # In air magnitude noise follows the Rayleigh distribution, whose mean is sqrt(pi/2) and second moment 2 sigmas.
    sigma = math.sqrt(float(volume.square().mean()) / 2)
    assert 0.01 < sigma < 0.04
    assert float(volume.mean()) == pytest.approx(sigma * math.sqrt(math.pi / 2), rel=0.02)
