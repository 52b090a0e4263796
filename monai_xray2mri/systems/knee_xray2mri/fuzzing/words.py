"""What people and devices say of a study: sides in words, values that stand for none, reports of vendors, archives."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

import numpy as np
from pydicom import Dataset
from pydicom.uid import ComprehensiveSRStorage, generate_uid

from monai_xray2mri.systems.knee_xray2mri.fuzzing.benign import Study, edited
from monai_xray2mri.systems.knee_xray2mri.fuzzing.film import save

RIGHT: Final = ("RIGHT", "right", "Ri", "RT", "RECHTS", "droite", "DERECHA", "destro", "правый", "右", "R")
LEFT: Final = ("LEFT", "Le", "LT", "links", "GAUCHE", "IZQ", "sinistra", "левый", "左", "L")
NEUTRAL: Final = (
    "RODILLA GONARTROSIS LEVE", "R/O FX KNEE", "OA Cat 2", "KNEE 3D L5", "KNEE AP/L", "cast left on", "膝", "Knie a.p.",
)  # fmt: skip
NOTHING: Final[dict[str, tuple[object, ...]]] = {
    "BodyPartExamined": ("NONE", "UNDEFINED", "OTHER", "DEFAULT", "GENU", "RODILLA", "N/A"),
    "PatientBirthDate": ("19000101", "20200102"),
    "PatientOrientation": ("ANONYMIZED", ["NONE", "NONE"], ["X", "Y"]),
    "Laterality": ("U", "N/A", "UNKNOWN", ""),
    "PatientSpeciesDescription": ("UNKNOWN", "Human"),
}
"""Attribute to values that say nothing."""
VALUES: Final = ("3", "Grade 2", "II", "severe", "-1", "2-3", "99", "", "NA", "Verborgen", "nan", "1e9")


def _chosen(random: np.random.Generator, values: tuple[str, ...]) -> str:
    return values[int(random.integers(len(values)))]


def _write_side_out(film: Dataset, random: np.random.Generator) -> None:
    film.ImageLaterality = _chosen(random, RIGHT)
    if random.integers(2):
        _code_side(film, random)


def _describe(film: Dataset, random: np.random.Generator) -> None:
    film.SeriesDescription = f"{_chosen(random, NEUTRAL)} {_chosen(random, ('', 'right'))}"
    film.StudyDescription = _chosen(random, NEUTRAL)


def _say_nothing(film: Dataset, random: np.random.Generator) -> None:
    keyword = _chosen(random, tuple(NOTHING))
    setattr(film, keyword, NOTHING[keyword][int(random.integers(len(NOTHING[keyword])))])
    if random.integers(2):
        film.PixelSpacing, film.ImagerPixelSpacing = film.ImagerPixelSpacing, ["0", "0"]


def _code_side(film: Dataset, random: np.random.Generator) -> None:
    film.PrimaryAnatomicStructureModifierSequence = [_code("24028007", "SCT", "Right")]
    film.ProcedureCodeSequence = [_code(_chosen(random, ("73562-RT", "73560RT", "73564")), "C4", "XR knee")]


def _pack(film: Dataset, folder: Path, random: np.random.Generator) -> None:
    path = save(film, folder)
    with zipfile.ZipFile(folder / "study.zip", "w") as archive:
        archive.write(path, "../../film.dcm")
    (folder / "PAT0").symlink_to(folder, target_is_directory=True)


def _pack_alone(film: Dataset, folder: Path, random: np.random.Generator) -> None:
    _pack(film, folder, random)
    (folder / "film.dcm").unlink()


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _add_report_of_a_vendor(film: Dataset, folder: Path, random: np.random.Generator) -> None:
    save(film, folder)
    report, side = Dataset(), Dataset()
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID"):
        setattr(report, keyword, film.get(keyword))
    report.file_meta, report.Modality, report.SOPClassUID = film.file_meta, "SR", ComprehensiveSRStorage
    report.SOPInstanceUID = generate_uid(entropy_srcs=["vendor"])
    side.ValueType, side.RelationshipType = "CODE", "HAS CONCEPT MOD"
    side.ConceptNameCodeSequence = [_code("272741003", "SCT", "Laterality")]
    side.ConceptCodeSequence = [_code("24028007", "SCT", "Right")]
    items = [side]
    for number in range(int(random.integers(1, 6))):
        item, name = Dataset(), _chosen(random, ("Kellgren-Lawrence grade", "JSN medial", "Osteophyte", "Effusion"))
        item.ValueType = _chosen(random, ("TEXT", "CODE"))
        item.ConceptNameCodeSequence = [_code(f"C{number}", "99VENDOR", name)]
        item.TextValue = _chosen(random, VALUES)
        item.ConceptCodeSequence = [_code(_chosen(random, ("GRADE2", "Q7")), "99VENDOR", _chosen(random, VALUES))]
        items.append(item)
    report.ContentSequence = items
    save(report, folder, "report.dcm")


def _say_the_other_side(film: Dataset, random: np.random.Generator) -> None:
    keyword = _chosen(random, ("ImageLaterality", "Laterality", "SeriesDescription", "ProtocolName"))
    setattr(film, keyword, _chosen(random, LEFT))


def _say_an_unknown_side(film: Dataset, random: np.random.Generator) -> None:
    film.ImageLaterality = _chosen(random, ("X", "R?", "1", "Verborgen", "B", "R\\L", "RL"))


BENIGN_WORDS: Final[dict[str, Study]] = {
    "side in words and codes": edited(_write_side_out),
    "descriptions without a side": edited(_describe),
    "values that stand for none": edited(_say_nothing),
    "archive and link": _pack,
}
HARMFUL_WORDS: Final[dict[str, Study]] = {
    "the other side": edited(_say_the_other_side),
    "unknown side": edited(_say_an_unknown_side),
    "report of a vendor": _add_report_of_a_vendor,
    "only an archive": _pack_alone,
}
"""Name to mutation, as in ``BENIGN`` and ``HARMFUL``."""
