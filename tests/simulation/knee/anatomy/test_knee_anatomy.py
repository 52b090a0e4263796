from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from monai_xray2mri.runtime.threads import one_thread
from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import KneeAnatomy, build_anatomy, middle_gap
from monai_xray2mri.simulation.knee.anatomy.shape import KneeShape, Pose
from monai_xray2mri.simulation.tools.lattice import Field
from tests.helpers.anatomies import Z_RANGE, anatomy, center, grid, pathology, sampled, shape

FINE = grid(1.0)
SIDES = {"M": 1.0, "L": -1.0}
FILM = Pose(flexion=20.0, beam_tilt=5.0, load=0.25, roll=3.0, lean=1.0)


def gap(knee: KneeAnatomy, side: str) -> float:
    from monai_xray2mri.simulation.tools.lattice import upper_surface

    return float(middle_gap(knee.condyles, upper_surface(knee.tibia.distance, -60.0), side).min())


@pytest.mark.parametrize("pose", [Pose(), FILM], ids=["lying", "standing"])
@pytest.mark.parametrize("medial", [0, 1, 2, 3])
def test_joint_spaces_are_as_wide_as_the_grades_and_the_load_want(pose, medial):
    knee = anatomy(pose, XRJSM=medial, XRJSL=3 - medial)
    for side, space in zip("ML", shape().joint_space, strict=True):
        assert gap(knee, side) == pytest.approx(knee.pathology.narrowed(space, side, pose.load), abs=0.1)


def test_bones_touch_nowhere():
    inside = torch.stack([sampled(bone.distance, FINE) < 0 for bone in anatomy().bones]).sum(0)
    assert not (inside > 1).any()


def test_cartilage_lies_on_the_bones_and_between_them():
    knee = anatomy()
    points = FINE.points()
    for name, bone in (("femoral", knee.femur), ("tibial", knee.tibia)):
        layer = (sampled(knee.cartilage[name], FINE) < 0) & (sampled(bone.distance, FINE) > 0)
        middle = layer & (points.x.abs() > 12) & (points.x.abs() < 30) & (points.y.abs() < 10)
        assert int(middle.sum()) > 300
        height = center(middle, FINE)[2]
        assert -6 < height < 8
    low, high = (center(sampled(knee.cartilage[n], FINE) < 0, FINE)[2] for n in ("tibial", "femoral"))
    assert low < high


def test_cartilage_thins_where_the_joint_is_narrowed():
    before, after = anatomy(), anatomy(XRJSM=3)
    x = FINE.points().x
    for name in ("femoral", "tibial"):
        thick, thin = (sampled(each.thickness[name], FINE) for each in (before, after))
        bone = before.femur if name == "femoral" else before.tibia
        middle = (sampled(bone.distance, FINE).abs() < 1) & (FINE.points().y.abs() < 12) & (FINE.points().z.abs() < 10)
        medial, lateral = middle & (x > 14) & (x < 30), middle & (x < -14) & (x > -30)
        assert float(thin[medial].mean()) < 0.3 * float(thick[medial].mean()) + 0.1
        assert float(thin[lateral].mean()) == pytest.approx(float(thick[lateral].mean()), rel=0.12)


def test_menisci_lie_on_their_sides_and_are_pushed_out_by_narrowing():
    usual, narrowed = anatomy(), anatomy(XRJSM=3)
    for side, sign in SIDES.items():
        inside = sampled(usual.menisci[side], FINE) < 0
        place = center(inside, FINE)
        assert sign * place[0] > 14
        assert abs(place[2]) < 8
        assert 1000 < int(inside.sum()) < 4500  # mm3
    out = [center(sampled(each.menisci["M"], FINE) < 0, FINE)[0] for each in (usual, narrowed)]
    assert out[1] > out[0] + 0.8


@pytest.mark.parametrize("bone", ["F", "T"])
@pytest.mark.parametrize("side", ["M", "L"])
def test_each_osteophyte_grows_on_its_own_bone_and_side(bone, side):
    sizes = []
    for grade in (1, 2, 3):
        usual, grown = anatomy(), anatomy(**{f"XROS{bone}{side}": grade})
        for name in ("femur", "tibia"):
            new = (sampled(getattr(grown, name).distance, FINE) < 0) & (
                sampled(getattr(usual, name).distance, FINE) > 0
            )
            if name == {"F": "femur", "T": "tibia"}[bone]:
                x, _, z = center(new, FINE)
                assert SIDES[side] * x > 25
                assert -16 < z < 20
                sizes.append(int(new.sum()))
            else:
                assert int(new.sum()) < 30
    assert 30 < sizes[0] < sizes[1] < sizes[2]


@pytest.mark.parametrize("bone", ["F", "T"])
@pytest.mark.parametrize("side", ["M", "L"])
def test_each_cyst_lies_under_the_surface_of_its_bone_and_side(bone, side):
    stem = f"XRCY{bone}{side}"
    knee = anatomy(**{stem: 1})
    host = knee.femur if bone == "F" else knee.tibia
    assert set(knee.femur.cysts) | set(knee.tibia.cysts) == {stem}
    inside = sampled(host.cysts[stem], FINE) < 0
    assert 80 < int(inside.sum()) < 1500  # mm3
    assert float((sampled(host.distance, FINE)[inside] < 0).float().mean()) > 0.97
    x, _, z = center(inside, FINE)
    assert 8 < SIDES[side] * x < 34
    assert (z > 2) == (bone == "F")


