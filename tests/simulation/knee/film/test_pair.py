from __future__ import annotations

import numpy as np
import pytest
import torch

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.simulation.knee.film.pair import draw_pair
from monai_xray2mri.simulation.knee.people.seeds import TRAINING
from monai_xray2mri.types import Side

SEEDS = TRAINING[:40]


@pytest.fixture(scope="module")
def pairs():
    return [draw_pair(seed) for seed in SEEDS]


def correlation(pairs, number) -> float:
    """Correlation of a number of the shape between right and left knees."""
    return float(np.corrcoef([[number(pair[side].shape) for pair in pairs] for side in Side])[0, 1])


@pytest.mark.parametrize(
    "number", [lambda s: s.scale[2], lambda s: s.fat, lambda s: s.joint_space[0], lambda s: s.patella[2]]
)
def test_left_knees_resemble_right_ones(pairs, number):
    assert correlation(pairs, number) > 0.8
    assert any(number(pair[Side.RIGHT].shape) != number(pair[Side.LEFT].shape) for pair in pairs)


def test_knees_of_different_patients_do_not(pairs):
    left = [{**pair, Side.LEFT: other[Side.LEFT]} for pair, other in zip(pairs, pairs[1:] + pairs[:1], strict=True)]
    assert abs(correlation(left, lambda shape: shape.scale[2])) < 0.5


def test_grades_of_both_sides_are_drawn_apart(pairs):
    assert any(pair[Side.RIGHT].pathology.grades != pair[Side.LEFT].pathology.grades for pair in pairs)


def test_streams_of_both_knees_are_their_own(pairs):
    for pair in pairs[:5]:
        assert pair[Side.RIGHT].pathology.sites != pair[Side.LEFT].pathology.sites
        assert pair[Side.RIGHT].pose != pair[Side.LEFT].pose
        assert pair[Side.RIGHT].stream("trabeculae") == "trabeculae" != pair[Side.LEFT].stream("trabeculae")


def test_visibility_reaches_both_knees():
    assert {knee.pathology.scale for knee in draw_pair(3, visibility=0.25).values()} == {0.25}


def test_metal_changes_its_own_knee_alone():
    plain, operated = draw_pair(5), draw_pair(5, metal={Side.LEFT: "total prosthesis"})
    assert (operated[Side.LEFT].metal, operated[Side.RIGHT].metal) == ("total prosthesis", None)
    assert operated[Side.RIGHT].shape.joint_space == plain[Side.RIGHT].shape.joint_space
    assert torch.equal(operated[Side.LEFT].shape.deformation, plain[Side.LEFT].shape.deformation)
    left = operated[Side.LEFT].pathology.grades
    assert not any(grade for stem, grade in left.items() if stem.endswith(("M", "L")) and stem != "XRKL")


@pytest.mark.parametrize(
    "wrong", [{"visibility": 2.0}, {"grades": {Side.LEFT: {"XRJSM": 9}}}, {"grades": {Side.RIGHT: {"XRNONE": 0}}}]
)
def test_impossible_knees_are_refused(wrong):
    with pytest.raises(InputRefused):
        draw_pair(1, **wrong)
