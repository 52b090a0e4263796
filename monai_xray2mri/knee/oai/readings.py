"""The central readings of the knee radiographs (``kXR_SQ_BU``): the grades of each knee.

Sources: docs/knee/oai.md. The unique key of a row is (ID, SIDE, READPRJ).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.grading.features import FEATURE_BY_STEM, validate_grades
from monai_xray2mri.knee.grading.record import Grading
from monai_xray2mri.knee.oai.tables import Row, Table, barcode, is_missing, number, participant_number, side_of
from monai_xray2mri.knee.oai.visits import RECODED_PROJECTS, known_visit, project_of
from monai_xray2mri.types import Side

Missing = Literal["unknown", "zero"]

DEFINITE_OA: Final = 2
"""Least Kellgren and Lawrence grade of definite radiographic osteoarthritis."""
ALWAYS_READ: Final = frozenset({"XRKL", "XRJSM", "XRJSL"})
"""Features that were read in every knee. The others were read only in participants who had definite osteoarthritis
in at least one knee at one or more visits (OAI's notes, quoted in docs/knee/oai.md)."""

_VARIABLE: Final = re.compile(r"^(V\d\d)(XR[A-Z]+)$")
_BARCODE: Final = re.compile(r"^(V\d\d)BARCDBU$")
_KEYS: Final = frozenset({"ID", "SIDE", "READPRJ"})


@dataclass(frozen=True, order=True)
class KneeKey:
    """A knee at a visit.

    Attributes:
        participant: participant number of seven digits.
        visit: ``"V00"`` ...
        side: side of the knee.
    """

    participant: str
    visit: str
    side: Side

    @property
    def name(self) -> str:
        """Name of files and folders: ``9000296R`` at baseline, ``9000296R_V06`` at other visits."""
        visit = "" if self.visit == "V00" else f"_{self.visit}"
        return f"{self.participant}{self.side.value}{visit}"


@dataclass(frozen=True)
class Reading:
    """One row of a reading table.

    Attributes:
        key: the knee that it grades.
        project: READPRJ, recoded; None if the table has no such column.
        film: barcode of the film that was read; None if the row has none.
        values: OAI stem to the text of its grade.
        place: table and line, for the report.
        remarks: values that were recoded.
    """

    key: KneeKey
    project: int | None
    film: str | None
    values: Mapping[str, str]
    place: str
    remarks: tuple[str, ...] = ()


@dataclass
class ReadingTables:
    """All readings of a release.

    Attributes:
        readings: knee to its readings by the reading project of its visit.
        definite_oa: participants with a knee of Kellgren and Lawrence grade 2 or more at any visit in the tables.
        bad_rows: (table and line, reason) of rows that cannot be used.
        not_used: counts of correct rows that are not used, by reason.
    """

    readings: dict[KneeKey, list[Reading]] = field(default_factory=lambda: defaultdict(list))
    definite_oa: set[str] = field(default_factory=set)
    bad_rows: list[tuple[str, str]] = field(default_factory=list)
    not_used: Counter[str] = field(default_factory=Counter)

    def knees(self) -> Iterable[KneeKey]:
        """The knees that have a reading."""
        return self.readings.keys()


def holds_readings(columns: Iterable[str]) -> bool:
    """Whether a table with these columns (in capitals) holds semi-quantitative readings."""
    names = set(columns)
    return {"ID", "SIDE"} <= names and any(_stem(name) for name in names)


def is_reading_column(name: str) -> bool:
    """Whether this module reads a column (in capitals)."""
    return name in _KEYS or bool(_BARCODE.match(name)) or _stem(name) is not None


def _stem(column: str) -> tuple[str, str] | None:
    """(visit, stem) of a column of grades; None for another column."""
    match = _VARIABLE.match(column)
    return (match[1], match[2]) if match and match[2] in FEATURE_BY_STEM else None


def add_table(tables: ReadingTables, table: Table) -> None:
    """Add the rows of a reading table to the readings.

    Args:
        tables: the readings, which are changed.
        table: table with the columns of :func:`is_reading_column`.
    """
    tables.bad_rows += [(f"{table.name}, line {line}", "another number of fields") for line in table.bad_lines]
    visits = sorted({found[0] for name in table.columns if (found := _stem(name)) and known_visit(found[0])})
    seen: set[tuple[tuple[str, str], ...]] = set()
    for row in table.rows:
        place = f"{table.name}, line {row.line}"
        participant, side = participant_number(row.values.get("ID")), side_of(row.values.get("SIDE"))
        if participant is None or side is None:
            tables.bad_rows.append((place, "ID or SIDE cannot be read"))
            continue
        identity = tuple(sorted(row.values.items()))
        if identity in seen:
            tables.not_used["rows that repeat another one exactly"] += 1
            continue
        seen.add(identity)
        for visit in visits:
            _add_reading(tables, _reading(row, KneeKey(participant, visit, side), place))


def _reading(row: Row, key: KneeKey, place: str) -> Reading:
    values = {found[1]: text for name, text in row.values.items() if (found := _stem(name)) and found[0] == key.visit}
    film = barcode(row.values.get(f"{key.visit}BARCDBU"))
    told = number(row.values.get("READPRJ"))
    project = None if told is None else int(told)
    if project in RECODED_PROJECTS:
        recoded = RECODED_PROJECTS[project]
        return Reading(key, recoded, film, values, place, (f"READPRJ {project} was taken as {recoded}",))
    return Reading(key, project, film, values, place)


def _add_reading(tables: ReadingTables, reading: Reading) -> None:
    """Add a reading if it is of the reading project of its visit; its KL grade always counts for ``definite_oa``."""
    grade = number(reading.values.get("XRKL"))
    if grade is not None and grade >= DEFINITE_OA:
        tables.definite_oa.add(reading.key.participant)
    if all(is_missing(text) for text in reading.values.values()):
        tables.not_used["rows without any grade"] += 1
    elif reading.project not in (None, project_of(reading.key.visit)):
        tables.not_used[f"rows of reading project {reading.project} at {reading.key.visit}"] += 1
    else:
        tables.readings[reading.key].append(reading)


def select_reading(readings: Iterable[Reading], films: Iterable[str | None]) -> Reading:
    """The reading of a knee that is used.

    Args:
        readings: readings of the knee by the project of its visit; not empty.
        films: barcodes of the participant's films of that visit.

    Returns:
        The reading; of several, one of a film in ``films``.

    Raises:
        InputRefused: several rows contradict each other.
    """
    candidates = list(readings)
    there = {film for film in films if film}
    if len(candidates) > 1:
        candidates = [reading for reading in candidates if reading.film in there] or candidates
    first = candidates[0]
    if any(dict(other.values) != dict(first.values) for other in candidates[1:]):
        places = " and ".join(reading.place for reading in candidates)
        raise InputRefused("gradings", "each knee may be graded once per reading project", f"rows differ: {places}")
    if len(candidates) > 1:
        return replace(first, remarks=(*first.remarks, f"{len(candidates)} equal gradings, the first was taken"))
    return first


def grading_of(reading: Reading, missing: Missing = "unknown", had_definite_oa: bool = True) -> Grading:
    """The 19 features of a reading.

    OAI did not read some features in participants without definite osteoarthritis. With ``missing="zero"`` they count
    as absent (grade 0), as in published code. With ``"unknown"`` they stay unknown. Note that *unknown* is informative
    then: such a participant had no osteoarthritis at any visit, also not later (docs/knee/oai.md).

    Args:
        reading: the row.
        missing: value of the features that OAI did not read.
        had_definite_oa: whether any knee of the participant had KL 2 or more at any visit.

    Returns:
        The grading, clipped to Table I with remarks.

    Raises:
        InputRefused: a value is neither a grade nor missing.
    """
    texts: dict[str, object] = {
        stem: None if is_missing(reading.values.get(stem)) else reading.values[stem] for stem in FEATURE_BY_STEM
    }
    grading = validate_grades(texts, source="OAI reading", name=f"gradings, {reading.place}")
    remarks = (*reading.remarks, *grading.remarks)
    grades = dict(grading.grades)
    structural = [stem for stem, grade in grades.items() if grade is None and stem not in ALWAYS_READ]
    if missing == "zero" and not had_definite_oa and grades["XRKL"] is not None and structural:
        grades.update(dict.fromkeys(structural, 0))
        remarks = (*remarks, f"{len(structural)} features not read without definite osteoarthritis, taken as 0")
    return replace(grading, grades=grades, remarks=remarks)
