from __future__ import annotations

import math

import pytest
import torch

from monai_xray2mri.simulation.tools.solids import (
    UPRIGHT,
    Body,
    Quadric,
    Rays,
    Slab,
    block,
    ellipsoid,
    frame_along,
    line_integrals,
    rod,
)

AREA = torch.arange(-30, 30, 0.1)
FAR = Rays((0.0, 1e6, 0.0), AREA, -AREA)
"""Rays that are as good as parallel to y."""


def volume(body: Body) -> float:
    return float(line_integrals([body], FAR).sum()) * 0.01


def test_paths_add_up_to_known_volumes():
    ball = Body((ellipsoid((2.0, 1.0, -3.0), (6.0, 4.0, 5.0)),), (2.0, 1.0, -3.0), 6.0, 1.0)
    cuboid = block((0.0, 0.0, 0.0), UPRIGHT, (5.05, 3.0, 7.05), 2.0)
    turned = rod((-8.0, 2.0, -6.0), (9.0, 5.0, 7.0), 2.0, 1.0)
    assert volume(ball) == pytest.approx(4 / 3 * math.pi * 120, rel=2e-3)
    assert volume(cuboid) == pytest.approx(2 * 8 * 5.05 * 3.0 * 7.05, rel=1e-2)
    assert volume(turned) == pytest.approx(math.pi * 4 * math.dist((-8, 2, -6), (9, 5, 7)), rel=1e-2)


def test_longest_path_through_a_ball_is_its_diameter():
    ball = Body((ellipsoid((0.0, 0.0, 0.0), (5.0, 5.0, 5.0)),), (0.0, 0.0, 0.0), 5.0, 0.5)
    assert float(line_integrals([ball], FAR).max()) == pytest.approx(0.5 * 10.0, abs=1e-3)


def test_hollow_is_taken_away():
    shell = Body(
        (ellipsoid((0.0, 0.0, 0.0), (6.0, 6.0, 6.0)),),
        (0.0, 0.0, 0.0),
        6.0,
        1.0,
        (Quadric((0.0, 0.0, 0.0), UPRIGHT, (4.0, 4.0, 4.0)),),
    )
    assert volume(shell) == pytest.approx(4 / 3 * math.pi * (216 - 64), rel=2e-3)


def test_thread_widens_a_rod_within_its_depth():
    plain = line_integrals([rod((-12.0, 0.0, 0.0), (12.0, 0.0, 0.0), 2.0, 1.0)], FAR)
    threaded = line_integrals([rod((-12.0, 0.0, 0.0), (12.0, 0.0, 0.0), 2.0, 1.0, (3.0, 0.8))], FAR)
    heights = (threaded > 0).sum(0)[(AREA.abs() < 10)] * 0.1
    assert threaded.sum() > plain.sum()
    assert float(heights.max()) == pytest.approx(5.6, abs=0.25)
    assert float(heights.min()) == pytest.approx(4.0, abs=0.25)


def test_near_tube_magnifies_what_is_closer_to_it():
    ball = [Body((ellipsoid((0.0, y, 0.0), (5.0, 5.0, 5.0)),), (0.0, y, 0.0), 5.0, 1.0) for y in (-60.0, 60.0)]
    rays = Rays((0.0, 1000.0, 0.0), AREA, -AREA)
    behind, before = ((line_integrals([one], rays) > 0).sum().sqrt() for one in ball)
    assert float(before / behind) == pytest.approx(1060 / 940, rel=0.01)


def test_tube_at_the_side_shifts_what_lies_deep():
    ball = Body((ellipsoid((0.0, -50.0, 0.0), (4.0, 4.0, 4.0)),), (0.0, -50.0, 0.0), 4.0, 1.0)
    paths = line_integrals([ball], Rays((100.0, 1700.0, 0.0), AREA, -AREA))
    middle = float((paths.sum(0) * AREA).sum() / paths.sum())
    # The ray through the ball's middle from (100, 1700) meets y = 0 at 100 * 50 / 1750.
    assert middle == pytest.approx(100 * 50 / 1750, abs=0.02)


def test_what_lies_beside_the_image_adds_nothing():
    ball = Body((ellipsoid((500.0, 0.0, 0.0), (5.0, 5.0, 5.0)),), (500.0, 0.0, 0.0), 5.0, 1.0)
    assert not line_integrals([ball], FAR).any()


@pytest.mark.parametrize("direction", [(0.0, 1.0, 0.0), (1.0, 0.2, -0.4), (0.0, 0.0, 1.0)])
def test_frames_are_orthonormal(direction):
    frame = torch.tensor(frame_along(direction))
    assert torch.allclose(frame @ frame.T, torch.eye(3), atol=1e-6)
    assert float(torch.linalg.det(frame)) == pytest.approx(1.0, abs=1e-5)


def test_slab_alone_is_crossed_once():
    slab = Body((Slab((0.0, 0.0, 0.0), (0.0, 1.0, 0.0), 1.5),), (0.0, 0.0, 0.0), 10.0, 1.0)
    assert float(line_integrals([slab], FAR).max()) == pytest.approx(3.0, abs=1e-3)
