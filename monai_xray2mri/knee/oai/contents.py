"""``contents.csv``: OAI's list of the series of a visit.

The files of the visits differ: the barcode is in the column Barcode or AccessionNumber, in the long form or without
leading zeros, and descriptions may have blanks around them (docs/knee/oai.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from monai_xray2mri.knee.oai.tables import Table, barcode, participant_number

_COLUMNS = frozenset({"FOLDER", "PARTICIPANTID", "STUDYDATE", "BARCODE", "ACCESSIONNUMBER", "SERIESDESCRIPTION"})
_SERIES = 3
"""The last three folders of a path identify a series: participant, date, series."""

SeriesPath = tuple[str, ...]


@dataclass(frozen=True)
class Listed:
    """An entry of contents.csv.

    Attributes:
        participant: participant number of seven digits, or None.
        description: SeriesDescription without surrounding blanks.
        barcode: twelve digits, or None.
    """

    participant: str | None
    description: str
    barcode: str | None


def holds_contents(columns: Iterable[str]) -> bool:
    """Whether a table with these columns (in capitals) is a contents.csv."""
    return {"FOLDER", "PARTICIPANTID", "SERIESDESCRIPTION"} <= set(columns)


def is_contents_column(name: str) -> bool:
    """Whether this module reads a column (in capitals)."""
    return name in _COLUMNS


def series_path(folder: Path | str) -> SeriesPath | None:
    r"""Participant, date and series of a folder given with ``/`` or ``\``; None if it is too short."""
    parts = PurePosixPath(str(folder).strip().replace("\\", "/")).parts
    return parts[-_SERIES:] if len(parts) >= _SERIES else None


def listed_series(table: Table) -> dict[SeriesPath, Listed]:
    """The entries of a contents.csv, by path of the series.

    Args:
        table: table with the columns of :func:`is_contents_column`.
    """
    found = {}
    for row in table.rows:
        path = series_path(row.values["FOLDER"])
        if path is None:
            table.bad_lines.append(row.line)
            continue
        code = row.values.get("BARCODE") or row.values.get("ACCESSIONNUMBER")
        participant = participant_number(row.values["PARTICIPANTID"])
        description = re.sub(r"\s+", " ", row.values["SERIESDESCRIPTION"]).strip()
        found[path] = Listed(participant, description, barcode(code))
    return found
