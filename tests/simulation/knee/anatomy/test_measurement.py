from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import build_anatomy
from monai_xray2mri.simulation.knee.anatomy.measurement import (
    cartilage_mm,
    joint_space_mm,
    keypoints,
    lesion_extents,
    projected_joint_space_mm,
    volumes_ml,
)
from monai_xray2mri.simulation.knee.anatomy.shape import Pose
from monai_xray2mri.simulation.knee.anatomy.truth import CARTILAGES, KEYPOINTS
from monai_xray2mri.simulation.tools.lattice import Field, Lattice
from tests.helpers.anatomies import Z_RANGE, anatomy, center, grid, pathology, sampled, shape

FINE = grid(1.0)
STANDING = Pose(flexion=20.0, beam_tilt=4.0, load=0.25)


@pytest.mark.parametrize("grades", [{}, {"XRJSM": 2}, {"XRJSL": 3}])
def test_joint_space_is_that_of_the_anatomy_in_world_millimetres(grades):
    knee = anatomy(**grades)
    found = joint_space_mm(knee)
    for side, space in zip("ML", shape().joint_space, strict=True):
        assert found[side] == pytest.approx(knee.pathology.narrowed(space, side) * shape().scale[2], abs=0.12)


def test_the_projected_joint_space_is_no_wider_and_falls_with_grade():
    widths = [projected_joint_space_mm(anatomy(STANDING, XRJSM=grade)) for grade in range(4)]
    medial = [each["M"] for each in widths]
    assert medial == sorted(medial, reverse=True)
    assert medial[0] - medial[3] > 1.5
    assert max(each["L"] for each in widths) - min(each["L"] for each in widths) < 0.35
    assert medial[0] <= joint_space_mm(anatomy(STANDING))["M"] + 0.05


def test_a_widened_knee_is_told_wider():
    wide = replace(shape(), scale=(1.2, 1.2, 1.2))
    first, second = (build_anatomy(each, pathology(), Pose(), Z_RANGE) for each in (shape(), wide))
    ratio = 1.2 / shape().scale[2]
    assert joint_space_mm(second)["M"] == pytest.approx(joint_space_mm(first)["M"] * ratio, rel=1e-4)
    assert volumes_ml(second, (-40.0, 50.0))["patella"] == pytest.approx(
        volumes_ml(first, (-40.0, 50.0))["patella"] * 1.2**3 / torch.tensor(shape().scale).prod().item(), rel=1e-4
    )


def test_cartilage_is_as_thick_as_published_and_thins_by_grade():
    found = cartilage_mm(anatomy())
    assert tuple(found) == CARTILAGES
    assert all(1.0 < value < 3.5 for value in found.values()), found
    thinned = cartilage_mm(anatomy(XRJSM=2))
    assert thinned["FM"] < 0.6 * found["FM"]
    assert thinned["TM"] < 0.6 * found["TM"]
    for other in ("FL", "TL", "P"):
        assert thinned[other] == pytest.approx(found[other], rel=0.03)


def test_keypoints_lie_where_they_are_called():
    found = keypoints(anatomy())
    assert tuple(found) == KEYPOINTS
    for side, sign in (("medial", 1), ("lateral", -1)):
        condyle, plateau = found[f"{side} condyle"], found[f"{side} plateau"]
        assert 12 <= sign * condyle[0] <= 32
        assert condyle[2] > plateau[2] + 1
        femoral, tibial = found[f"{side} femoral margin"], found[f"{side} tibial margin"]
        assert sign * femoral[0] > 28
        assert sign * tibial[0] > 26
        assert femoral[2] > tibial[2]
        spine = found[f"{side} spine"]
        assert 0 < sign * spine[0] < 11
        assert spine[2] > plateau[2] + 3
    assert found["medial condyle"][2] + 4 < found["notch"][2] < 25
    assert abs(found["notch"][0]) <= 7
    head = found["fibular head"]
    assert head[0] < -20
    assert head[1] > 5
    patella = center(sampled(anatomy().patella.distance, _front()) < 0, _front())
    assert found["patella"] == pytest.approx(patella, abs=0.5)


def _front():
    return replace(FINE, y=torch.arange(-85.0, 0.0, 1.0), z=torch.arange(-10.0, 80.0, 1.0))


def test_margins_move_out_with_osteophytes():
    usual, grown = keypoints(anatomy()), keypoints(anatomy(XROSTM=3))
    assert grown["medial tibial margin"][0] - usual["medial tibial margin"][0] > 2.5
    assert grown["lateral tibial margin"] == usual["lateral tibial margin"]


def test_lesions_are_where_their_fields_are():
    grades = {"XRCYFM": 1, "XRCYTL": 1, "XRATTM": 1, "XRCHL": 1}
    knee = anatomy(**grades)
    found = lesion_extents(knee)
    assert set(found) == set(grades)
    for stem, field in (("XRCYFM", knee.femur.cysts["XRCYFM"]), ("XRATTM", knee.tibia.worn["XRATTM"])):
        inside = sampled(field, FINE) < 0
        columns, rows = FINE.x[inside.any(0).any(0)], FINE.z[inside.any(0).any(1)]
        (low, high), (bottom, top) = found[stem]
        assert low == pytest.approx(float(columns.min()), abs=2.1)
        assert high == pytest.approx(float(columns.max()), abs=2.1)
        assert bottom == pytest.approx(float(rows.min()), abs=2.1)
        assert top == pytest.approx(float(rows.max()), abs=2.1)
    assert found["XRCHL"][0][1] < 0 < found["XRCYFM"][0][0]
    assert lesion_extents(anatomy()) == {}


def test_volumes_are_those_of_counted_voxels():
    knee = anatomy()
    found = volumes_ml(knee, (-30.0, 30.0))
    fine = replace(grid(0.8), z=torch.arange(-29.6, 30.0, 0.8), x=torch.arange(-65.0, 55.0, 0.8))
    voxel = 0.8**3 * torch.tensor(shape().scale).prod().item() / 1000
    for bone in knee.bones[:3]:
        counted = float((sampled(bone.distance, fine) < 0).sum()) * voxel
        assert found[bone.name] == pytest.approx(counted, rel=0.03)
    layer = (sampled(knee.cartilage["tibial"], fine) < 0) & (sampled(knee.tibia.distance, fine) > 0)
    assert found["tibial cartilage"] == pytest.approx(float(layer.sum()) * voxel, rel=0.15)


def test_the_volume_of_a_ball():
    lattice = Lattice.covering((-20.0, 20.0), (-20.0, 20.0), (-20.0, 20.0), 2.0)
    points = lattice.points()
    ball = Field(lattice, (points.x**2 + points.y**2 + points.z**2).sqrt() - 13.0)
    knee = anatomy()
    shaped = replace(knee, fibula=replace(knee.fibula, distance=ball))
    truth = 4 / 3 * torch.pi * 13.0**3 / 1000 * torch.tensor(shape().scale).prod().item()
    assert volumes_ml(shaped, (-50.0, 50.0))["fibula"] == pytest.approx(truth, rel=0.01)
    assert volumes_ml(shaped, (0.0, 50.0))["fibula"] == pytest.approx(truth / 2, rel=0.01)
