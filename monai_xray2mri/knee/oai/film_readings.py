"""The central readings of one film from an OAI table, for films of OAI that come without a report."""

from __future__ import annotations

from pathlib import Path

from pydicom import Dataset

from monai_xray2mri.dicom.structured_report import text_value
from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.knee.grading.record import Grading
from monai_xray2mri.knee.oai.readings import (
    ReadingTables,
    add_table,
    grading_of,
    holds_readings,
    is_reading_column,
    select_reading,
)
from monai_xray2mri.knee.oai.tables import barcode, participant_number, read_columns, read_table
from monai_xray2mri.types import Side


def oai_gradings(path: Path, film: Dataset) -> dict[Side, Grading]:
    """The rows of a film in a table of semi-quantitative readings (``kXR_SQ_BU00.txt`` and its like).

    A row belongs to the film if its ID is the film's Patient ID and its barcode the film's Accession Number, both in
    any of OAI's spellings; of the reading projects the one that counts at the visit is taken.

    Args:
        path: the table.
        film: header of the radiograph.

    Returns:
        Side to grading, the right knee first, with `Grading.source` ``"OAI reading"``; empty if the table does not
        hold the film.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        InputRefused: it is no such table, or its rows of a knee contradict each other.
    """
    path = Path(path)
    name = f"OAI table {path.name}"
    if not path.is_file():
        raise UsageError(name, "must be a file", "none at that path", "Check the path.")
    if not holds_readings(read_columns(path) or ()):
        raise InputRefused(
            name, "must hold ID, SIDE and graded features", "other columns", "Give a table kXR_SQ_BUxx of OAI."
        )
    tables = ReadingTables()
    add_table(tables, read_table(path, path.name, is_reading_column))
    participant, film_code = (
        participant_number(text_value(film, "PatientID")),
        barcode(text_value(film, "AccessionNumber")),
    )
    found: dict[Side, Grading] = {}
    for side in Side:
        readings = [
            reading
            for key in sorted(tables.knees())
            if (key.participant, key.side) == (participant, side)
            for reading in tables.readings[key]
            if film_code is not None and reading.film == film_code
        ]
        if readings:
            found[side] = grading_of(select_reading(readings, [film_code]))
    return found
