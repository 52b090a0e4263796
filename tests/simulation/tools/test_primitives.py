from __future__ import annotations

import pytest
import torch

from monai_xray2mri.simulation.tools.lattice import Points
from monai_xray2mri.simulation.tools.primitives import (
    band,
    capsule,
    ellipse,
    ellipsoid,
    occupancy,
    smooth_intersection,
    smooth_union,
    smoothstep,
    table,
)


def at(x: float, y: float, z: float) -> Points:
    return Points(*(torch.tensor([[[value]]]) for value in (x, y, z)))


@pytest.mark.parametrize(
    ("place", "distance"), [((5.0, 0, 0), 0.0), ((0, 8.0, 0), 0.0), ((0, 0, 3.0), 0.0), ((6.0, 0, 0), 1.0)]
)
def test_an_ellipsoid_ends_at_its_semi_axes(place, distance):
    found = ellipsoid(at(*place), (0.0, 0.0, 0.0), (5.0, 8.0, 3.0))
    assert float(found) == pytest.approx(distance, abs=1e-3)


def test_a_round_ellipsoid_is_a_sphere_everywhere():
    x = torch.linspace(-12, 12, 25).view(1, 1, -1)
    points = Points(x, torch.tensor(3.0).view(1, 1, 1), torch.tensor(-4.0).view(1, 1, 1))
    truth = (x * x + 25).sqrt() - 7.0
    assert torch.allclose(ellipsoid(points, (0.0, 0.0, 0.0), (7.0, 7.0, 7.0)), truth, atol=1e-4)


def test_the_center_lies_inside():
    assert float(ellipsoid(at(1.0, 2.0, 3.0), (1.0, 2.0, 3.0), (4.0, 4.0, 4.0))) == pytest.approx(-4.0, abs=1e-3)
    assert float(ellipse(torch.zeros(1), torch.zeros(1), (2.0, 3.0))) == pytest.approx(-2.0, abs=1e-3)


def test_a_round_ellipse_is_a_circle():
    u, v = torch.linspace(1, 12, 30), torch.full((30,), 2.0)
    assert torch.allclose(ellipse(u, v, (6.0, 6.0)), (u * u + 4).sqrt() - 6.0, atol=1e-4)


def test_a_smooth_union_fills_the_seam_and_nothing_else():
    first, second = torch.tensor([0.0, 5.0, -1.0]), torch.tensor([0.0, 0.0, 8.0])
    found = smooth_union(first, second, 4.0)
    assert found.tolist() == pytest.approx([-1.0, 0.0, -1.0])
    assert smooth_intersection(first, second, 4.0).tolist() == pytest.approx([1.0, 5.0, 8.0])


def test_a_capsule_has_its_radius_along_and_around_its_ends():
    points = Points(torch.tensor([[[3.0, 0.0, 0.0]]]), torch.zeros(1, 1, 3), torch.tensor([[[5.0, 12.0, 5.0]]]))
    found = capsule(points, (0.0, 0.0, 0.0), (0.0, 0.0, 10.0), 2.0)
    assert found.flatten().tolist() == pytest.approx([1.0, 0.0, -2.0], abs=1e-5)


def test_a_band_runs_from_start_to_end():
    start, end = (0.0, 0.0, 0.0), (10.0, 0.0, 20.0)
    assert float(band(at(5.0, 0.0, 10.0), start, end, (2.0, 3.0))) < 0  # half-way
    assert float(band(at(0.0, 0.0, 10.0), start, end, (2.0, 3.0))) > 0
    assert float(band(at(10.0, 0.0, 21.0), start, end, (2.0, 3.0))) == pytest.approx(1.0)


def test_a_table_is_linear_between_knots_and_flat_beyond():
    z = torch.tensor([-5.0, 0.0, 1.0, 2.5, 9.0])
    assert table(z, (0.0, 2.0, 3.0), (1.0, 3.0, 7.0)).tolist() == pytest.approx([1.0, 1.0, 2.0, 5.0, 7.0])


def test_smoothstep_rises_or_falls():
    value = torch.tensor([-1.0, 1.0, 3.0])
    assert smoothstep(value, 0.0, 2.0).tolist() == pytest.approx([0.0, 0.5, 1.0])
    assert smoothstep(value, 2.0, 0.0).tolist() == pytest.approx([1.0, 0.5, 0.0])


def test_occupancy_is_half_on_the_surface():
    assert occupancy(torch.tensor([-2.0, -0.25, 0.0, 0.25, 2.0]), 1.0).tolist() == [1.0, 0.75, 0.5, 0.25, 0.0]
