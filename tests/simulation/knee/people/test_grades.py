from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.knee.grading.features import FEATURES
from monai_xray2mri.simulation.knee.patient import draw_patient_knee
from monai_xray2mri.simulation.knee.people.grades import (
    MAXIMAL_GRADES,
    SHARES,
    SharedFactors,
    draw_grades,
    kellgren_lawrence,
    patient_grades,
    prevalence_of,
    shared_factors,
)
from monai_xray2mri.simulation.knee.people.seeds import (
    LESION_ENRICHED,
    SEED_RANGES,
    SHIFTED,
    TEST,
    TRAINING,
    knee_generator,
)
from monai_xray2mri.types import Side

BINARY = [stem for stem, highest in MAXIMAL_GRADES.items() if highest == 1]
PATIENTS = 5000

# Mean and standard deviation over 16,556 knees of OAI, baseline to 48 months, readings that were not made taken as 0
# (yewsiang/ConceptBottleneck, OAI/config.py, TRANSFORM_STATISTICS_TRAIN).
OAI_MOMENTS = {
    "XROSFM": (0.557, 0.982),
    "XRSCFM": (0.329, 0.706),
    "XRJSM": (0.547, 0.828),
    "XROSTM": (0.554, 0.819),
    "XRSCTM": (0.350, 0.728),
    "XROSFL": (0.411, 0.822),
    "XRSCFL": (0.087, 0.399),
    "XRJSL": (0.136, 0.502),
    "XROSTL": (0.361, 0.757),
    "XRSCTL": (0.084, 0.393),
}


def _columns(drawn: list[dict[str, int]]) -> dict[str, np.ndarray]:
    return {stem: np.array([grades[stem] for grades in drawn]) for stem in MAXIMAL_GRADES}


@pytest.fixture(scope="module")
def balanced() -> dict[str, np.ndarray]:
    return _columns([patient_grades(seed) for seed in range(1000)])


@pytest.fixture(scope="module")
def oai() -> dict[Side, dict[str, np.ndarray]]:
    seeds = range(TEST.start, TEST.start + PATIENTS)
    return {side: _columns([patient_grades(seed, side) for seed in seeds]) for side in Side}


@pytest.fixture(scope="module")
def oai_knees(oai) -> dict[str, np.ndarray]:
    return {stem: np.concatenate([oai[side][stem] for side in Side]) for stem in MAXIMAL_GRADES}


@pytest.fixture(scope="module")
def real_kl(shared_data: Path) -> dict[Side, np.ndarray]:
    """KL of 3,302 participants' right and left knees, from the crops' table."""
    with (shared_data / "knee_xray_rois" / "split_and_grade.csv").open() as file:
        grade = {(row["patient"], row["side"]): int(row["kl_grade"]) for row in csv.DictReader(file)}
    patients = sorted({patient for patient, side in grade if (patient, "R") in grade and (patient, "L") in grade})
    return {side: np.array([grade[patient, side.value] for patient in patients]) for side in Side}


def _shares(grades: np.ndarray, highest: int) -> np.ndarray:
    return np.bincount(grades, minlength=highest + 1) / len(grades)


def test_features_and_ranges_are_those_of_table_1():
    assert dict(MAXIMAL_GRADES) == {feature.stem: feature.highest for feature in FEATURES}
    assert list(MAXIMAL_GRADES) == [feature.stem for feature in FEATURES]


@pytest.mark.parametrize("stem", MAXIMAL_GRADES)
def test_each_grade_is_frequent_enough_to_learn_from_and_none_goes_beyond(balanced, stem):
    shares = _shares(balanced[stem], MAXIMAL_GRADES[stem])
    assert len(shares) == MAXIMAL_GRADES[stem] + 1
    assert shares.min() > 0.04


@pytest.mark.parametrize("stem", OAI_MOMENTS)
def test_ordinal_features_have_the_mean_and_spread_of_oai(oai_knees, stem):
    mean, spread = OAI_MOMENTS[stem]
    # Narrowing is set below the published numbers, which include follow-up visits.
    tolerance = 0.15 if stem.startswith("XRJS") else 0.08
    assert oai_knees[stem].mean() == pytest.approx(mean, rel=tolerance)
    assert oai_knees[stem].std() == pytest.approx(spread, rel=tolerance)


