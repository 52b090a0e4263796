"""The readings of one OAI film from a table, for films without a structured report."""

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
    """The gradings of a film from a table of semi-quantitative readings (``kXR_SQ_BU00.txt``, or of another visit).

    A row belongs to the film if its ID is the film's Patient ID and its barcode the film's Accession Number, each in
    any of OAI's notations. The reading project is that of the visit
    (:func:`~monai_xray2mri.knee.oai.visits.project_of`).

    Args:
        path: the table.
        film: header of the radiograph.

    Returns:
        Side to grading, the right knee first; ``Grading.source`` is ``"OAI reading"``. Empty if the table does not
        hold the film.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        InputRefused: it is another table, or its rows of one knee contradict each other.
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
