"""Shape and skeleton of feet: angles, distributions, bones that do not run through each other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from monai_xray2mri.simulation.foot.bones import LongBone, ShortBone, box_of
from monai_xray2mri.simulation.foot.frame import FootFrame
from monai_xray2mri.simulation.foot.people import SEED_RANGES, TRAINING, foot_generator
from monai_xray2mri.simulation.foot.shape import ANGLES, PARAMETERS, FootShape, draw_shape, seen_shape
from monai_xray2mri.simulation.foot.skeleton import KEYPOINTS, build_skeleton
from monai_xray2mri.simulation.foot.truth import HVA_LIMITS, axis_angle, hallux_angles, severity
from monai_xray2mri.simulation.tools.lattice import Lattice

FRAME = FootFrame(left=-100.0, top=140.0, side=220.0)


def shapes(number: int, stream: str = "shape") -> list[FootShape]:
    return [draw_shape(foot_generator(seed, stream)) for seed in TRAINING[:number]]


def test_seed_ranges_are_disjoint() -> None:
    for one, other in itertools.combinations(SEED_RANGES.values(), 2):
        assert not range(max(one.start, other.start), min(one.stop, other.stop))


def test_known_angles_are_measured() -> None:
    up, right = np.array((0.0, 0.0)), np.array((-10.0, 10.0))
    assert axis_angle((up, np.array((-5.0, 0.0))), (up, right)) == pytest.approx(45.0)
    assert axis_angle((up, right), (up, np.array((-5.0, 0.0)))) == pytest.approx(-45.0)
    keypoints = np.zeros((10, 2))
    for name, place in {
        "metatarsal 1 head": (-10.0 * np.cos(np.radians(12)), -10.0 * np.sin(np.radians(12))),
        "metatarsal 2 head": (-30.0, 0.0),
        "proximal phalanx head": (-7.0 * np.cos(np.radians(13)), 7.0 * np.sin(np.radians(13))),
    }.items():
        keypoints[KEYPOINTS.index(name)] = place
    assert hallux_angles(keypoints) == (pytest.approx(25.0), pytest.approx(12.0))


@pytest.mark.parametrize(("angle", "expected"), [(14.9, 0), (15.0, 1), (30.0, 2), (41.0, 3)])
def test_severity_has_the_usual_limits(angle: float, expected: int) -> None:
    assert severity(angle, HVA_LIMITS) == expected


def test_the_film_shows_the_angles_that_were_drawn() -> None:
    """The tilted rays change an angle by less than a tenth."""
    for shape in shapes(40):
        skeleton = build_skeleton(shape)
        keypoints = np.array([FRAME.on_film(skeleton.points[name]) for name in KEYPOINTS])
        valgus, spread = hallux_angles(keypoints)
        assert valgus == pytest.approx(shape.hallux_valgus, rel=0.12)
        assert spread == pytest.approx(shape.intermetatarsal, rel=0.15)


def test_angles_go_together_as_in_clinics() -> None:
    drawn = shapes(400)
    valgus, spread = (
        np.array([getattr(shape, name) for shape in drawn]) for name in ("hallux_valgus", "intermetatarsal")
    )
    assert valgus.min() >= 5 and valgus.max() <= 50 and spread.min() >= 5 and spread.max() <= 22
    assert 0.6 < np.corrcoef(valgus, spread)[0, 1] < 0.8
    assert min(np.bincount([severity(angle, HVA_LIMITS) for angle in valgus]) / len(valgus)) > 0.05


@pytest.mark.parametrize(("visibility", "correlation"), [(0.0, 0.0), (0.5, 0.87), (1.0, 1.0)])
def test_visibility_says_how_closely_skin_follows_bones(visibility: float, correlation: float) -> None:
    bones, others = shapes(400), shapes(400, "another shape")
    seen = [seen_shape(one, other, visibility) for one, other in zip(bones, others, strict=True)]
    for name in ("hallux_valgus", "intermetatarsal"):
        of_bones, of_skin = (np.array([getattr(shape, name) for shape in some]) for some in (bones, seen))
        assert np.corrcoef(of_bones, of_skin)[0, 1] == pytest.approx(correlation, abs=0.12)
        assert of_skin.std() == pytest.approx(of_bones.std(), rel=0.12)
    for name in PARAMETERS:
        if visibility == 1 or name not in ANGLES:
            assert [getattr(shape, name) for shape in seen] == pytest.approx([getattr(shape, name) for shape in bones])


def test_a_foot_has_26_bones_and_two_sesamoids() -> None:
    names = list(build_skeleton(shapes(1)[0]).bones)
    assert len(names) == len(set(names)) == 28
    assert sum("metatarsal" in name for name in names) == 5
    assert sum("phalanx" in name for name in names) == 14
    assert sum("sesamoid" in name for name in names) == 2


def protrusions(shape: FootShape) -> np.ndarray:
    """How much further each metatarsal reaches than the second, in mm, by arcs around one center of the tarsus.

    The center is where the axis of the second meets the line from the medial end of the talonavicular to the lateral
    end of the calcaneocuboid joint (Hardy and Clapham, J Bone Joint Surg Br 33-B:376, 1951).
    """
    bones = build_skeleton(shape).bones

    def shown(place: np.ndarray) -> np.ndarray:
        return np.array(FRAME.on_film(place)) * FRAME.pixel_mm

    rays = [bones[f"metatarsal {ray}"] for ray in range(1, 6)]
    heads = [shown(bone.frame.world(0.0, 0.0, bone.length)) for bone in rays if isinstance(bone, LongBone)]
    navicular, cuboid = bones["navicular"], bones["cuboid"]
    assert isinstance(navicular, ShortBone) and isinstance(cuboid, ShortBone)
    medial = shown(navicular.frame.world(-navicular.semi[0], 0.0, -navicular.semi[2]))
    lateral = shown(cuboid.frame.world(cuboid.semi[0], 0.0, -cuboid.semi[2]))
    base = shown(rays[1].frame.origin)
    along = np.linalg.solve(np.stack((heads[1] - base, medial - lateral), 1), medial - base)[0]
    center = base + along * (heads[1] - base)
    reach = np.array([np.linalg.norm(head - center) for head in heads])
    return reach - reach[1]


def test_heads_of_metatarsals_lie_as_in_published_feet() -> None:
    """Means within one published deviation (Dominguez-Maldonado et al., ScientificWorldJournal 2014, 505736)."""
    normal = [shape for shape in shapes(120) if shape.hallux_valgus < 15]
    found = np.mean([protrusions(shape) for shape in normal], axis=0)
    for ray, mean, deviation in ((0, 0.94, 2.71), (2, -4.44, 1.63), (3, -11.17, 2.21), (4, -20.21, 3.77)):
        assert abs(found[ray] - mean) < deviation, (ray + 1, found[ray])


def test_bones_of_a_joint_touch_little() -> None:
    for shape in shapes(3):
        bones = build_skeleton(shape).bones
        pairs = [(f"metatarsal {ray}", f"proximal phalanx {ray}") for ray in range(1, 6)]
        pairs += [(f"metatarsal {ray}", f"metatarsal {ray + 1}") for ray in range(1, 5)]
        pairs += [("metatarsal 1", "medial cuneiform"), ("navicular", "talus"), ("cuboid", "calcaneus")]
        for one, other in pairs:
            x, y, z = box_of(bones[one])
            points = Lattice.covering(x, y, z, 1.0).points()
            inside = [bones[name].layers(points)[0] < 0 for name in (one, other)]
            common = (inside[0] & inside[1]).sum() / min(part.sum().clamp(min=1) for part in inside)
            assert common < 0.06, (one, other, float(common))


def test_a_bone_lies_in_its_box() -> None:
    for bone in build_skeleton(shapes(1)[0]).bones.values():
        x, y, z = box_of(bone)
        wide = Lattice.covering((x[0] - 6, x[1] + 6), (y[0] - 6, y[1] + 6), (z[0] - 6, z[1] + 6), 1.0)
        points = wide.points()
        inside = bone.layers(points)[0] < 0
        found = torch.nonzero(inside)
        assert len(found) > 50, bone.name
        for axis, (low, high) in zip((0, 1, 2), (y, z, x), strict=True):
            places = wide.axis((1, 2, 0)[axis])[found[:, axis]]
            assert low <= places.min() and places.max() <= high, bone.name


def test_a_metatarsal_is_as_long_as_it_says() -> None:
    bone = build_skeleton(shapes(1)[0]).bones["metatarsal 2"]
    assert isinstance(bone, LongBone)
    head = bone.frame.world(0.0, 0.0, bone.length)
    assert np.linalg.norm(head - bone.frame.origin) == pytest.approx(bone.length)
    assert 60 < bone.length < 90
