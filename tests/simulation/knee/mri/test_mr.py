from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from monai_xray2mri.simulation.knee.mri.contrast import (
    T1_TURBO_SPIN_ECHO,
    WATER_EXCITED_FLASH,
    inflow,
    spoiled_gradient_echo,
)
from monai_xray2mri.simulation.knee.mri.mr import (
    EDGE_MM,
    MATRIX,
    PIXEL_MM,
    SLICE_MM,
    SLICES,
    Canvas,
    Placement,
    Receiver,
    Tissue,
    draw_placement,
    edge_mm,
    fat_left,
    mr_grid,
)
from monai_xray2mri.simulation.knee.people.seeds import knee_generator
from monai_xray2mri.simulation.tools.lattice import Grid

AXES = torch.linspace(-60, 60, 40)
FLASH = WATER_EXCITED_FLASH
CUBE = Grid(AXES, AXES, AXES)


def test_signal_is_the_ernst_equation():
    angle, e1 = math.radians(12), math.exp(-20 / 1000)
    expected = 0.8 * math.sin(angle) * (1 - e1) / (1 - math.cos(angle) * e1) * math.exp(-7.57 / 30)
    assert spoiled_gradient_echo(1000, 30, 0.8) == pytest.approx(expected)


def test_long_t1_and_short_t2_star_darken():
    assert spoiled_gradient_echo(2000, 30, 1) < spoiled_gradient_echo(500, 30, 1)
    assert spoiled_gradient_echo(1000, 2, 1) < spoiled_gradient_echo(1000, 30, 1)


def test_order_of_brightness_is_that_of_water_excitation():
    suppressed = {name: float(FLASH.fatty(name, torch.tensor(0.0))) for name in ("fat", "marrow")}
    seen = {**FLASH.intensity, **suppressed}
    order = ["cartilage", "muscle", "fluid", "anterior cruciate", "marrow", "meniscus", "tendon", "cortex"]
    levels = [seen[name] for name in order]
    assert levels == sorted(levels, reverse=True)
    assert seen["cartilage"] > 3 * seen["marrow"]
    assert seen["fat"] > seen["meniscus"]
    assert all(0 <= level <= 1.0 for level in seen.values())


def test_grid_is_oai_geometry_with_the_joint_in_the_middle():
    grid = mr_grid(Placement(), (1.0, 1.0, 1.0))
    assert grid.shape == (80, 256, 256)
    assert torch.allclose(grid.y.diff(), torch.tensor(-SLICE_MM))  # first slice posterior
    assert torch.allclose(grid.z.diff(), torch.tensor(-PIXEL_MM), atol=1e-4)  # first row superior
    assert torch.allclose(grid.x.diff(), torch.tensor(PIXEL_MM), atol=1e-4)  # first column at the patient's right
    assert 256 * PIXEL_MM == 160
    assert abs(float(grid.x.mean())) < 1e-3 > abs(float(grid.z.mean()))


def test_affine_tells_the_grid_in_millimetres():
    placement, scale = Placement(0.7, -2.0, 1.1), (1.1, 0.9, 1.05)
    grid = mr_grid(placement, scale)
    for column, row, slice_ in ((0, 0, 0), (MATRIX - 1, 3, SLICES - 1), (100, 200, 40)):
        found = placement.affine @ np.array([column, row, slice_, 1.0])
        place = [float(grid.x[column]) * scale[0], float(grid.y[slice_]) * scale[1], float(grid.z[row]) * scale[2]]
        assert found[:3] == pytest.approx(place, abs=1e-3)


def test_field_of_view_is_left_half_a_millimetre_off():
    placed = [draw_placement(knee_generator(seed, "mr placement")) for seed in range(200)]
    for axis, middle in (("x", 0.0), ("y", Placement().y), ("z", 0.0)):
        offsets = np.array([getattr(placement, axis) for placement in placed]) - middle
        assert 0.4 < offsets.std() < 0.6
        assert np.abs(offsets).max() < 1.3


