"""What hospitals, vendors and people make of a study: mutations after public reports, benign ones first."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image
from pydicom import Dataset
from pydicom.uid import (
    DigitalXRayImageStorageForProcessing,
    JPEGLSLossless,
    KeyObjectSelectionDocumentStorage,
    generate_uid,
)

from monai_xray2mri.dicom.rejection import REASONS
from monai_xray2mri.systems.knee_xray2mri.fuzzing.benign import Study, edited
from monai_xray2mri.systems.knee_xray2mri.fuzzing.film import save, stored_values
from monai_xray2mri.systems.knee_xray2mri.fuzzing.words import BENIGN_WORDS, HARMFUL_WORDS


def _second(film: Dataset, random: np.random.Generator, **attributes: object) -> Dataset:
    """Another film of the study, with other pixels."""
    other = deepcopy(film)
    other.SOPInstanceUID = generate_uid(entropy_srcs=["second", str(random.integers(1 << 30))])
    other.PixelData = (stored_values(film) // 2 + 1000).astype("<u2").tobytes()
    for keyword, value in attributes.items():
        setattr(other, keyword, value)
    return other


def _save_both(film: Dataset, other: Dataset, folder: Path, random: np.random.Generator) -> None:
    names = ["1.dcm", "2.dcm"]
    random.shuffle(names)
    save(film, folder, names[0])
    save(other, folder, names[1])


def _reject_retake(film: Dataset, folder: Path, random: np.random.Generator) -> None:
    retake = _second(film, random, AcquisitionTime="101500")
    _save_both(film, retake, folder, random)
    save(_rejection(film, [retake], random), folder, "kos.dcm")


def _rejection(film: Dataset, rejected: list[Dataset], random: np.random.Generator) -> Dataset:
    """A rejection note of the study."""
    note, title, study, series = Dataset(), Dataset(), Dataset(), Dataset()
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID"):
        setattr(note, keyword, film.get(keyword))
    note.file_meta, note.Modality = deepcopy(film.file_meta), "KO"
    note.SOPClassUID, note.SOPInstanceUID = KeyObjectSelectionDocumentStorage, generate_uid(entropy_srcs=["note"])
    title.CodeValue, title.CodingSchemeDesignator = str(random.choice(list(REASONS))), "DCM"
    note.ValueType, note.ConceptNameCodeSequence = "CONTAINER", [title]
    series.SeriesInstanceUID, series.ReferencedSOPSequence = film.SeriesInstanceUID, []
    for other in rejected:
        reference = Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = other.SOPClassUID, other.SOPInstanceUID
        series.ReferencedSOPSequence.append(reference)
    study.StudyInstanceUID, study.ReferencedSeriesSequence = film.StudyInstanceUID, [series]
    note.CurrentRequestedProcedureEvidenceSequence = [study]
    return note


def _add_raw(film: Dataset, folder: Path, random: np.random.Generator) -> None:
    raw = {"SOPClassUID": DigitalXRayImageStorageForProcessing, "Modality": "DX", "InstanceNumber": 7}
    _save_both(film, _second(film, random, PresentationIntentType="FOR PROCESSING", **raw), folder, random)


def _add_copy(film: Dataset, folder: Path, random: np.random.Generator) -> None:
    copy = _second(film, random, ImageType=["DERIVED", "SECONDARY"], AcquisitionTime="120000")
    _save_both(film, copy, folder, random)


def _add_viewer(film: Dataset, folder: Path, random: np.random.Generator) -> None:
    save(film, folder)
    Image.new("RGB", (64, 64), "red").save(folder / "logo.png")
    Image.fromarray((stored_values(film) >> 4).astype(np.uint8)).save(folder / "1000L.jpg")


def _write_name_otherwise(film: Dataset, folder: Path, random: np.random.Generator) -> None:
    film.PatientID = ""
    name = str(random.choice(["VERBORGEN^MUTANT", "Mutant Verborgen", "Verborgen, Mutant", "Verborgen^M"]))
    save(film, folder)
    save(_second(film, random, PatientName=name, AcquisitionTime="090000"), folder, "older.dcm")


def _declare_fewer_bits(film: Dataset, random: np.random.Generator) -> None:
    if random.integers(2):
        film.compress(JPEGLSLossless)
    film.BitsStored = int(random.integers(8, 12))
    film.HighBit = film.BitsStored - 1


def _draw_in_unused_bits(film: Dataset, random: np.random.Generator) -> None:
    values = stored_values(film).copy()
    top, left = random.integers(0, 100, 2)
    values[top : top + 40, left : left + 40] |= np.uint16(1 << int(random.integers(12, 16)))
    film.PixelData = values.tobytes()


def _tell_useless_windows(film: Dataset, random: np.random.Generator) -> None:
    film.WindowCenter, film.WindowWidth = "2048", str(random.choice(["0", "-1", "nan", "1", ""]))
    if random.integers(2):
        film.VOILUTSequence = [Dataset()]


def _add_another_name(film: Dataset, folder: Path, random: np.random.Generator) -> None:
    film.PatientID = ""
    save(film, folder)
    save(_second(film, random, PatientName="Verborgen^Other"), folder, "other.dcm")


def _reject_everything(film: Dataset, folder: Path, random: np.random.Generator) -> None:
    save(film, folder)
    save(_rejection(film, [film], random), folder, "kos.dcm")


def _tell_random_table(film: Dataset, random: np.random.Generator) -> None:
    item = Dataset()
    count = int(random.integers(0, 5000))
    item.add_new("LUTDescriptor", "US", [count, int(random.integers(0, 65536)), int(random.integers(0, 33))])
    item.add_new("LUTData", "OW", random.bytes(2 * int(random.integers(0, 5000))))
    keyword = str(random.choice(["VOILUTSequence", "ModalityLUTSequence"]))
    setattr(film, keyword, [item] * int(random.integers(1, 3)))


def _tell_random_bits(film: Dataset, random: np.random.Generator) -> None:
    film.BitsStored, film.HighBit = int(random.integers(0, 18)), int(random.integers(0, 18))
    film.PixelRepresentation = int(random.integers(2))


BENIGN_FIELD: Final[dict[str, Study]] = {
    "rejected retake": _reject_retake,
    "raw film of the shot": _add_raw,
    "secondary copy": _add_copy,
    "pictures of a viewer": _add_viewer,
    "name in another form": _write_name_otherwise,
    "fewer bits declared": edited(_declare_fewer_bits),
    "drawing in unused bits": edited(_draw_in_unused_bits),
    "window of no use": edited(_tell_useless_windows),
    **BENIGN_WORDS,
}
HARMFUL_FIELD: Final[dict[str, Study]] = {
    "another patient's name": _add_another_name,
    "every film rejected": _reject_everything,
    "random look-up table": edited(_tell_random_table),
    "random bits": edited(_tell_random_bits),
    **HARMFUL_WORDS,
}
"""Name to mutation, as in ``BENIGN`` and ``HARMFUL``."""
