"""OAI's tables about the participants of a release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from monai_xray2mri.simulation.knee.film.film_options import PROSTHESES
from monai_xray2mri.simulation.knee.people.oai_tables import (
    FILM_DESCRIPTION,
    SeriesEntry,
    write_clinical,
    write_contents,
    write_enrollees,
    write_gradings,
    write_radiographs,
)
from monai_xray2mri.simulation.knee.people.participants import Participant
from monai_xray2mri.simulation.knee.people.table_oddities import NO_ODDITIES, TableOddities
from monai_xray2mri.simulation.knee.release.header import STUDY_DESCRIPTION
from monai_xray2mri.simulation.knee.release.layout import (
    CLINICAL,
    CONTENTS,
    ENROLLEES,
    EXAMINATIONS,
    GRADINGS,
    MR_DESCRIPTION,
    VISIT,
    mr_barcode,
    places,
)
from monai_xray2mri.simulation.knee.release.settings import ReleaseSettings, film_options


def write_tables(root: Path, participants: Sequence[Participant], settings: ReleaseSettings) -> list[Path]:
    """Write all tables of a release, replacing those of an earlier run.

    Args:
        root: folder of the release.
        participants: participants whose images are complete.
        settings: settings of the release.

    Returns:
        Paths of the tables.

    Raises:
        UsageError: a file cannot be written.
    """
    oddities = TableOddities.oai() if settings.oddities == "oai" else NO_ODDITIES
    series = [entry for participant in participants for entry in series_of(participant)]
    graded = [as_graded(participant, settings) for participant in participants]
    return [
        write_gradings(root / GRADINGS, graded, oddities, settings.structural_missingness),
        write_radiographs(root / EXAMINATIONS, participants, oddities),
        write_enrollees(root / ENROLLEES, participants, oddities),
        write_clinical(root / CLINICAL, participants, oddities),
        write_contents(root / CONTENTS, series, oddities=oddities),
    ]


def series_of(participant: Participant) -> list[SeriesEntry]:
    """Entries of ``contents.csv`` for the two series of a participant."""
    where = places(participant)
    listed = (
        (where.film, participant.barcode, FILM_DESCRIPTION),
        (where.mr, mr_barcode(participant), MR_DESCRIPTION),
    )
    return [
        SeriesEntry(
            folder=folder.relative_to(VISIT).as_posix(),
            participant=participant.number,
            study_date=participant.exam_date,
            barcode=barcode,
            study_description=STUDY_DESCRIPTION,
            series_description=description,
        )
        for folder, barcode, description in listed
    ]


def as_graded(participant: Participant, settings: ReleaseSettings) -> Participant:
    """The participant without grades of knees with a prosthesis, which readers cannot grade."""
    metal = film_options(settings, participant.seed).hardware
    grades = {side: {} if metal.get(side) in PROSTHESES else knee for side, knee in participant.grades.items()}
    return replace(participant, grades=grades)
