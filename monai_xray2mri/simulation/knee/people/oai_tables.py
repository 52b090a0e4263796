"""OAI's tables about simulated participants: readings, radiographs, contents, enrollees, clinical data.

Columns and values are those of the real files (docs/knee/oai.md), limited to the columns that this project uses.
:class:`~monai_xray2mri.simulation.knee.people.table_oddities.TableOddities` adds the irregularities of the real files.
Every file is written whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, Literal

from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.simulation.knee.people.participants import Participant
from monai_xray2mri.simulation.knee.people.readings import TABLE_VERSION, ReadingTable
from monai_xray2mri.simulation.knee.people.seeds import knee_generator
from monai_xray2mri.simulation.knee.people.table_oddities import NO_ODDITIES, TableOddities, chances

FILM_DESCRIPTION: Final = "Bilateral PA Fixed Flexion Knee"
ContentsVariant = Literal["barcode", "accession", "long"]

_CHECKED: Final = 0.297
"""Share of films that quality control examined: 2,059 Y and 4,878 YD among 6,961 baseline knees."""
_PROBLEMS: Final = {"ALIGN": 0.064, "CENTER": 0.021, "DEPICT": 0.001, "POSITN": 0.018}
"""Share of the films of these knees with an X for each problem: 448, 146, 6 and 128 (counts published with the manifest
of a public repository)."""
_ACCEPTANCE: Final = {
    "Y": "'Y': QCd and found to be acceptable",
    "YD": "'YD': Not QCd and accepted by default",
    "NR": "'NR'",
}
_NO_PROBLEM: Final = "' '  : Not QCd or meets QC standard"


@dataclass(frozen=True)
class SeriesEntry:
    """One series as ``contents.csv`` lists it.

    Attributes:
        folder: path relative to the visit's folder, with ``/``: ``0.C.2/9000296/20040909/00593103``.
        participant: participant number.
        study_date: date of the examination.
        barcode: the Accession Number, twelve digits.
        study_description: description of the study.
        series_description: ``Bilateral PA Fixed Flexion Knee``, ``COR_T1_3D_FLASH_RIGHT`` ...
    """

    folder: str
    participant: int
    study_date: date
    barcode: str
    study_description: str
    series_description: str


def write_gradings(
    path: Path,
    participants: Iterable[Participant],
    oddities: TableOddities = NO_ODDITIES,
    structural_missingness: bool = False,
    visit: str = "V00",
) -> Path:
    """Write the table of readings, ``kXR_SQ_BU00.txt``: one row per participant, side and reading project.

    Reading project 15 read every knee; project 37 read the knees of ``longitudinal`` participants again.

    Args:
        path: the file.
        participants: participants whose readings are written.
        oddities: irregularities of the table.
        structural_missingness: leave out the features that OAI's readers did not read: osteophytes, chondrocalcinosis,
            sclerosis, cysts and attrition of participants who never had definite osteoarthritis; in project 37 also
            sclerosis, cysts and attrition of all others.
        visit: prefix of the columns, ``V00`` to ``V10``.

    Returns:
        ``path``.

    Raises:
        UsageError: the file cannot be written, or the prefix is unknown.
    """
    table = ReadingTable(oddities, structural_missingness, visit)
    rows = [row for participant in participants for row in table.rows(participant)]
    return _write_table(path, table.header, rows, "|", oddities)


def write_radiographs(path: Path, participants: Iterable[Participant], oddities: TableOddities = NO_ODDITIES) -> Path:
    """Write the table of radiographs and their quality control, ``XRay00.txt``: one row per film.

    Args:
        path: the file.
        participants: participants whose films are listed.
        oddities: irregularities of the table.

    Returns:
        ``path``.

    Raises:
        UsageError: the file cannot be written.
    """
    names = ("EXAMTP", "XRSIDE", "XRDATE", "XRBARCD", "XRCOMP", "ACCEPT", *_PROBLEMS)
    header = ["ID", "VERSION", *(f"V00{name}" for name in names)]
    return _write_table(path, header, [_radiograph_row(one, oddities) for one in participants], "|", oddities)


def write_enrollees(path: Path, participants: Iterable[Participant], oddities: TableOddities = NO_ODDITIES) -> Path:
    """Write the table of enrolled participants, ``Enrollees.txt``: sex, subcohort, half of the cohort.

    Args:
        path: the file.
        participants: participants in the table.
        oddities: irregularities of the table.

    Returns:
        ``path``.

    Raises:
        UsageError: the file cannot be written.
    """
    rows = [
        [
            str(one.number),
            TABLE_VERSION,
            oddities.value(1, "Male") if one.sex == "M" else oddities.value(2, "Female"),
            oddities.value(1, "Progression") if one.subcohort == "progression" else oddities.value(2, "Incidence"),
            oddities.value(1, "First half of cohort")
            if one.cohort == "C"
            else oddities.value(2, "Second half of cohort"),
        ]
        for one in participants
    ]
    return _write_table(path, ["ID", "VERSION", "P02SEX", "V00COHORT", "V00CHRTHLF"], rows, "|", oddities)


def write_clinical(path: Path, participants: Iterable[Participant], oddities: TableOddities = NO_ODDITIES) -> Path:
    """Write the clinical table, ``AllClinical00.txt``: age in years, BMI in kg/m2, height in mm, weight in kg.

    Args:
        path: the file.
        participants: participants in the table.
        oddities: irregularities of the table.

    Returns:
        ``path``.

    Raises:
        UsageError: the file cannot be written.
    """
    rows = [
        [
            str(one.number),
            TABLE_VERSION,
            str(one.age_years),
            f"{one.bmi:.1f}",
            f"{10 * one.height_cm:.0f}",
            f"{one.bmi * (one.height_cm / 100) ** 2:.1f}",
        ]
        for one in participants
    ]
    return _write_table(path, ["ID", "VERSION", "V00AGE", "P01BMI", "P01HEIGHT", "P01WEIGHT"], rows, "|", oddities)


def write_contents(
    path: Path,
    series: Iterable[SeriesEntry],
    variant: ContentsVariant = "barcode",
    oddities: TableOddities = NO_ODDITIES,
) -> Path:
    """Write ``contents.csv`` of a visit: one row per series.

    Args:
        path: the file.
        series: the series in the table.
        variant: form of the barcode column. ``"barcode"``: the digits after 0166 without leading zeros.
            ``"accession"``: the same digits under the name AccessionNumber. ``"long"``: all twelve digits.
        oddities: irregularities of the table. ``padded_text``, ``lost_leading_zeros`` (long form only),
            ``lower_case_columns`` and ``duplicate_rows`` apply.

    Returns:
        ``path``.

    Raises:
        UsageError: the file cannot be written, or the variant is unknown.
    """
    if variant not in ("barcode", "accession", "long"):
        raise UsageError("variant of contents.csv", "must be barcode, accession or long", str(variant))
    name = "AccessionNumber" if variant == "accession" else "Barcode"
    header = ["Folder", "ParticipantID", "StudyDate", name, "StudyDescription", "SeriesDescription"]
    padding = "   " if oddities.padded_text else ""
    rows = [
        [
            one.folder,
            str(one.participant),
            f"{one.study_date:%Y%m%d}",
            oddities.barcode(one.barcode) if variant == "long" else one.barcode[4:].lstrip("0").zfill(6),
            one.study_description,
            one.series_description + padding,
        ]
        for one in series
    ]
    return _write_table(path, header, rows, ",", oddities)


def _radiograph_row(participant: Participant, oddities: TableOddities) -> list[str]:
    acceptance, rejected, *problems = chances(knee_generator(participant.seed, "film quality"), 2 + len(_PROBLEMS))
    code = "NR" if rejected < oddities.unreadable_films else "Y" if acceptance < _CHECKED else "YD"
    marked = [chance < share for chance, share in zip(problems, _PROBLEMS.values(), strict=True)]
    coded = oddities.coded_values
    return [
        str(participant.number),
        TABLE_VERSION,
        FILM_DESCRIPTION + ("  " if oddities.padded_text else ""),
        oddities.value(3, "Bilateral"),
        f"{participant.exam_date:%m/%d/%Y}",
        oddities.barcode(participant.barcode),
        oddities.value(1, "Yes"),
        _ACCEPTANCE[code] if coded else code,
        *(("'X'" if mark else _NO_PROBLEM) if coded else "X" if mark else "" for mark in marked),
    ]


def _write_table(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], delimiter: str, oddities: TableOddities
) -> Path:
    """Write a table in ASCII. No value contains the delimiter, so no value is quoted."""
    names = [name.lower() for name in header] if oddities.lower_case_columns else list(header)
    lines = [names, *oddities.with_duplicates(rows)]
    return write_whole(path, "".join(delimiter.join(line) + "\n" for line in lines).encode("ascii"))
