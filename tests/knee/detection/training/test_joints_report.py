"""The detector's report counts what was found, missed, and found where nothing is."""

from __future__ import annotations

import numpy as np
import pytest

from monai_xray2mri.knee.detection.training.films import Film
from monai_xray2mri.knee.detection.training.joints_report import Score, cover_joints, paste_real_joints, scores
from monai_xray2mri.radiograph.knee.roi import FoundJoint

FILM = Film(np.full((350, 430), 90, np.uint8), ((170.0, 110.0), (172.0, 320.0)), ("knee", "prosthesis"))


def found(row: float, column: float, confidence: float = 0.9, prosthesis: float = 0.0) -> FoundJoint:
    return FoundJoint(row, column, 110.0, confidence, prosthesis)


def summary(*joints: FoundJoint) -> dict[str, object]:
    score = Score()
    score.add(FILM, lambda pixels, spacing: joints)
    return dict(score.summary())


def test_a_perfect_detector():
    told = summary(found(170, 110), found(172, 320, prosthesis=0.9))
    assert (told["recall"], told["mean overlap"], told["false knees"], told["class right"]) == (1, 1, 0, 1)
    assert told["mean error mm"] == told["largest error mm"] == 0


def test_a_shifted_box_has_the_overlap_of_its_shift():
    told = summary(found(170, 121))  # a tenth of its side
    assert told["recall"] == 0.5
    assert told["mean overlap"] == pytest.approx(0.9 / 1.1, abs=1e-4)
    assert told["mean error mm"] == pytest.approx(11)


def test_far_and_second_finds_are_false_knees_and_doubtful_ones_do_not_count():
    told = summary(found(170, 110), found(171, 111), found(60, 60), found(172, 320, 0.4))
    assert (told["recall"], told["false knees"]) == (0.5, 2)


def test_knee_and_prosthesis_are_told_apart():
    assert summary(found(170, 110, prosthesis=0.9), found(172, 320))["class right"] == 0


def test_films_are_judged_as_they_are_with_real_joints_and_without_any():
    crops = np.random.default_rng(0).integers(0, 255, (3, 95, 95)).astype(np.uint8)
    tables = scores([FILM], crops, lambda pixels, spacing: [found(170, 110)])
    assert {name: score.joints for name, score in tables.items()} == {
        "simulated": 2, "real joints": 2, "joints covered": 0,
    }  # fmt: skip
    assert tables["joints covered"].false == 1
    assert len(scores([FILM], crops[:0], lambda pixels, spacing: [])["real joints"].seconds) == 0


def test_composed_films_show_their_crops_at_the_joints():
    random = np.random.default_rng(0)
    crops = np.tile(np.linspace(0, 255, 95).astype(np.uint8), (1, 95, 1))  # brighter to the patient's left
    film = paste_real_joints(FILM, crops, random)
    assert film.joints == FILM.joints and film.kinds == ("knee", "knee")
    right, left = (film.pixels[165, int(joint[1]) - 30 : int(joint[1]) + 30].astype(int) for joint in film.joints)
    assert right[-1] > right[0] and left[-1] < left[0]
    assert cover_joints(FILM, random).joints == ()
