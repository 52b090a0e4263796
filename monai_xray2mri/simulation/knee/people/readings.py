"""Rows of the table of readings ``kXR_SQ_BU``: the readings of simulated knees in the form of OAI's readers.

OAI's notes say which features were read: KL and joint space narrowing in all participants, the others "only in
participants with definite radiographic OA [in] at least one knee at one (or more) of the time points"
(docs/knee/oai.md). At baseline 55.5 % of all rows hold osteophytes and chondrocalcinosis, and 43.0 % hold sclerosis,
cysts and attrition. We infer that the second reading project left these three out; this explains both numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from monai_xray2mri.errors import UsageError
from monai_xray2mri.simulation.knee.people.grades import MAXIMAL_GRADES
from monai_xray2mri.simulation.knee.people.participants import Participant
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION, knee_generator
from monai_xray2mri.simulation.knee.people.table_oddities import TableOddities, chances
from monai_xray2mri.types import Side

TABLE_VERSION: Final = f"sim {SIMULATOR_VERSION}"
"""Value of the column VERSION of every table."""
FIRST_PROJECT: Final = 15
SECOND_PROJECT: Final = 37
MISLABELED_PROJECT: Final = 42
"""Stands for 37: "Users should recode these participants from READPRJ=42 to READPRJ=37" (OAI, kXR_SQ_BU)."""

_SIDES: Final = {Side.RIGHT: (1, "Right"), Side.LEFT: (2, "Left")}
_ALWAYS_READ: Final = ("XRKL", "XRJSM", "XRJSL")
_READ_TWICE: Final = (*_ALWAYS_READ, *(stem for stem in MAXIMAL_GRADES if stem[:4] in ("XROS", "XRCH")))
_BEYOND_TABLE_1: Final = ("XRATTM", "XRATTL", "XRCYTM")
_MISSING_FORM: Final = ".: Missing Form/Incomplete Workbook"
_NOT_EXPECTED: Final = ".A: Not Expected"
_NO_BARCODE: Final = "T"


class ReadingTable:
    """Header and rows of the table of readings.

    Args:
        oddities: irregularities of the table.
        structural_missingness: leave out the features that OAI's readers did not read.
        visit: prefix of the columns, ``V00`` to ``V10``.

    Raises:
        UsageError: the prefix is unknown.
    """

    def __init__(self, oddities: TableOddities, structural_missingness: bool, visit: str = "V00") -> None:
        if not re.fullmatch(r"V\d\d", visit):
            raise UsageError("visit", "must be V and two digits", visit)
        self._oddities = oddities
        self._structural = structural_missingness
        self._visit = visit

    @property
    def header(self) -> list[str]:
        """Names of the columns."""
        return [
            "ID",
            "SIDE",
            "READPRJ",
            "VERSION",
            f"{self._visit}BARCDBU",
            *(f"{self._visit}{s}" for s in MAXIMAL_GRADES),
        ]

    def rows(self, participant: Participant) -> list[list[str]]:
        """Rows of both knees, for one or two reading projects; a knee with a prosthesis has no grades and no row."""
        projects = (FIRST_PROJECT, SECOND_PROJECT) if participant.longitudinal else (FIRST_PROJECT,)
        sides = [side for side in _SIDES if participant.grades[side]]
        return [self._row(participant, side, project) for project in projects for side in sides]

    def _row(self, participant: Participant, side: Side, project: int) -> list[str]:
        stream = f"reading {side.value} {project} {self._visit}"
        barcode, change, direction, *per_feature = chances(
            knee_generator(participant.seed, stream), 3 + 3 * len(MAXIMAL_GRADES)
        )
        grades = dict(participant.grades[side])
        if project == SECOND_PROJECT and change < self._oddities.disagreements:
            grades["XRKL"] = _another_kl(grades["XRKL"], direction)
        written = MISLABELED_PROJECT if project == SECOND_PROJECT and self._oddities.project_42 else project
        return [
            str(participant.number),
            self._oddities.value(*_SIDES[side]),
            str(written),
            TABLE_VERSION,
            _NO_BARCODE if barcode < self._oddities.barcodes_t else self._oddities.barcode(participant.barcode),
            *self._values(grades, project, participant.ever_oa, per_feature),
        ]

    def _values(self, grades: Mapping[str, int], project: int, ever_oa: bool, drawn: list[float]) -> list[str]:
        values = []
        for position, (stem, grade) in enumerate(grades.items()):
            missing, beyond, decimal = drawn[3 * position : 3 * position + 3]
            if self._structural and not _is_read(stem, project, ever_oa):
                values.append(_NOT_EXPECTED if self._oddities.coded_values else "")
            elif missing < self._oddities.missing_forms:
                values.append(_MISSING_FORM)
            elif stem.startswith("XRJS") and grade in (1, 2) and beyond < self._oddities.decimals:
                values.append(f"{grade}.{2 * (1 + int(4 * decimal))}")
            else:
                raised = stem in _BEYOND_TABLE_1 and grade == 1 and beyond < self._oddities.above_range
                values.append(self._grade(stem, 2 if raised else grade))
        return values

    def _grade(self, stem: str, grade: int) -> str:
        ordinal = MAXIMAL_GRADES[stem] == 3
        return self._oddities.value(grade, f"Grade {grade}" if ordinal else str(grade))


def _is_read(stem: str, project: int, ever_oa: bool) -> bool:
    """Whether OAI's readers read a feature in a reading project."""
    if stem in _ALWAYS_READ:
        return True
    return ever_oa and (project == FIRST_PROJECT or stem in _READ_TWICE)


def _another_kl(grade: int, direction: float) -> int:
    """A KL grade that differs from the given one by 1."""
    if grade in (0, MAXIMAL_GRADES["XRKL"]):
        return abs(grade - 1)
    return grade + (1 if direction < 0.5 else -1)
