from __future__ import annotations

import numpy as np
import pytest

from monai_xray2mri.knee.realism.bone_distance import (
    Surface,
    align,
    real_surface,
    simulated_surface,
    surface_distance,
)
from monai_xray2mri.knee.realism.morphometry import KneeMasks, View, simulated_masks
from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import build_anatomy
from monai_xray2mri.simulation.knee.anatomy.pathology import draw_pathology
from monai_xray2mri.simulation.knee.anatomy.shape import KneeShape, Pose
from monai_xray2mri.simulation.knee.people.seeds import TEST, knee_generator

VIEW = View((-40.0, -40.0, -40.0), (1.0, 1.0, 1.0), (81, 81, 81))


def ellipsoid(semi: tuple[float, float, float], center: tuple[float, float, float] = (0, 0, 0)) -> np.ndarray:
    z, y, x = np.meshgrid(*(VIEW.axis(number) for number in range(3)), indexing="ij")
    place = [(axis - c) / s for axis, c, s in zip((z, y, x), center, semi, strict=True)]
    return np.sqrt(sum(part**2 for part in place)) < 1


def surface(mask: np.ndarray) -> Surface:
    return real_surface(KneeMasks(VIEW, {"femur": mask}), "femur")


def test_concentric_balls_lie_as_far_apart_as_their_radii_differ():
    found = surface_distance(surface(ellipsoid((20, 20, 20))), surface(ellipsoid((23, 23, 23))), VIEW)
    assert found.median == pytest.approx(3.0, abs=0.15)
    assert found.p95 == pytest.approx(3.0, abs=0.4)


def test_a_surface_lies_nowhere_from_itself():
    ball = surface(ellipsoid((20, 17, 14)))
    assert surface_distance(ball, ball, VIEW).p95 == 0


def test_distance_is_the_same_both_ways():
    first, second = surface(ellipsoid((20, 20, 20))), surface(ellipsoid((24, 19, 21)))
    assert surface_distance(first, second, VIEW) == surface_distance(second, first, VIEW)


def test_what_the_field_of_view_cuts_does_not_count():
    shaft = ellipsoid((100, 12, 12))  # goes on beyond the view; the other ends before it
    short = shaft.copy()
    short[:6] = False
    found = surface_distance(surface(shaft), surface(short), VIEW)
    assert found.p95 < 1.0


def test_a_turned_and_shifted_bone_is_brought_back():
    bone = surface(ellipsoid((28, 20, 13)))
    angle = np.deg2rad(12)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    moved = Surface(bone.points @ turn.T + [3.0, -2.0, 4.0])
    assert surface_distance(moved, bone, VIEW).p95 > 3
    found = surface_distance(align(moved, bone, scaled=False), bone, VIEW)
    assert found.p95 < 0.45  # the points of a surface lie up to half a millimetre apart


def test_size_is_taken_away_only_when_asked():
    small, large = surface(ellipsoid((24, 20, 14))), surface(ellipsoid((28.8, 24, 16.8)))
    assert surface_distance(align(large, small, scaled=True), small, VIEW).p95 < 0.5
    assert surface_distance(align(large, small, scaled=False), small, VIEW).median > 1.5


def test_a_far_bone_is_found_from_its_center():
    bone = surface(ellipsoid((14, 8, 11)))
    far = Surface(bone.points + np.array([15.0, 12.0, -14.0]))
    assert surface_distance(align(far, bone, scaled=True), bone, VIEW).p95 < 0.5


def test_the_surface_of_a_field_is_that_of_its_mask():
    anatomy = build_anatomy(KneeShape(), draw_pathology({}, knee_generator(TEST.start, "lesions")), Pose())
    view = View((-30.0, -66.0, -50.0), (1.0, 1.0, 1.0), (100, 100, 100))
    masks = simulated_masks(anatomy, view)
    for bone in ("femur", "patella"):
        found = surface_distance(simulated_surface(anatomy, bone, view), real_surface(masks, bone), view)
        assert found.median < 0.35  # a mask knows its surface to a third of a voxel
        assert found.p95 < 0.9
