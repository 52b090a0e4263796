from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.simulation.knee.people.grades import patient_grades
from monai_xray2mri.simulation.knee.people.participants import (
    PARTICIPANTS_PER_RANGE,
    Participant,
    Traits,
    draw_participant,
    participant_number,
    participant_traits,
)
from monai_xray2mri.simulation.knee.people.seeds import LESION_ENRICHED, SEED_RANGES, SHIFTED, TEST, TRAINING
from monai_xray2mri.types import Side

SEEDS = range(TEST.start, TEST.start + 3000)


@pytest.fixture(scope="module")
def cohort() -> list[Participant]:
    return [draw_participant(seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def traits() -> list[Traits]:
    return [participant_traits(seed) for seed in SEEDS]


@pytest.mark.parametrize("seeds", SEED_RANGES.values(), ids=SEED_RANGES)
def test_participants_have_the_grades_of_their_images(seeds):
    participant = draw_participant(seeds.start + 20)
    assert participant.grades == {side: patient_grades(seeds.start + 20, side) for side in Side}


def test_the_same_seed_is_the_same_participant():
    participant = draw_participant(TEST.start + 5)
    assert participant == draw_participant(TEST.start + 5)
    assert (participant.number, participant.sex, participant.age_years, participant.exam_date) == GOLDEN


GOLDEN = (9_784_893, "F", 60, date(2004, 12, 3))


def test_numbers_look_like_oais_and_nobody_shares_one():
    numbers = [participant_number(seeds.start + offset) for seeds in SEED_RANGES.values() for offset in range(20_000)]
    numbers += [participant_number(seeds.start + PARTICIPANTS_PER_RANGE - 1) for seeds in SEED_RANGES.values()]
    assert len(set(numbers)) == len(numbers)
    assert min(numbers) >= 9_000_000
    assert max(numbers) <= 9_999_999


def test_seeds_without_a_number_of_their_own_are_refused():
    with pytest.raises(InputRefused, match="166666 of the test range"):
        draw_participant(TEST.start + PARTICIPANTS_PER_RANGE)
    with pytest.raises(InputRefused, match="seed"):
        draw_participant(SHIFTED.stop)
    assert participant_traits(TRAINING.start + PARTICIPANTS_PER_RANGE).sex in ("F", "M")


def test_barcodes_are_those_of_the_films():
    assert draw_participant(TEST.start + 5).barcode == "016603000005"


def test_sex_age_and_body_mass_index_are_distributed_as_in_oai(cohort):
    assert np.mean([one.sex == "F" for one in cohort]) == pytest.approx(0.585, abs=0.03)
    age = np.array([one.age_years for one in cohort])
    assert (age.min(), age.max()) == (45, 79)
    assert np.percentile(age, [25, 50, 75]) == pytest.approx([53, 61, 69], abs=1)
    for subcohort, quartiles in (("incidence", (24.6, 27.8, 31.1)), ("progression", (26.6, 29.7, 33.4))):
        bmi = [one.bmi for one in cohort if one.subcohort == subcohort]
        assert np.percentile(bmi, [25, 50, 75]) == pytest.approx(quartiles, abs=0.7)


def test_the_progression_subcohort_is_as_large_as_in_oai(cohort):
    # 1,327 of 4,498 (PMC6284324, Table 1).
    assert np.mean([one.subcohort == "progression" for one in cohort]) == pytest.approx(1327 / 4498, abs=0.03)


def test_birthdays_agree_with_ages(cohort):
    for one in cohort:
        before_birthday = (one.exam_date.month, one.exam_date.day) < (one.birth_date.month, one.birth_date.day)
        assert one.exam_date.year - one.birth_date.year - before_birthday == one.age_years


def test_examinations_lie_on_weekdays_while_oai_enrolled(cohort):
    days = [one.exam_date for one in cohort]
    assert min(days) >= date(2004, 2, 1)
    assert max(days) <= date(2006, 5, 31)
    assert max(day.weekday() for day in days) <= 4


def test_group_c_is_the_first_half_of_the_enrolment(cohort):
    assert max(one.exam_date for one in cohort if one.cohort == "C") <= min(
        one.exam_date for one in cohort if one.cohort == "E"
    )
    assert np.mean([one.cohort == "C" for one in cohort]) == pytest.approx(2686 / 4796, abs=0.03)


def test_osteoarthritis_now_is_osteoarthritis_ever(cohort):
    now = np.array([max(knee["XRKL"] for knee in one.grades.values()) >= 2 for one in cohort])
    ever = np.array([one.ever_oa for one in cohort])
    assert ever[now].all()
    assert ever[~now].mean() == pytest.approx(0.154, abs=0.04)


def test_women_are_smaller_and_fat_follows_the_body_mass_index(traits):
    women = np.array([one.sex == "F" for one in traits])
    size, fat, bmi = (np.array([getattr(one, name) for one in traits]) for name in ("size", "fat", "bmi"))
    # Bicondylar width 78.5 +- 3.0 mm in women and 88.6 +- 4.2 mm in men (test of the source in participants.py).
    assert size[women].mean() / size[~women].mean() == pytest.approx(78.5 / 88.6, abs=0.01)
    assert size.mean() == pytest.approx(1.0, abs=0.01)
    assert fat[women].mean() > 1.2 * fat[~women].mean()
    assert np.corrcoef(fat, bmi)[0, 1] > 0.5
    assert fat.mean() == pytest.approx(1.0, abs=0.06)
    assert np.corrcoef(size[women], [one.height_cm for one in traits if one.sex == "F"])[0, 1] > 0.4


def test_traits_are_those_of_the_participant():
    for seeds in (TRAINING, TEST, LESION_ENRICHED):
        participant, traits = draw_participant(seeds.start + 9), participant_traits(seeds.start + 9)
        assert (participant.sex, participant.age_years, participant.bmi, participant.height_cm) == (
            traits.sex,
            traits.age_years,
            traits.bmi,
            traits.height_cm,
        )
