from __future__ import annotations

from functools import cache

import pytest
import torch

from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import KneeAnatomy, build_anatomy
from monai_xray2mri.simulation.knee.anatomy.pathology import draw_pathology
from monai_xray2mri.simulation.knee.anatomy.shape import KneeShape, Pose
from monai_xray2mri.simulation.knee.film.film_options import HARDWARE
from monai_xray2mri.simulation.knee.film.hardware import FEMUR_ENDS_MM, Outline, fitted, implant, resected
from monai_xray2mri.simulation.tools.solids import Rays, line_integrals

PIXEL = 0.5
X, Z = torch.arange(-80, 80, PIXEL), torch.arange(120, -170, -PIXEL)
RAYS = Rays((96.0, 1694.0, 0.0), X, Z)


@cache
def knee(kind: str = "screws") -> KneeAnatomy:
    """A mean healthy knee as it is with an implant, down to where a film ends."""
    healthy = draw_pathology({}, torch.Generator().manual_seed(0))
    return build_anatomy(fitted(KneeShape(), kind), healthy, Pose(), (-160.0, 160.0))


def shadow(kind: str, seed: int = 0) -> torch.Tensor:
    return line_integrals(implant(kind, torch.Generator().manual_seed(seed), knee()), RAYS)


@pytest.mark.parametrize("kind", HARDWARE)
def test_every_kind_is_seen_and_stays_at_the_knee(kind):
    for seed in range(6):
        dense = shadow(kind, seed) > 0.2
        assert 10 < dense.sum() * PIXEL**2 < 9000
        assert not dense[:, X.abs() > 70].any()


@pytest.mark.parametrize("kind", HARDWARE)
def test_same_generator_gives_the_same_metal_and_another_one_not(kind):
    assert torch.equal(shadow(kind), shadow(kind))
    assert any(not torch.equal(shadow(kind), shadow(kind, seed)) for seed in (1, 2))


def test_total_prosthesis_leaves_its_polyethylene_dark():
    metal = shadow("total prosthesis")
    gap = (Z < FEMUR_ENDS_MM - 1.0) & (Z > FEMUR_ENDS_MM - 8.0)
    joint = X.abs() < 40
    assert not (metal[gap][:, joint] > 0).any()
    for side in (-20.0, 20.0):
        column = (X - side).abs() < 2
        assert (metal[(Z > 5) & (Z < 20)][:, column] > 5).all()
        assert (metal[(Z < -8.0) & (Z > -10)][:, column] > 5).all()


def test_total_prosthesis_is_as_wide_as_a_knee_and_has_two_condyles():
    metal = shadow("total prosthesis") > 5
    at = [int((Z - height).abs().argmin()) for height in (4.0, 22.0)]
    assert 55 < metal[at[1]].sum() * PIXEL < 78
    assert not metal[at[0]][X.abs() < 3].any()
    assert metal[at[0]][(X - 20).abs() < 3].all() and metal[at[0]][(X + 20).abs() < 3].all()


def test_unicondylar_prosthesis_spares_the_lateral_side():
    metal = shadow("unicondylar prosthesis") > 0.2
    assert metal[:, X > 5].any()
    assert not metal[:, X < 5].any()


@pytest.mark.parametrize(("kind", "changed"), [("total prosthesis", 2), ("unicondylar prosthesis", 1), ("screws", 0)])
def test_prosthesis_sets_the_joint_space_where_it_lies(kind, changed):
    shape = KneeShape()
    after = fitted(shape, kind).joint_space
    assert sum(a != b for a, b in zip(after, shape.joint_space, strict=True)) == changed


@pytest.mark.parametrize("kind", ["total prosthesis", "unicondylar prosthesis", "screws"])
def test_prosthesis_takes_the_place_of_bone(kind):
    whole = knee(kind)
    cut = resected(whole, kind)
    if kind == "screws":
        assert cut is whole
        return
    for name, gap in (("femur", (2.5, 8.0)), ("tibia", (-5.0, -2.0))):
        before, after = (getattr(anatomy, name).distance for anatomy in (whole, cut))
        points = before.lattice.points()
        inside = (points.x - 22).abs() < 6, (points.y.abs() < 8), (points.z > gap[0]) & (points.z < gap[1])
        medial = (inside[0] & inside[1] & inside[2]).expand_as(before.values)
        assert (after.values[medial] > 0).all()
        lateral = (points.x < -10).expand_as(before.values)
        spared = torch.equal(before.values[lateral], after.values[lateral])
        assert spared == (kind == "unicondylar prosthesis")


def test_outline_is_where_the_bones_end():
    outline = Outline.of(knee())
    assert outline.edge(1.0, -5.0) > 30 and outline.edge(-1.0, -5.0) < -30
    assert 20 < outline.edge(1.0, -100.0) - outline.edge(-1.0, -100.0) < 40
    assert outline.edge(-1.0, 60.0) < outline.middle(60.0) < outline.edge(1.0, 60.0)


@pytest.mark.parametrize("seed", range(6))
def test_plate_lies_on_the_bone(seed):
    outline, metal = Outline.of(knee()), shadow("plate", seed) > 1.0
    for z in (-20.0, -50.0, -90.0):
        columns = X[metal[int((Z - z).abs().argmin())]]
        distance = min(abs(float(columns.min()) - outline.edge(-1, z)), abs(float(columns.max()) - outline.edge(1, z)))
        assert distance < 6