@pytest.mark.parametrize("stem", [stem for stem in MAXIMAL_GRADES if stem != "XRKL"])
def test_drawn_shares_are_those_of_the_table(oai_knees, stem):
    wanted = SHARES["oai"][stem]
    sampling = 4 * np.sqrt(0.25 / PATIENTS)
    assert _shares(oai_knees[stem], MAXIMAL_GRADES[stem])[1:] == pytest.approx(wanted, abs=sampling)


def test_kl_is_as_frequent_as_in_the_real_crops(oai_knees, real_kl):
    real = _shares(np.concatenate(list(real_kl.values())), 4)
    assert np.abs(_shares(oai_knees["XRKL"], 4) - real).max() < 0.025


def test_kl_of_both_knees_goes_together_as_in_the_real_crops(oai, real_kl):
    def correlation(kl: dict[Side, np.ndarray]) -> float:
        return float(np.corrcoef(kl[Side.RIGHT], kl[Side.LEFT])[0, 1])

    def with_oa(kl: dict[Side, np.ndarray]) -> tuple[float, float]:
        definite = np.stack([kl[side] >= 2 for side in Side])
        return float(definite.any(0).mean()), float(definite.all(0).mean())

    drawn = {side: oai[side]["XRKL"] for side in Side}
    assert correlation(drawn) == pytest.approx(correlation(real_kl), abs=0.04)
    assert with_oa(drawn) == pytest.approx(with_oa(real_kl), abs=0.04)


def test_both_compartments_are_rarely_narrowed(oai_knees):
    medial, lateral = oai_knees["XRJSM"] > 0, oai_knees["XRJSL"] > 0
    assert medial.mean() > 4 * lateral.mean()
    assert (medial & lateral).mean() < 0.03
    assert np.corrcoef(medial, lateral)[0, 1] < 0.05


def test_osteophytes_go_with_narrowing_and_with_each_other(oai_knees):
    assert np.corrcoef(oai_knees["XRJSM"], oai_knees["XROSTM"])[0, 1] > 0.35
    assert np.corrcoef(oai_knees["XROSFM"], oai_knees["XROSTM"])[0, 1] > 0.5
    assert np.corrcoef(oai_knees["XROSTL"], oai_knees["XROSTM"])[0, 1] > 0.35


@pytest.mark.parametrize("stem", ["XRSCFM", "XRSCTM", "XRCYFM", "XRCYTM", "XRATTM", "XRATTL", "XRSCTL"])
def test_sclerosis_cysts_and_attrition_come_with_narrowing_of_their_compartment(oai_knees, stem):
    present = oai_knees[stem] > 0
    assert (oai_knees[f"XRJS{stem[-1]}"][present] > 0).mean() > 0.7


def test_chondrocalcinosis_is_as_frequent_as_in_oai(oai_knees):
    # 162 of 2,192 knees (Han 2017, PMC5529277).
    either = (oai_knees["XRCHM"] + oai_knees["XRCHL"]) > 0
    assert either.mean() == pytest.approx(162 / 2192, abs=0.012)


def test_enriched_knees_have_each_hidden_lesion_half_the_time_whatever_else_they_have():
    drawn = _columns([patient_grades(seed) for seed in range(LESION_ENRICHED.start, LESION_ENRICHED.start + 1500)])
    for stem in BINARY:
        assert drawn[stem].mean() == pytest.approx(0.5, abs=0.06)
        assert abs(np.corrcoef(drawn[stem], drawn["XRJSM"])[0, 1]) < 0.1
        assert abs(np.corrcoef(drawn[stem], drawn["XRKL"])[0, 1]) < 0.1


def test_enriching_changes_nothing_else():
    plain = draw_grades(knee_generator(5, "grades"))
    enriched = draw_grades(knee_generator(5, "grades"), enriched=True)
    assert {s: g for s, g in plain.items() if s not in BINARY} == {s: g for s, g in enriched.items() if s not in BINARY}


