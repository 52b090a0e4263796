"""Reads all tables of a release: readings, films, participants, contents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from monai_xray2mri.knee.oai import contents, covariates, readings
from monai_xray2mri.knee.oai.contents import Listed, SeriesPath
from monai_xray2mri.knee.oai.covariates import ParticipantTables
from monai_xray2mri.knee.oai.join import Skipped
from monai_xray2mri.knee.oai.readings import ReadingTables
from monai_xray2mri.knee.oai.release import TRUTH_FOLDER
from monai_xray2mri.knee.oai.tables import Table, find_tables, participant_number, read_table


@dataclass
class Tables:
    """The content of the tables of a release.

    Attributes:
        readings: gradings of knees.
        participants: acceptance of films, age, sex and BMI.
        listed: entries of contents.csv by path of the series.
        names: kind of table (``"readings"``, ``"films"``, ``"participants"``, ``"contents"``) to names of the tables.
        skipped: tables and rows that cannot be used.
    """

    readings: ReadingTables = field(default_factory=ReadingTables)
    participants: ParticipantTables = field(default_factory=ParticipantTables)
    listed: dict[SeriesPath, Listed] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)


_Holds = Callable[[Iterable[str]], bool]
_Wanted = Callable[[str], bool]


def gather_tables(folders: Sequence[Path]) -> Tables:
    """Read all known tables below the given folders. The columns of a table determine its kind.

    Args:
        folders: the release and, if tables lie elsewhere, their folders.

    Raises:
        OSError: a folder cannot be read.
    """
    tables = Tables()
    kinds: tuple[tuple[str, _Holds, _Wanted, Callable[[Table], None]], ...] = (
        (
            "readings",
            readings.holds_readings,
            readings.is_reading_column,
            lambda t: readings.add_table(tables.readings, t),
        ),
        (
            "films",
            covariates.holds_films,
            covariates.is_participant_column,
            lambda t: covariates.add_films(tables.participants, t),
        ),
        (
            "participants",
            covariates.holds_covariates,
            covariates.is_participant_column,
            lambda t: covariates.add_covariates(tables.participants, t),
        ),
        ("contents", contents.holds_contents, contents.is_contents_column, lambda t: _add_contents(tables, t)),
    )
    seen: set[Path] = set()
    for folder in folders:
        for path, columns in find_tables(folder, _is_skipped):
            if path.resolve() in seen:
                continue
            seen.add(path.resolve())
            name = path.name  # without the folder, whose name has blanks
            for kind, holds, wanted, add in kinds:
                if holds(columns):
                    _read(tables, path, name, kind, wanted, add)
    tables.skipped += [
        Skipped(place, reason, broken=True)
        for place, reason in (*tables.readings.bad_rows, *tables.participants.bad_rows)
    ]
    return tables


def _is_skipped(folder: str) -> bool:
    """Whether a folder is not searched for tables: those of the (thousands of) participants, and of the truth."""
    return folder == TRUTH_FOLDER or participant_number(folder) is not None


def _read(tables: Tables, path: Path, name: str, kind: str, wanted: _Wanted, add: Callable[[Table], None]) -> None:
    try:
        table = read_table(path, name, wanted)
    except (OSError, ValueError) as error:
        tables.skipped.append(Skipped(f"table {name}", f"cannot be read: {type(error).__name__}", broken=True))
        return
    add(table)
    tables.names.setdefault(kind, []).append(name)


def _add_contents(tables: Tables, table: Table) -> None:
    tables.listed.update(contents.listed_series(table))
    tables.skipped += [
        Skipped(f"{table.name}, line {line}", "another number of fields, or no folder", broken=True)
        for line in table.bad_lines
    ]
