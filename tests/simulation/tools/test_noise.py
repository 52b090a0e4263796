from __future__ import annotations

import math

import pytest
import torch

from monai_xray2mri.simulation.tools.lattice import Grid, Lattice
from monai_xray2mri.simulation.tools.noise import blurred, noise_at, noise_knots, smooth_noise


@pytest.fixture(scope="module")
def knots() -> torch.Tensor:
    return noise_knots(torch.Generator().manual_seed(3), 16)


def fine(step: float = 4.0) -> Grid:
    return Grid(torch.arange(-40.0, 40.0, step), torch.arange(-36.0, 36.0, step), torch.arange(-32.0, 32.0, step))


def test_the_same_generator_gives_the_same_knots(knots):
    assert torch.equal(knots, noise_knots(torch.Generator().manual_seed(3), 16))
    assert not torch.equal(knots, noise_knots(torch.Generator().manual_seed(4), 16))


def test_noise_has_about_unit_size_and_no_bias():
    values = torch.cat(
        [smooth_noise(noise_knots(torch.Generator().manual_seed(i), 16), fine(), 8.0).flatten() for i in range(6)]
    )
    assert float(values.std()) == pytest.approx(1.0, abs=0.45)
    assert abs(float(values.mean())) < 0.1


def test_noise_is_smooth(knots):
    values = smooth_noise(knots, fine(0.5), 8.0)
    assert float(values.diff(dim=0).abs().max()) < 0.35  # over half a mm, of a field of unit size and knots 8 mm apart


def test_noise_anywhere_agrees_with_noise_on_a_grid(knots):
    on_grid = smooth_noise(knots, fine(), 8.0)
    assert torch.allclose(noise_at(knots[None], fine().points(), 8.0)[0], on_grid, atol=0.12)


def test_noise_turns_with_the_bone(knots):
    angle = math.radians(25.0)
    turned = noise_at(knots[None], fine().points().turned(angle, 0.0, 0.0), 8.0)[0]
    # The value at a world point is the value at that point's place in the bone.
    points = fine().points().turned(angle, 0.0, 0.0)
    i, j, k = 7, 11, 5
    x, y, z = (torch.broadcast_to(axis, turned.shape)[i, j, k].view(1) for axis in (points.x, points.y, points.z))
    assert float(smooth_noise(knots, Grid(y, z, x), 8.0)) == pytest.approx(float(turned[i, j, k]), abs=0.12)
    assert not torch.allclose(turned, smooth_noise(knots, fine(), 8.0), atol=0.3)


def test_a_lattice_may_stand_for_a_grid(knots):
    lattice = Lattice.covering((-20.0, 20.0), (-20.0, 20.0), (-20.0, 20.0), 4.0)
    same = Grid(lattice.axis(1), lattice.axis(2), lattice.axis(0))
    assert torch.equal(smooth_noise(knots, lattice), smooth_noise(knots, same))


def test_blurring_keeps_the_mean_and_spreads_a_point():
    image = torch.zeros(41, 61)
    image[20, 30] = 1.0
    found = blurred(image, 2.0, 3.0)
    assert float(found.sum()) == pytest.approx(1.0, abs=1e-5)
    rows, columns = torch.arange(41.0) - 20, torch.arange(61.0) - 30
    assert float((found.sum(1) * rows.square()).sum()) == pytest.approx(4.0, rel=0.05)
    assert float((found.sum(0) * columns.square()).sum()) == pytest.approx(9.0, rel=0.05)


def test_blurring_by_nothing_changes_nothing():
    image = torch.randn(9, 9)
    assert torch.equal(blurred(image, 0.0, 0.0), image)


def test_blurring_does_not_depend_on_the_number_of_threads():
    image = torch.randn(200, 301)
    usual = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(blurred(image, 3.0, 2.0))
    finally:
        torch.set_num_threads(usual)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])