def test_independent_features_do_not_go_together():
    drawn = _columns([patient_grades(seed) for seed in range(SHIFTED.start, SHIFTED.start + 1500)])
    free = [stem for stem in MAXIMAL_GRADES if stem != "XRKL"]
    correlations = np.corrcoef([drawn[stem] for stem in free]) - np.eye(len(free))
    assert np.abs(correlations).max() < 0.12
    for stem in free:
        assert _shares(drawn[stem], MAXIMAL_GRADES[stem]) == pytest.approx(1 / (MAXIMAL_GRADES[stem] + 1), abs=0.06)


def test_kl_follows_from_the_other_grades_in_every_cohort():
    for seeds in SEED_RANGES.values():
        for side in Side:
            grades = patient_grades(seeds.start + 7, side)
            assert grades["XRKL"] == kellgren_lawrence(grades)
            assert list(grades) == list(MAXIMAL_GRADES)


def test_same_seeds_give_the_same_grades_for_ever():
    digits = {
        (name, side.value): "".join(str(grade) for grade in patient_grades(seeds.start + 12, side).values())
        for name, seeds in SEED_RANGES.items()
        for side in Side
    }
    assert digits == GOLDEN


GOLDEN = {
    ("training", "R"): "0202022003200002100",
    ("training", "L"): "2000020002010101010",
    ("validation", "R"): "1213022014300103100",
    ("validation", "L"): "3302023113200003000",
    ("calibration", "R"): "0002012003100000000",
    ("calibration", "L"): "1000000001000000000",
    ("test", "R"): "0000010001000000000",
    ("test", "L"): "2001011002000000000",
    ("lesion-enriched", "R"): "0010120002201110100",
    ("lesion-enriched", "L"): "0001001112000012011",
    ("shifted", "R"): "0310022103030212010",
    ("shifted", "L"): "1213021104301313000",
}
"""Grades of the thirteenth patient of each range, in the order of Table I."""


def test_the_left_knee_has_the_factors_of_the_right_one():
    shared = shared_factors(knee_generator(3, "grades"))
    assert patient_grades(3, Side.LEFT) == draw_grades(knee_generator(3, "left grades"), shared=shared)
    worse = [
        sum(
            draw_grades(knee_generator(seed, "left grades"), shared=SharedFactors(severity, 0.0, 0.0))["XRKL"]
            for seed in range(50)
        )
        for severity in (-2.0, 0.0, 2.0)
    ]
    assert worse[0] < worse[1] < worse[2]


@pytest.mark.parametrize("seeds", SEED_RANGES.values(), ids=SEED_RANGES)
def test_knees_and_films_show_the_patients_grades(seeds):
    for seed in range(seeds.start + 20, seeds.start + 24):
        assert dict(draw_patient_knee(seed)[1].grades) == patient_grades(seed)


def test_a_film_shows_the_grades_of_both_knees(film):
    assert film.grades == {side: patient_grades(film.seed, side) for side in Side}


def test_what_judges_a_model_is_as_frequent_as_in_oai():
    assert prevalence_of(TEST.start) == ("oai", False)
    assert prevalence_of(LESION_ENRICHED.start) == ("balanced", True)
    assert prevalence_of(TRAINING.start) == ("balanced", False)


def test_unknown_prevalences_and_seeds_are_refused():
    with pytest.raises(UsageError, match="oai, balanced or independent"):
        draw_grades(knee_generator(1, "grades"), prevalence="uniform")  # type: ignore[arg-type]
    with pytest.raises(InputRefused, match="seed"):
        patient_grades(-1)


@pytest.mark.parametrize(
    ("grades", "expected"),
    [
        ({}, 0),
        ({"XROSTM": 1}, 1),
        ({"XRJSL": 1}, 1),
        ({"XRJSL": 2}, 1),
        ({"XROSFL": 2}, 2),
        ({"XROSFL": 1, "XRJSM": 1}, 2),
        ({"XROSFM": 2, "XRJSM": 1}, 2),
        ({"XROSFM": 1, "XRJSM": 2}, 3),
        ({"XROSFM": 3, "XRJSL": 2}, 3),
        ({"XRJSM": 3}, 4),
    ],
)
def test_kellgren_lawrence_follows_from_osteophytes_and_narrowing(grades, expected):
    assert kellgren_lawrence(grades) == expected
