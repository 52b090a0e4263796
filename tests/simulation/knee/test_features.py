"""Each of the 19 features changes the knee at its site and by its grade: truth, radiograph and MR volume."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import pytest
import torch

from monai_xray2mri.knee.measures.joint_space import joint_space_from_labels
from monai_xray2mri.knee.realism.feature_effects import (
    MR_AFFINE,
    Examined,
    examine,
    film_change,
    film_gap_mm,
    grown_mm3,
    lesion_mm3,
    mr_change,
)
from monai_xray2mri.simulation.knee.anatomy.pathology import NARROWING_SHARE
from monai_xray2mri.simulation.knee.mri.mr import Tissue
from monai_xray2mri.simulation.knee.patient import draw_patient_knee
from monai_xray2mri.simulation.knee.people.grades import MAXIMAL_GRADES, kellgren_lawrence
from monai_xray2mri.simulation.knee.people.seeds import TEST

SEED = TEST.start + 20
SIDES = {"M": 1.0, "L": -1.0}
HIDDEN = ("XRCYFM", "XRCYFL", "XRCYTM", "XRCYTL", "XRCHM", "XRCHL", "XRATTM", "XRATTL")
NOTICED = 0.01
"""Change of the line integral that is one per cent of the signal."""


@cache
def knee(visibility: float = 1.0, **grades: int) -> Examined:
    return examine(SEED, grades, visibility)


def with_feature(stem: str, grade: int = 1, visibility: float = 1.0) -> Examined:
    return knee(visibility, **{stem: grade})


def other(side: str) -> str:
    return "L" if side == "M" else "M"


@pytest.mark.parametrize("side", ["M", "L"])
def test_narrowing_takes_its_share_of_the_joint_space_and_leaves_the_other(side):
    stem, healthy = f"XRJS{side}", knee().widths_mm
    for grade in (1, 2, 3):
        found = with_feature(stem, grade).widths_mm
        assert found[side] == pytest.approx(healthy[side] * (1 - NARROWING_SHARE[grade]), abs=0.12)
        assert found[other(side)] == pytest.approx(healthy[other(side)], abs=0.15)


@pytest.mark.parametrize("side", ["M", "L"])
def test_narrowing_shows_on_the_radiograph(side):
    stem = f"XRJS{side}"
    films = [with_feature(stem, grade) if grade else knee() for grade in range(4)]
    gaps = [film_gap_mm(each) for each in films]
    widths = [each[side] for each in gaps]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] - widths[3] > 1.5
    shown = [each.widths_mm[f"film {side}"] for each in films]
    assert all(first > second + 0.4 for first, second in pairwise(shown))
    beside = [each.widths_mm[f"film {other(side)}"] for each in films]
    assert max(beside) - min(beside) < 0.4  # the lower leg tilts, and the plateau's rims with it


@pytest.mark.parametrize("side", ["M", "L"])
def test_narrowing_shows_in_the_mr_volume(side):
    stem = f"XRJS{side}"
    found = [joint_space_from_labels(each.labels.numpy(), MR_AFFINE) for each in (knee(), with_feature(stem, 2))]
    truth = [each.widths_mm for each in (knee(), with_feature(stem, 2))]
    for measured, true in zip(found, truth, strict=True):
        assert measured[side] == pytest.approx(true[side], abs=0.65)  # a voxel is 0.625 mm high
    cartilage = [
        int((each.labels == Tissue.TIBIAL_CARTILAGE)[..., half(side)].sum()) for each in (knee(), with_feature(stem, 2))
    ]
    assert cartilage[1] < 0.75 * cartilage[0]


def half(side: str) -> slice:
    """Columns of the volume on one side of the midline."""
    middle = round(-MR_AFFINE[0, 3] / MR_AFFINE[0, 0])
    return slice(middle, None) if side == "M" else slice(0, middle)


@pytest.mark.parametrize("bone", ["F", "T"])
@pytest.mark.parametrize("side", ["M", "L"])
def test_osteophytes_grow_by_grade_on_their_bone_and_side(bone, side):
    stem, name = f"XROS{bone}{side}", {"F": "femur", "T": "tibia"}[bone]
    grown = [grown_mm3(knee(), with_feature(stem, grade)) for grade in (1, 2, 3)]
    sizes = [each[name] for each in grown]
    assert 50 < sizes[0] < sizes[1] < sizes[2] < 3000
    assert all(size < 1 for each in grown for bone_name, size in each.items() if bone_name != name)
    small, large = (film_change(knee(), with_feature(stem, grade)) for grade in (1, 3))
    assert small.contrast > 5 * NOTICED
    assert large.size > 1.8 * small.size
    assert SIDES[side] * large.x > 24
    assert (large.z > 3.5) == (bone == "F")


@pytest.mark.parametrize("bone", ["F", "T"])
@pytest.mark.parametrize("side", ["M", "L"])
def test_osteophytes_show_in_the_mr_volume(bone, side):
    grown = with_feature(f"XROS{bone}{side}", 3)
    label = Tissue.FEMUR if bone == "F" else Tissue.TIBIA
    bone_labels = torch.tensor([int(label), int(Tissue.CORTEX)], dtype=torch.uint8)
    new = torch.isin(grown.labels, bone_labels) & ~torch.isin(knee().labels, bone_labels)
    assert int(new.sum()) * abs(float(torch.linalg.det(torch.from_numpy(MR_AFFINE[:3, :3])))) > 150  # mm3
    columns = torch.arange(new.shape[2]) * MR_AFFINE[0, 0] + MR_AFFINE[0, 3]
    assert SIDES[side] * float((new.sum((0, 1)) * columns).sum() / new.sum()) > 20


@pytest.mark.parametrize("bone", ["F", "T"])
@pytest.mark.parametrize("side", ["M", "L"])
def test_sclerosis_is_denser_on_the_radiograph_and_darker_in_the_mr_volume(bone, side):
    stem = f"XRSC{bone}{side}"
    faint, dense = (film_change(knee(), with_feature(stem, grade)) for grade in (1, 3))
    assert 3 * NOTICED < faint.contrast < dense.contrast
    assert SIDES[side] * dense.x > 10
    assert (dense.z > 2) == (bone == "F")
    assert film_change(knee(), with_feature(stem, 2)).contrast == pytest.approx(
        (faint.contrast + dense.contrast) / 2, rel=0.35
    )
    marrow = mr_change(knee(), with_feature(stem, 3))
    assert marrow.contrast < -0.03
    assert SIDES[side] * marrow.x > 10
    assert (marrow.z > 2) == (bone == "F")


@pytest.mark.parametrize("stem", HIDDEN)
def test_lesions_are_marked_at_their_site(stem):
    found = with_feature(stem)
    assert 60 < lesion_mm3(found, stem) < 4000
    for unmarked in set(HIDDEN) - {stem}:
        assert lesion_mm3(found, unmarked) == 0
    inside = found.lesion(stem)
    x = torch.arange(inside.shape[2]) * MR_AFFINE[0, 0] + MR_AFFINE[0, 3]
    z = torch.arange(inside.shape[1]) * MR_AFFINE[2, 1] + MR_AFFINE[2, 3]
    assert 8 < SIDES[stem[-1]] * float((inside.sum((0, 1)) * x).sum() / inside.sum()) < 38
    height = float((inside.sum((0, 2)) * z).sum() / inside.sum())
    low, high = {"XRCYF": (3, 25), "XRCYT": (-25, -3), "XRCH": (-8, 10), "XRATT": (-12, 2)}[stem[:-1]]
    assert low < height < high


@pytest.mark.parametrize("stem", HIDDEN)
def test_lesions_contrast_in_the_mr_volume(stem):
    found = with_feature(stem)
    inside = found.lesion(stem)
    change = float((found.signal - knee().signal)[inside].mean())
    if stem.startswith("XRCH"):
        assert change < -0.15  # crystals are dark in bright cartilage
    else:
        assert change > 0.1  # fluid and granulation tissue are bright in dark marrow
    far = (found.signal - knee().signal).abs()[..., half(other(stem[-1]))]
    assert float((far > 0.1).float().mean()) < 1e-4  # next to nothing on the other side


@pytest.mark.parametrize("stem", HIDDEN)
def test_lesions_show_on_the_radiograph_as_far_as_they_are_visible(stem):
    plain, faint = (film_change(knee(), with_feature(stem, 1, visibility)) for visibility in (1.0, 0.5))
    assert plain.strength > NOTICED
    assert 0 < faint.strength < 0.9 * plain.strength or faint.size < 0.9 * plain.size
    assert 8 < SIDES[stem[-1]] * plain.x < 40


@pytest.mark.parametrize("stem", HIDDEN)
def test_hidden_lesions_leave_the_radiograph_bitwise_alone(stem):
    assert torch.equal(with_feature(stem, 1, 0.0).film, knee(0.0).film)


def test_a_healthy_radiograph_does_not_depend_on_the_visibility():
    assert torch.equal(knee(0.0).film, knee(1.0).film)


def test_kellgren_lawrence_follows_and_changes_nothing_of_its_own():
    graded = with_feature("XRKL", 4)
    assert torch.equal(graded.film, knee().film)
    assert torch.equal(graded.signal, knee().signal)
    for grades in ({"XROSFM": 2, "XRJSM": 2}, {"XRJSL": 3}, {"XROSTM": 1}):
        _, drawn = draw_patient_knee(SEED, {**dict.fromkeys(set(MAXIMAL_GRADES) - {"XRKL"}, 0), **grades})
        assert drawn.grades["XRKL"] == kellgren_lawrence(drawn.grades) > 0


def test_every_feature_is_tested():
    tested = {f"XR{kind}{bone}{side}" for kind in ("OS", "SC", "CY") for bone in "FT" for side in "ML"}
    tested |= {f"XR{kind}{side}" for kind in ("JS", "CH", "ATT") for side in "ML"} | {"XRKL"}
    assert tested == set(MAXIMAL_GRADES)
