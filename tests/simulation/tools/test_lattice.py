from __future__ import annotations

import math

import pytest
import torch

from monai_xray2mri.simulation.tools.lattice import Field, Grid, HeightMap, Lattice, lower_surface, upper_surface


def sphere(lattice: Lattice, radius: float = 18.0, center: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Field:
    points = lattice.points()
    x, y, z = points.x - center[0], points.y - center[1], points.z - center[2]
    return Field(lattice, (x * x + y * y + z * z).sqrt() - radius)


@pytest.fixture(scope="module")
def lattice() -> Lattice:
    return Lattice.covering((-30.0, 30.0), (-26.0, 26.0), (-28.0, 28.0), 2.0)


def test_lattices_of_one_step_share_their_points():
    first = Lattice.covering((-3.1, 4.0), (0.0, 5.0), (-1.0, 1.0), 2.0)
    second = Lattice.covering((-9.0, 7.3), (-4.0, 5.0), (-8.0, 1.0), 2.0)
    assert set(first.axis(0).tolist()) <= set(second.axis(0).tolist())
    for axis, limits in zip(range(3), first.ranges, strict=True):
        assert limits == (first.axis(axis)[0], first.axis(axis)[-1])
    assert first.ranges[0][1] >= 4.0


def test_a_sphere_is_interpolated_on_a_parallel_grid(lattice):
    fine = Grid(torch.arange(-24.0, 24.0, 1.3), torch.arange(-24.0, 24.0, 0.7), torch.arange(-24.0, 24.0, 0.9))
    points = fine.points()
    truth = (points.x**2 + points.y**2 + points.z**2).sqrt() - 18.0
    near = truth.abs() < 4.0
    assert (sphere(lattice).at(fine) - truth)[near].abs().max() < 0.02


def test_a_sphere_is_interpolated_on_diverging_rays(lattice):
    y = torch.arange(-24.0, 24.0, 1.7)
    spread = 1.0 + 0.004 * y
    fine = Grid(y, spread[:, None] * torch.arange(-22.0, 22.0, 0.8), spread[:, None] * torch.arange(-25.0, 25.0, 0.6))
    points = fine.points()
    truth = (points.x**2 + points.y**2 + points.z**2).sqrt() - 18.0
    found = sphere(lattice).at(fine)
    assert found.shape == fine.shape
    near = truth.abs() < 4.0
    assert (found - truth)[near].abs().max() < 0.02


def test_values_on_lattice_points_are_kept(lattice):
    field = Field(lattice, torch.randn(lattice.size[1], lattice.size[2], lattice.size[0]))
    same = field.at(Grid(lattice.axis(1), lattice.axis(2), lattice.axis(0)))
    assert torch.allclose(same, field.values, atol=1e-5)


def test_the_window_holds_just_the_points_within(lattice):
    fine = Grid(torch.arange(-50.0, 50.0, 1.5), torch.arange(60.0, -60.0, -0.7), torch.arange(-80.0, 80.0, 0.6))
    rows, heights, columns = sphere(lattice).window(fine)
    for axis, part, (low, high) in zip((fine.x, fine.y, fine.z), (columns, rows, heights), lattice.ranges, strict=True):
        inside = (axis >= low) & (axis <= high)
        assert inside[part].all()
        assert inside.sum() == part.stop - part.start


def test_a_window_beyond_the_grid_is_empty(lattice):
    fine = Grid(torch.arange(100.0, 120.0), torch.arange(5.0), torch.arange(5.0))
    rows, _, _ = sphere(lattice).window(fine)
    assert rows.stop == rows.start


def test_turning_carries_a_frame_as_told(lattice):
    points = lattice.points().turned(math.radians(90.0), 0.0, 0.0)
    # What lies at +y of the world lies at +z of a frame whose z was carried to y.
    assert torch.allclose(points.z[:, 0, 0], lattice.axis(1), atol=1e-5)
    rolled = lattice.points().rolled(math.radians(90.0), 0.0, 0.0)
    assert torch.allclose(rolled.x[:, 0, 0], lattice.axis(1), atol=1e-5)


def test_heights_of_a_tilted_plane_are_found(lattice):
    points = lattice.points()
    plane = 1.3 + 0.2 * points.x - 0.1 * points.y
    below = Field(lattice, points.z - plane)
    top = upper_surface(below, -99.0)
    assert torch.allclose(top.values, plane[:, 0], atol=1e-4)
    bottom = lower_surface(Field(lattice, -below.values), 99.0)
    assert torch.allclose(bottom.values, plane[:, 0], atol=1e-4)
    assert float(top.at(3.3, -7.1)) == pytest.approx(1.3 + 0.2 * 3.3 + 0.71, abs=1e-4)


def test_surfaces_of_a_sphere_and_nothing_beside_it(lattice):
    ball = sphere(lattice, 15.0, (2.0, 0.0, 1.0))
    top, bottom = upper_surface(ball, -99.0), lower_surface(ball, 99.0)
    assert float(top.at(2.0, 0.0)) == pytest.approx(16.0, abs=0.05)
    assert float(bottom.at(2.0, 0.0)) == pytest.approx(-14.0, abs=0.05)
    assert top.values[0, 0] == -99.0
    assert bottom.values[0, 0] == 99.0


def test_a_height_map_is_bilinear(lattice):
    rising = HeightMap(lattice, (lattice.axis(0)[None] * 2.0 + lattice.axis(1)[:, None]).contiguous())
    assert float(rising.at(1.5, 2.25)) == pytest.approx(5.25, abs=1e-5)
    rows, columns = rising.window((0.0, 4.0), (-2.0, 2.0))
    assert rising.values[rows, columns].shape == (3, 3)
