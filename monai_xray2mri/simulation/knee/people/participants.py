"""Simulated participants with the distributions of OAI's cohort at baseline.

Sex, age, body mass index and subcohort follow published tables of OAI (sources at each constant and in
``docs/simulation/cohort.md``). The grades are those of the images of the same seed
(:func:`~monai_xray2mri.simulation.knee.people.grades.patient_grades`). No participant is a real person. A participant
number may also belong to a participant of the real OAI, so real and simulated releases must never share a folder.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

import torch

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.simulation.knee.people.grades import Prevalence, patient_grades
from monai_xray2mri.simulation.knee.people.seeds import SEED_RANGES, knee_generator, seed_range_name
from monai_xray2mri.types import Side

Sex = Literal["F", "M"]
Subcohort = Literal["progression", "incidence"]

_NUMBERS: Final = 1_000_000
_FIRST_NUMBER: Final = 9_000_000
_STEP: Final = 387_421  # coprime to one million, so its multiples reach every number once
PARTICIPANTS_PER_RANGE: Final = _NUMBERS // len(SEED_RANGES)
"""Number of seeds at the start of each range that have a participant number."""

_MEN: Final = 0.415
"""Share of men among 4,796 participants (PMC7886009, Table 1)."""
_AGE_QUARTILES: Final = (45.0, 53.5, 61.5, 69.5, 80.0)
"""Minimum, quartiles and maximum of the age. OAI enrolled people of 45 to 79; the quartiles in whole years are 53 (54
with osteoarthritis), 61 and 69 (PMC6284324, Table 1)."""
_BMI: Final[Mapping[Subcohort, tuple[float, float]]] = {"incidence": (27.8, 0.174), "progression": (29.7, 0.169)}
"""Median, and standard deviation of the logarithm. Published medians and quartiles: 27.8 (24.6 to 31.1) and 29.7 (26.6
to 33.4) (PMC6284324, Table 1)."""
_BMI_LIMITS: Final = (17.0, 50.0)
_PROGRESSION: Final = (0.06, 0.13, 0.31, 0.55, 0.72)
"""Probability of the progression subcohort by the worse knee's KL grade: 69/1145, 90/669, 408/1331, 481/874, 211/292
(PMC6284324, Table 1)."""
_INCIDENT: Final = 0.154
"""Share of participants without radiographic osteoarthritis at baseline who had it after 48 months: 11.9 % + 3.5 %
(Wright State CORE Scholar, kinesiology_health/74)."""
_LONGITUDINAL: Final = {True: 0.29, False: 0.58}
"""Probability of reading project 37 for participants who ever had osteoarthritis, and who never had it. It is solved
from the number of rows of OAI's baseline table: 12,813 in all, 7,110 with osteophytes, 5,506 with sclerosis
(:mod:`~monai_xray2mri.simulation.knee.people.readings`)."""
_FIRST_EXAM: Final = date(2004, 3, 1)
_EXAM_DAYS: Final = 821  # to the end of May 2006
_FIRST_HALF: Final = 2_686 / 4_796
"""Group C is the first 2,686 participants (docs/knee/oai.md)."""

_KNEE_SIZE: Final[Mapping[Sex, float]] = {"F": 0.946, "M": 1.076}
"""Factor on lengths, with a mean of 1 over the cohort, from bicondylar widths of 78.5 mm in women and 88.6 mm in men
(hindawi.com/journals/ari/2012/679658)."""
_KNEE_SIZE_SPREAD: Final = 0.045
"""Relative standard deviation of bicondylar width: 3.0/78.5 and 4.2/88.6 (same source), 3.5/72.5 and 4.0/82.7
(foliamedica.mf.unsa.ba, article 144)."""
_HEIGHT_CM: Final[Mapping[Sex, float]] = {"F": 163.0, "M": 177.0}
"""Mean height; an estimate, as are the following numbers."""
_HEIGHT_SPREAD_CM: Final = 6.5
_HEIGHT_WITH_SIZE: Final = 0.6
_FAT_PER_BMI: Final = 0.04
_FAT_OF_SEX: Final[Mapping[Sex, float]] = {"F": 1.12, "M": 0.83}
_FAT_SPREAD: Final = 0.2
_FAT_LIMITS: Final = (0.4, 2.2)


@dataclass(frozen=True)
class Traits:
    """Traits of a participant that determine size and fat of the knee.

    Attributes:
        sex: ``"F"`` or ``"M"``, the values of DICOM Patient's Sex (0010,0040).
        age_years: age at the examination in whole years.
        bmi: body mass index in kg/m2.
        height_cm: standing height in cm.
        size: factor on the knee's lengths; the mean of the cohort is 1.
        fat: factor on the thickness of subcutaneous fat; the mean of the cohort is 1.
    """

    sex: Sex
    age_years: int
    bmi: float
    height_cm: float
    size: float
    fat: float


@dataclass(frozen=True)
class Participant:
    """A simulated participant of a cohort like OAI's.

    Attributes:
        seed: seed of the right knee and of the film.
        number: participant number, seven digits beginning with 9 as in OAI; unique over all seed ranges.
        sex: ``"F"`` or ``"M"``.
        age_years: age at the examination in whole years.
        bmi: body mass index in kg/m2.
        height_cm: standing height in cm.
        birth_date: date of birth; agrees with the age at the examination.
        exam_date: date of film and MR: a weekday between March 2004 and May 2006, when OAI enrolled.
        grades: side to the 19 grades.
        ever_oa: whether a knee has definite radiographic osteoarthritis (KL 2 or more) at this or a later visit.
        longitudinal: whether the film was read again in OAI's reading project 37.
        subcohort: ``"progression"`` or ``"incidence"``.
        cohort: participant group of OAI's image releases: ``"C"`` (first half of the enrolled) or ``"E"`` (second).
    """

    seed: int
    number: int
    sex: Sex
    age_years: int
    bmi: float
    height_cm: float
    birth_date: date
    exam_date: date
    grades: Mapping[Side, Mapping[str, int]]
    ever_oa: bool
    longitudinal: bool
    subcohort: Subcohort
    cohort: Literal["C", "E"]

    @property
    def barcode(self) -> str:
        """Barcode of the film, also its Accession Number: 0166 and eight digits, which also name its folder."""
        return f"0166{self.seed:08d}"


def draw_participant(seed: int, prevalence: Prevalence | None = None) -> Participant:
    """The participant of a seed; equal arguments give equal participants.

    Args:
        seed: one of the first ``PARTICIPANTS_PER_RANGE`` seeds of a range of
            :mod:`~monai_xray2mri.simulation.knee.people.seeds`.
        prevalence: prevalence of the grades; None takes that of the seed's range, which :func:`simulate_knee` shows.

    Raises:
        InputRefused: the seed lies outside all ranges, or too far into one to have a participant number.
        UsageError: the prevalence is unknown.
    """
    number = participant_number(seed)
    grades = {side: patient_grades(seed, side, prevalence) for side in Side}
    draws = _Draws(seed)
    traits = _traits(draws, grades)
    worst = max(knee["XRKL"] for knee in grades.values())
    ever_oa = worst >= 2 or draws.incident < _INCIDENT
    exam_day = int(draws.exam * _EXAM_DAYS)
    exam_date = _weekday(_FIRST_EXAM + timedelta(days=exam_day))
    return Participant(
        seed=seed,
        number=number,
        sex=traits.sex,
        age_years=traits.age_years,
        bmi=traits.bmi,
        height_cm=traits.height_cm,
        birth_date=_birth_date(exam_date, traits.age_years, draws.birthday),
        exam_date=exam_date,
        grades=grades,
        ever_oa=ever_oa,
        longitudinal=draws.longitudinal < _LONGITUDINAL[ever_oa],
        subcohort=_subcohort(draws, grades),
        cohort="C" if exam_day < _FIRST_HALF * _EXAM_DAYS else "E",
    )


def participant_traits(seed: int) -> Traits:
    """Sex, age and body mass index of the participant of a seed, and the size and fat of the knee.

    Args:
        seed: a seed of any range, also one without a participant number.

    Raises:
        InputRefused: the seed lies outside all ranges.
    """
    return _traits(_Draws(seed), {side: patient_grades(seed, side) for side in Side})


def participant_number(seed: int) -> int:
    """Participant number of a seed: seven digits beginning with 9, as in OAI, unique over all ranges.

    Raises:
        InputRefused: the seed lies outside all ranges, or beyond the first ``PARTICIPANTS_PER_RANGE`` of its range.
    """
    name = seed_range_name(seed)
    offset = seed - SEED_RANGES[name].start
    if offset >= PARTICIPANTS_PER_RANGE:
        raise InputRefused(
            "seed of a participant",
            f"must be one of the first {PARTICIPANTS_PER_RANGE} of the {name} range to have a number of its own",
            str(seed),
            f"Use a seed below {SEED_RANGES[name].start + PARTICIPANTS_PER_RANGE}.",
        )
    position = offset * len(SEED_RANGES) + list(SEED_RANGES).index(name)
    return _FIRST_NUMBER + position * _STEP % _NUMBERS


class _Draws:
    """The random numbers of one participant, drawn in a fixed order."""

    def __init__(self, seed: int) -> None:
        generator = knee_generator(seed, "participant")
        uniform = torch.rand(8, generator=generator, dtype=torch.float64).tolist()
        normal = torch.randn(16, generator=generator, dtype=torch.float64).clamp(-2.5, 2.5).tolist()
        self.sex, self.age, self.exam, self.birthday, self.incident, self.longitudinal, self.subcohort, _ = uniform
        self.bmi, self.size, self.height, self.fat = normal[:4]


def _traits(draws: _Draws, grades: Mapping[Side, Mapping[str, int]]) -> Traits:
    sex: Sex = "M" if draws.sex < _MEN else "F"
    median, spread = _BMI[_subcohort(draws, grades)]
    bmi = min(max(median * math.exp(spread * draws.bmi), _BMI_LIMITS[0]), _BMI_LIMITS[1])
    stature = _HEIGHT_WITH_SIZE * draws.size + math.sqrt(1.0 - _HEIGHT_WITH_SIZE**2) * draws.height
    fat = _FAT_OF_SEX[sex] * (1.0 + _FAT_PER_BMI * (bmi - 28.5)) * math.exp(_FAT_SPREAD * draws.fat)
    return Traits(
        sex=sex,
        age_years=int(_quantile(draws.age, _AGE_QUARTILES)),
        bmi=round(bmi, 1),
        height_cm=round(_HEIGHT_CM[sex] + _HEIGHT_SPREAD_CM * stature, 1),
        size=_KNEE_SIZE[sex] * (1.0 + _KNEE_SIZE_SPREAD * draws.size),
        fat=min(max(fat, _FAT_LIMITS[0]), _FAT_LIMITS[1]),
    )


def _subcohort(draws: _Draws, grades: Mapping[Side, Mapping[str, int]]) -> Subcohort:
    worst = max(knee["XRKL"] for knee in grades.values())
    return "progression" if draws.subcohort < _PROGRESSION[worst] else "incidence"


def _quantile(share: float, quartiles: tuple[float, ...]) -> float:
    """The quantile of a share, linear between minimum, quartiles and maximum."""
    part = share * (len(quartiles) - 1)
    low = int(part)
    return quartiles[low] + (part - low) * (quartiles[low + 1] - quartiles[low])


def _weekday(day: date) -> date:
    """The day itself, or the Friday before if it is on a weekend."""
    return day - timedelta(days=max(0, day.weekday() - 4))


def _birth_date(exam: date, age_years: int, share: float) -> date:
    """A date of birth that gives the age at the examination; ``share`` (0 to 1) chooses the day of the year."""
    latest = date(exam.year - age_years, exam.month, min(exam.day, 28))
    return latest - timedelta(days=int(share * 364))