def test_fresh_blood_is_bright_and_saturates_to_the_steady_state():
    way = torch.tensor([0.0, 50.0, 100.0, 5000.0])
    for kind in ("artery", "vein"):
        levels = inflow(kind, way)
        assert bool((levels.diff() < 0).all())
        assert float(levels[0]) > FLASH["cartilage"]
    assert float(inflow("artery", way[1:2])) > float(inflow("vein", way[1:2]))  # faster blood meets fewer pulses
    steady = spoiled_gradient_echo(1932, 30, 0.85) / spoiled_gradient_echo(1000, 27, 0.75) * FLASH["cartilage"]
    assert float(inflow("vein", way[3:])) == pytest.approx(steady, rel=0.01)


def test_fat_suppression_fails_towards_the_border():
    axes = torch.linspace(-75, 75, 31)
    points = Grid(axes, axes, axes).points()
    shares = torch.stack([fat_left(torch.full((31, 31, 31), 0.3 * level), points) for level in range(-6, 7)])
    middle = float(shares[:, 13:18, 13:18, 13:18].mean())
    corner = float(shares[:, :3, :3, :3].mean())
    assert 0.05 < middle < 0.15
    assert corner > middle + 0.1
    assert float(shares.min()) > 0
    assert float(shares.max()) < 1


def test_noise_is_rician():
    volume, noise_free = Receiver.draw(CUBE, knee_generator(1, "mr")).acquire(torch.zeros(40, 40, 40), range(40))
    assert noise_free.max() == 0
    # In air magnitude noise follows the Rayleigh distribution, whose mean is sqrt(pi/2) and second moment 2 sigmas.
    sigma = math.sqrt(float(volume.square().mean()) / 2)
    assert 0.007 < sigma < 0.02
    assert float(volume.mean()) == pytest.approx(sigma * math.sqrt(math.pi / 2), rel=0.02)


def test_a_slice_gets_the_same_noise_whichever_others_there_are():
    signal = torch.full((40, 40, 40), 0.3)
    receiver = Receiver.draw(CUBE, knee_generator(2, "mr"))
    whole, some = receiver.acquire(signal, range(40)), receiver.acquire(signal[:3], [7, 30, 0])
    for one, other in zip(whole, some, strict=True):
        assert torch.equal(one[[7, 30, 0]], other)
    assert not torch.equal(whole[0][7], whole[0][30])


def test_a_slice_blurs_what_it_cuts_obliquely():
    assert float(edge_mm(torch.tensor(0.0))) == pytest.approx(EDGE_MM)
    assert float(edge_mm(torch.tensor(1.0))) == pytest.approx(EDGE_MM + SLICE_MM - PIXEL_MM)


def test_fat_is_bright_where_nothing_suppresses_it():
    left = torch.tensor([0.0, 0.2])
    assert float(T1_TURBO_SPIN_ECHO.fatty("fat", left).min()) > 2 * float(FLASH.fatty("fat", left).max())
    assert float(T1_TURBO_SPIN_ECHO.flowing("artery", torch.tensor(10.0))) < T1_TURBO_SPIN_ECHO["muscle"]


def test_coil_falls_off_at_its_ends():
    z = torch.linspace(80, -80, 40)
    grid = Grid(AXES, z, AXES)
    signal = torch.full((40, 40, 40), 0.5)
    means = torch.stack([Receiver.draw(grid, knee_generator(s, "mr")).acquire(signal, range(40))[1] for s in range(8)])
    profile = means.mean((0, 1, 3))
    assert float(profile[0]) < 0.85 * float(profile[20]) > float(profile[-1])


def test_paint_labels_what_fills_half_a_voxel():
    canvas = Canvas.empty((2, 3, 3), torch.device("cpu"))
    window = (slice(0, 2), slice(0, 2), slice(0, 2))
    canvas.paint(window, torch.tensor([1.0, 0.0]).expand(2, 2, 2), 0.6, Tissue.MUSCLE)
    assert canvas.labels[0, 0, :3].tolist() == [int(Tissue.MUSCLE), 0, 0]
    assert canvas.signal[0, 0, :3].tolist() == pytest.approx([0.6, 0.0, 0.0])