@pytest.mark.parametrize("bone", ["F", "T"])
@pytest.mark.parametrize("side", ["M", "L"])
def test_sclerosis_hardens_the_bone_under_the_surface(bone, side):
    peaks = []
    for grade in (1, 2, 3):
        knee = anatomy(**{f"XRSC{bone}{side}": grade})
        host, other = (knee.femur, knee.tibia) if bone == "F" else (knee.tibia, knee.femur)
        assert other.sclerosis is None
        assert host.sclerosis is not None
        density = sampled(host.sclerosis, FINE) * (sampled(host.sclerosis, FINE) < 10)
        peaks.append(float(density.max()))
        assert SIDES[side] * center(density > 0.5 * peaks[-1], FINE)[0] > 10
    assert 0.2 < peaks[0] < peaks[1] < peaks[2] <= 1.15


@pytest.mark.parametrize("side", ["M", "L"])
def test_attrition_takes_the_plateau_away(side):
    usual, worn = anatomy(), anatomy(**{f"XRATT{side}": 1})
    lost = (sampled(usual.tibia.distance, FINE) < 0) & (sampled(worn.tibia.distance, FINE) > 0)
    x, _, z = center(lost, FINE)
    assert SIDES[side] * x > 12
    assert -12 < z < 0
    stem = f"XRATT{side}"
    assert set(worn.tibia.worn) == {stem}
    marked = sampled(worn.tibia.worn[stem], FINE) < 0
    both = float((lost & marked).sum()) / float((lost | marked).sum())
    assert both > 0.7
    assert gap(worn, side) == pytest.approx(gap(usual, side), abs=3.5)


@pytest.mark.parametrize("side", ["M", "L"])
def test_crystals_lie_in_cartilage_and_meniscus_of_their_side(side):
    stem = f"XRCH{side}"
    knee = anatomy(**{stem: 1})
    assert set(knee.crystals) == {stem}
    window = knee.crystals[stem].window(FINE)
    share = torch.zeros(FINE.shape)
    share[window] = knee.crystals[stem].at(FINE.crop(window))
    assert 0 <= float(share.min()) <= float(share.max()) <= 1
    marked = share > 0.3
    assert int(marked.sum()) > 100
    x, _, z = center(marked, FINE)
    assert SIDES[side] * x > 10
    assert abs(z) < 8
    in_bone = sum((sampled(bone.distance, FINE) < -0.8).float() for bone in (knee.femur, knee.tibia))
    assert float(in_bone[marked].mean()) < 0.03


def test_nothing_else_changes_with_a_lesion():
    usual, changed = anatomy(), anatomy(XRCYFM=1, XRCHL=1, XRATTM=1)
    assert torch.equal(usual.femur.distance.values, changed.femur.distance.values)
    assert torch.equal(usual.menisci["L"].values, changed.menisci["L"].values)
    for name in usual.cartilage:
        assert torch.equal(usual.cartilage[name].values, changed.cartilage[name].values)


def test_at_no_visibility_no_field_of_the_film_changes():
    hidden = dict.fromkeys(("XRCYFM", "XRCYTL", "XRATTM", "XRATTL"), 1)
    usual = build_anatomy(shape(), replace(pathology(), scale=0.0), FILM, Z_RANGE)
    changed = build_anatomy(shape(), replace(pathology(**hidden), scale=0.0), FILM, Z_RANGE)
    assert not changed.tibia.worn
    for first, second in zip(usual.bones, changed.bones, strict=True):
        assert torch.equal(first.distance.values, second.distance.values)


def test_the_pose_changes_no_size():
    straight, posed = anatomy(), anatomy(Pose(flexion=5.0, roll=8.0, lean=3.0, beam_tilt=6.0))
    fine = replace(grid(1.0), y=torch.arange(-85.0, 0.0, 1.0), z=torch.arange(-10.0, 85.0, 1.0))
    sizes = [int((sampled(each.patella.distance, fine) < 0).sum()) for each in (straight, posed)]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.01)


def fields(knee: KneeAnatomy) -> list[Field]:
    return [
        *(bone.distance for bone in knee.bones),
        *knee.cartilage.values(),
        *knee.menisci.values(),
        *(field for bone in knee.bones for field in (*bone.cysts.values(), *bone.worn.values())),
    ]


def test_the_same_bits_for_any_number_of_threads():
    grades = {"XROSFM": 2, "XRJSM": 2, "XRCYTM": 1, "XRATTL": 1}
    usual = torch.get_num_threads()
    built = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            with one_thread():
                built.append(build_anatomy(shape(), pathology(**grades), FILM, Z_RANGE))
    finally:
        torch.set_num_threads(usual)
    for other in built[1:]:
        for first, second in zip(fields(built[0]), fields(other), strict=True):
            assert torch.equal(first.values, second.values)


def test_the_default_knee_is_as_wide_as_told():
    knee = build_anatomy(KneeShape(), pathology(), Pose(), Z_RANGE)
    assert gap(knee, "M") == pytest.approx(4.6, abs=0.1)
    assert gap(knee, "L") == pytest.approx(5.8, abs=0.1)
