"""Tables other than the readings: quality control of the films; age, sex and body mass index of the participants."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from monai_xray2mri.knee.oai.tables import Table, barcode, is_missing, number, participant_number

ACCEPTED: Final = frozenset({"Y", "YD"})
"""V00ACCEPT of usable films: Y is "QCd and found to be acceptable", YD "Not QCd and accepted by default"
(docs/knee/oai.md)."""
REJECTED: Final = frozenset({"NR", "NA"})
"""V00ACCEPT of films that are not used. Films with another code (a rare ``P``) are used with a remark."""

_FILM_COLUMN: Final = re.compile(r"^V\d\d(XRBARCD|ACCEPT)$")
_CODE: Final = re.compile(r"^\s*'?([A-Z]+)'?\s*(?:$|:)")
"""A code in either encoding: ``YD`` or ``'YD': Not QCd and accepted by default``."""
_AGE: Final = re.compile(r"^V00AGE$")
_SEX: Final = re.compile(r"^P02SEX$")
_BMI: Final = re.compile(r"^(P01|V00)BMI$")
_SEXES: Final = {1.0: "M", 2.0: "F"}


@dataclass(frozen=True)
class Covariates:
    """Covariates of a participant at baseline; None where the tables have no value.

    Attributes:
        age: in years.
        sex: ``"M"`` or ``"F"``.
        bmi: body mass index in kg/m2.
    """

    age: float | None = None
    sex: str | None = None
    bmi: float | None = None


@dataclass
class ParticipantTables:
    """The content of the tables about films and participants.

    Attributes:
        acceptance: barcode of a film to its code of V00ACCEPT.
        covariates: participant number to age, sex and BMI.
        bad_rows: (table and line, reason) of rows that cannot be used.
    """

    acceptance: dict[str, str] = field(default_factory=dict)
    covariates: dict[str, Covariates] = field(default_factory=dict)
    bad_rows: list[tuple[str, str]] = field(default_factory=list)


def holds_films(columns: Iterable[str]) -> bool:
    """Whether a table with these columns (in capitals) is ``XRay00`` or that of another visit."""
    names = [name for name in columns if _FILM_COLUMN.match(name)]
    return len({name[3:] for name in names}) == 2


def holds_covariates(columns: Iterable[str]) -> bool:
    """Whether a table with these columns (in capitals) holds age, sex or BMI."""
    names = set(columns)
    return "ID" in names and any(rule.match(name) for name in names for rule in (_AGE, _SEX, _BMI))


def is_participant_column(name: str) -> bool:
    """Whether this module reads a column (in capitals)."""
    return name == "ID" or any(rule.match(name) for rule in (_FILM_COLUMN, _AGE, _SEX, _BMI))


def add_films(tables: ParticipantTables, table: Table) -> None:
    """Read the acceptance of films; rows without a barcode are ignored."""
    tables.bad_rows += _bad_lines(table)
    for row in table.rows:
        codes = {name[:3]: text for name, text in row.values.items() if name.endswith("ACCEPT")}
        for visit, text in codes.items():
            film = barcode(row.values.get(f"{visit}XRBARCD"))
            match = _CODE.match(text.upper())
            if film and match:
                tables.acceptance[film] = match[1]


def add_covariates(tables: ParticipantTables, table: Table) -> None:
    """Read age, sex and BMI; values of earlier tables are kept."""
    tables.bad_rows += _bad_lines(table)
    for row in table.rows:
        participant = participant_number(row.values.get("ID"))
        if participant is None:
            tables.bad_rows.append((f"{table.name}, line {row.line}", "ID cannot be read"))
            continue
        known = tables.covariates.get(participant, Covariates())
        sex = _SEXES.get(_first(row.values, _SEX) or 0.0)
        tables.covariates[participant] = Covariates(
            age=known.age if known.age is not None else _first(row.values, _AGE),
            sex=known.sex or sex,
            bmi=known.bmi if known.bmi is not None else _first(row.values, _BMI),
        )


def _first(values: dict[str, str], rule: re.Pattern[str]) -> float | None:
    """The first value among the columns that match a rule, in the order of the columns."""
    texts = [text for name, text in sorted(values.items()) if rule.match(name) and not is_missing(text)]
    return number(texts[0]) if texts else None


def _bad_lines(table: Table) -> list[tuple[str, str]]:
    return [(f"{table.name}, line {line}", "another number of fields") for line in table.bad_lines]
