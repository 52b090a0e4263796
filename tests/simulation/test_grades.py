from __future__ import annotations

import numpy as np
import pytest

from monai_xray2mri.grading.features import FEATURES
from monai_xray2mri.simulation.grades import MAXIMAL_GRADES, draw_grades, kellgren_lawrence
from monai_xray2mri.simulation.seeds import LESION_ENRICHED, knee_generator

BINARY = [stem for stem, highest in MAXIMAL_GRADES.items() if highest == 1]


@pytest.fixture(scope="module")
def population() -> dict[str, np.ndarray]:
    drawn = [draw_grades(knee_generator(seed, "grades")) for seed in range(600)]
    return {stem: np.array([grades[stem] for grades in drawn]) for stem in MAXIMAL_GRADES}


def test_features_and_ranges_are_those_of_table_1():
    assert dict(MAXIMAL_GRADES) == {feature.stem: feature.highest for feature in FEATURES}
    assert list(MAXIMAL_GRADES) == [feature.stem for feature in FEATURES]


@pytest.mark.parametrize("stem", MAXIMAL_GRADES)
def test_every_grade_occurs_and_none_beyond(population, stem):
    assert sorted(set(population[stem])) == list(range(MAXIMAL_GRADES[stem] + 1))


def test_features_of_a_compartment_go_together(population):
    same = np.corrcoef(population["XRJSM"], population["XROSTM"])[0, 1]
    assert same > 0.6


def test_medial_disease_is_more_frequent_than_lateral(population):
    assert (population["XRJSM"] > 0).mean() > (population["XRJSL"] > 0).mean()


def test_enriched_knees_have_each_hidden_lesion_half_the_time():
    drawn = [draw_grades(knee_generator(LESION_ENRICHED.start + i, "grades"), enriched=True) for i in range(300)]
    for stem in BINARY:
        assert 0.4 < np.mean([grades[stem] for grades in drawn]) < 0.6


@pytest.mark.parametrize(
    ("grades", "expected"),
    [
        ({}, 0),
        ({"XROSTM": 1}, 1),
        ({"XRJSL": 1}, 1),
        ({"XROSFL": 2}, 2),
        ({"XROSFL": 1, "XRJSM": 1}, 2),
        ({"XROSFM": 2, "XRJSM": 1}, 3),
        ({"XRJSM": 3}, 4),
    ],
)
def test_kellgren_lawrence_follows_from_osteophytes_and_narrowing(grades, expected):
    assert kellgren_lawrence(grades) == expected
