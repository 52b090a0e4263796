"""Simulated participants: who the knees belong to, shaped like OAI's cohort at baseline.

Sex, age, body mass index and subcohort follow published tables of OAI (sources at each constant and in
``docs/simulation/cohort.md``); the gradings are those that the images of the same seed show
(:func:`~monai_xray2mri.simulation.knee.people.grades.patient_grades`). Nobody is real. A number may be that of a
participant of the real OAI, so the two must never share a folder.
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
_STEP: Final = 387_421  # shares no factor with a million: stepping by it meets every number once
PARTICIPANTS_PER_RANGE: Final = _NUMBERS // len(SEED_RANGES)
"""So many of the first seeds of each range have a participant number of their own."""

_MEN: Final = 0.415
"""Share of men among 4,796 participants (PMC7886009, Table 1)."""
_AGE_QUARTILES: Final = (45.0, 53.5, 61.5, 69.5, 80.0)
"""Enrolled at 45 to 79; in whole years quartiles 53 (54 with osteoarthritis), 61 and 69 (PMC6284324, Table 1)."""
_BMI: Final[Mapping[Subcohort, tuple[float, float]]] = {"incidence": (27.8, 0.174), "progression": (29.7, 0.169)}
"""Median and spread of the logarithm: 27.8 (24.6 to 31.1) and 29.7 (26.6 to 33.4) (PMC6284324, Table 1)."""
_BMI_LIMITS: Final = (17.0, 50.0)
_PROGRESSION: Final = (0.06, 0.13, 0.31, 0.55, 0.72)
"""Chance of the progression subcohort by the worse knee's KL: 69/1145, 90/669, 408/1331, 481/874, 211/292 (ibid.)."""
_INCIDENT: Final = 0.154
"""Of participants without radiographic osteoarthritis 11.9 % and 3.5 % had it after 48 months (Wright State CORE
Scholar, kinesiology_health/74)."""
_LONGITUDINAL: Final = {True: 0.29, False: 0.58}
"""Chance of reading project 37 for those with osteoarthritis ever, and never: solved from the rows of OAI's baseline
table, 12,813 in all, 7,110 with osteophytes and 5,506 with sclerosis
(:mod:`~monai_xray2mri.simulation.knee.people.readings`)."""
_FIRST_EXAM: Final = date(2004, 3, 1)
_EXAM_DAYS: Final = 821  # to the end of May 2006
_FIRST_HALF: Final = 2_686 / 4_796
"""Group C is the first 2,686 participants (docs/knee/oai.md)."""

_KNEE_SIZE: Final[Mapping[Sex, float]] = {"F": 0.946, "M": 1.076}
"""Bicondylar width 78.5 mm in women and 88.6 mm in men (hindawi.com/journals/ari/2012/679658), about a mean of 1."""
_KNEE_SIZE_SPREAD: Final = 0.045
"""3.0/78.5 and 4.2/88.6 (ibid.); 3.5/72.5 and 4.0/82.7 (foliamedica.mf.unsa.ba, article 144)."""
_HEIGHT_CM: Final[Mapping[Sex, float]] = {"F": 163.0, "M": 177.0}
"""An estimate, as are the next numbers."""
_HEIGHT_SPREAD_CM: Final = 6.5
_HEIGHT_WITH_SIZE: Final = 0.6
_FAT_PER_BMI: Final = 0.04
_FAT_OF_SEX: Final[Mapping[Sex, float]] = {"F": 1.12, "M": 0.83}
_FAT_SPREAD: Final = 0.2
_FAT_LIMITS: Final = (0.4, 2.2)


@dataclass(frozen=True)
class Traits:
    """What shapes the knee of a participant, independent of what readers see on it.

    Attributes:
        sex: ``"F"`` or ``"M"``, as DICOM Patient's Sex (0010,0040) has it.
        age_years: at the examination, whole years.
        bmi: body mass index in kg/m2.
        height_cm: standing height.
        size: factor on the knee's lengths; 1 is the mean of the cohort, women are smaller.
        fat: factor on the subcutaneous fat's thickness; 1 is the mean of the cohort.
    """

    sex: Sex
    age_years: int
    bmi: float
    height_cm: float
    size: float
    fat: float


@dataclass(frozen=True)
class Participant:
    """A simulated participant of an OAI-shaped cohort.

    Attributes:
        seed: of the right knee and the film.
        number: seven digits beginning with 9, as OAI's; no other participant of any seed range has it.
        sex: ``"F"`` or ``"M"``.
        age_years: at the examination.
        bmi: body mass index in kg/m2.
        height_cm: standing height.
        birth_date: agrees with the age at the examination.
        exam_date: of film and MR; a weekday between March 2004 and May 2006, when OAI enrolled.
        grades: side to the 19 grades.
        ever_oa: definite radiographic osteoarthritis (KL 2 or more) of a knee at some visit, this or a later one.
        longitudinal: read again in OAI's reading project 37.
        subcohort: ``"progression"`` or ``"incidence"``.
        cohort: ``"C"`` or ``"E"``, the image release's group: first or second half of those enrolled.
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
        """Barcode of the film, which is its Accession Number: 0166 and eight digits, of which OAI names the folder."""
        return f"0166{self.seed:08d}"


def draw_participant(seed: int, prevalence: Prevalence | None = None) -> Participant:
    """The participant of a seed; the same arguments give the same participant for ever.

    Args:
        seed: one of the first ``PARTICIPANTS_PER_RANGE`` of a range of
            :mod:`~monai_xray2mri.simulation.knee.people.seeds`.
        prevalence: overrides how frequent the grades are; the images of the seed show those of its range.

    Raises:
        InputRefused: a seed outside all ranges, or too far into one to have a participant number of its own.
        UsageError: a prevalence of another name.
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
    """Sex, age, body mass index and what follows from them for the anatomy of a seed's knee.

    Args:
        seed: of any range; it needs no participant number.

    Raises:
        InputRefused: a seed outside all ranges.
    """
    return _traits(_Draws(seed), {side: patient_grades(seed, side) for side in Side})


def participant_number(seed: int) -> int:
    """OAI-like number of the participant of a seed: seven digits beginning with 9, each given once over all ranges.

    Raises:
        InputRefused: a seed outside all ranges, or beyond the first ``PARTICIPANTS_PER_RANGE`` of its range.
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
    """Random numbers of one participant: always the same ones in the same order."""

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
    """The value below which a share of people lies, straight lines between the quartiles."""
    part = share * (len(quartiles) - 1)
    low = int(part)
    return quartiles[low] + (part - low) * (quartiles[low + 1] - quartiles[low])


def _weekday(day: date) -> date:
    """The day itself, or the Friday before a weekend."""
    return day - timedelta(days=max(0, day.weekday() - 4))


def _birth_date(exam: date, age_years: int, share: float) -> date:
    """A date of birth that makes one of the given age at the examination."""
    latest = date(exam.year - age_years, exam.month, min(exam.day, 28))
    return latest - timedelta(days=int(share * 364))
