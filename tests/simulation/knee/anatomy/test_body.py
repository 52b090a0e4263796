from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from monai_xray2mri.simulation.knee.anatomy.body import (
    Outline,
    body_paths,
    leg_points,
    skin_and_fascia,
    smooth_table,
    soft_lattice,
    spare_normals,
)
from monai_xray2mri.simulation.knee.anatomy.shape import KneeShape, Pose, draw_shape
from monai_xray2mri.simulation.knee.mri.mr import Placement, mr_grid
from monai_xray2mri.simulation.knee.people.seeds import knee_generator
from monai_xray2mri.simulation.tools.lattice import Grid, Lattice, Points

USUAL = KneeShape()


def points_at(x: float, y: float, z: float) -> Points:
    return Points(*(torch.full((1, 1, 1), value) for value in (x, y, z)))


def test_table_goes_through_its_knots_and_stays_constant_beyond():
    knots, values = (0.0, 1.0, 4.0), torch.tensor([[2.0], [5.0], [3.0]])
    at = torch.tensor([-9.0, 0.0, 1.0, 4.0, 9.0])
    assert smooth_table(at, knots, values)[:, 0].tolist() == pytest.approx([2, 2, 5, 3, 3], abs=1e-5)
    fine = smooth_table(torch.linspace(0, 4, 401), knots, values)[:, 0]
    assert float(fine.diff().abs().max()) < 0.08  # smooth, no jump


@pytest.mark.parametrize("angle", [0, 45, 90, 170, 230, 300])
@pytest.mark.parametrize("z", [-70, 0, 33, 90])
def test_distance_is_zero_on_the_outline_and_a_distance_near_it(angle, z):
    outline = Outline(USUAL)
    x, y = outline.place(angle, z)
    assert float(outline.distance(points_at(x, y, z))) == pytest.approx(0, abs=1e-3)
    slopes = []
    for dx, dy in ((0.5, 0.0), (0.0, 0.5)):
        ahead, behind = (float(outline.distance(points_at(x + s * dx, y + s * dy, z))) for s in (1, -1))
        slopes.append(ahead - behind)
    assert math.hypot(*slopes) == pytest.approx(1.0, abs=0.05)


def test_fat_lies_between_fascia_and_skin():
    for fat in (4.0, 14.0):
        shape = replace(USUAL, fat=fat)
        thickness = math.dist(Outline(shape, 1.0).place(0, 0), Outline(shape).place(0, 0))
        assert thickness == pytest.approx(1.15 * fat + 0.8, abs=0.3)
    shin, thigh = (
        math.dist(Outline(USUAL, 1.0).place(a, z), Outline(USUAL).place(a, z)) for a, z in ((270, -40), (0, 80))
    )
    assert shin < 5 < thigh


def test_muscular_legs_are_wider():
    wide, usual = (Outline(replace(USUAL, muscle=m)).place(180, -60)[0] for m in (1.2, 1.0))
    assert wide < usual - 3


def test_spare_normals_are_standard_normal_and_zero_for_the_template():
    assert spare_normals(USUAL, 30) == [0.0] * 30
    drawn = torch.tensor([spare_normals(draw_shape(knee_generator(seed, "anatomy")), 40) for seed in range(12)])
    assert float(drawn.std()) == pytest.approx(1.0, abs=0.1)
    assert spare_normals(draw_shape(knee_generator(3, "anatomy")), 40) == drawn[3].tolist()


@pytest.mark.parametrize("seed", [11, 5_000_007])
def test_skin_covers_fascia_and_fascia_covers_bone(seed):
    shape = draw_shape(knee_generator(seed, "anatomy"), 1.8)
    lattice = soft_lattice(mr_grid(Placement(), shape.scale))
    points = lattice.points()
    # A bone that sticks out of the leg: the soft tissues must bulge over it.
    bone = ((points.x + 52).square() + (points.y - 15).square() + (points.z + 10).square()).sqrt() - 9
    skin, fascia = skin_and_fascia(shape, lattice, bone, Pose())
    assert bool((fascia.values <= bone - 2.5).all())
    assert bool((skin.values <= fascia.values - 1.0).all())


def test_leg_points_follow_the_pose_of_the_bones():
    own = leg_points(points_at(0.0, 50.0, 0.0), Pose(roll=10.0))
    assert float(own.x) == pytest.approx(-50 * math.sin(math.radians(10)), abs=1e-3)
    leant = leg_points(points_at(5.0, 0.0, 60.0), Pose(lean=3.0))
    assert float(leant.x) == pytest.approx(5 - 60 * math.tan(math.radians(3)), abs=1e-3)
    straight = points_at(1.0, 2.0, 3.0)
    assert leg_points(straight, Pose()) == straight


def test_paths_are_the_outlines_depth_along_the_ray():
    z, x = torch.tensor([-60.0, 0.0, 40.0]), torch.tensor([-200.0, -40.0, -10.0, 20.0, 40.0])
    body, lean = body_paths(USUAL, Grid(torch.zeros(3), z, x), Pose())
    fine = torch.arange(-96, 96, 0.25)
    for share, paths in ((1.0, body), (0.0, lean)):
        points = Grid(fine, z, x).points()
        exact = 0.25 * (Outline(USUAL, share).distance(points) < 0).float().sum(0)
        assert float((paths - exact).abs().max()) < 1.2
    assert bool((lean <= body).all())
    assert float(body[:, 0].max()) == 0


def test_paths_reach_along_the_leg_and_grow_with_the_tilt():
    grid = Grid(torch.zeros(1), torch.tensor([-215.0, 215.0]), torch.tensor([0.0]))
    body, _ = body_paths(USUAL, grid, Pose())
    assert float(body[1, 0]) > 1.5 * float(body[0, 0]) > 60
    tilted, _ = body_paths(USUAL, grid, Pose(beam_tilt=10.0))
    assert float(tilted[0, 0]) == pytest.approx(float(body[0, 0]) / math.cos(math.radians(10)), rel=1e-4)


def test_diverging_rays_count_at_their_middle_depth():
    z, x = torch.tensor([0.0, 30.0]), torch.tensor([-20.0, 25.0])
    depth = torch.tensor([0.9, 1.0, 1.1])[:, None]
    diverging, _ = body_paths(USUAL, Grid(torch.tensor([-50.0, 0.0, 50.0]), depth * z, depth * x), Pose())
    straight, _ = body_paths(USUAL, Grid(torch.zeros(1), z, x), Pose())
    assert torch.equal(diverging, straight)


def test_soft_lattice_covers_the_field_of_view():
    for scale in (0.85, 1.15):
        grid = mr_grid(Placement(), (scale,) * 3)
        lattice = soft_lattice(grid)
        assert isinstance(lattice, Lattice)
        for axis, (low, high) in zip((grid.x, grid.y, grid.z), lattice.ranges, strict=True):
            assert low < float(axis.min()) < float(axis.max()) < high
