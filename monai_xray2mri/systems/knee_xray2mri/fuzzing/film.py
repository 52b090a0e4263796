"""The study that is mutated: one radiograph of an invented patient, whose identity must never be said."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

from monai_xray2mri.radiograph.knee.joint import REGION_MM
from monai_xray2mri.radiograph.resampling import resize

PIXELS: Final = 160
"""Rows and columns of the film: the fewest that still make a knee, since thousands are read."""
IDENTIFIERS: Final = {
    "PatientName": "Verborgen^Mutant",
    "PatientID": "MUTANT-4711",
    "AccessionNumber": "ACC-SECRET-12",
    "PatientBirthDate": "19600405",
    "InstitutionName": "Hidden Hospital",
    "ReferringPhysicianName": "Heimlich^Doctor",
    "PatientComments": "lives at Secret Lane 7",
}
"""What identifies the invented patient."""


def make_film(picture: np.ndarray) -> Dataset:
    """A CR image of a right knee, as a department sends it.

    Args:
        picture: [n,n] in [0,1], a region of 110 mm, bone bright.
    """
    stored = np.rint(4095 * resize(picture, (PIXELS, PIXELS)).clip(0, 1)).astype("<u2")
    film = Dataset()
    for keyword, value in IDENTIFIERS.items():
        setattr(film, keyword, value)
    film.SpecificCharacterSet = "ISO_IR 192"
    film.SOPClassUID = ComputedRadiographyImageStorage
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        setattr(film, keyword, generate_uid(entropy_srcs=["mutation", keyword]))
    film.Modality, film.PatientAge, film.PatientSex = "CR", "060Y", "F"
    film.StudyDate = film.AcquisitionDate = "20200102"
    film.StudyTime = film.AcquisitionTime = "101112"
    film.BodyPartExamined, film.ViewPosition, film.ImageLaterality = "KNEE", "PA", "R"
    film.PatientOrientation = ["L", "F"]
    film.ImagerPixelSpacing = [f"{REGION_MM / PIXELS:.6f}"] * 2
    film.Rows, film.Columns, film.SamplesPerPixel = PIXELS, PIXELS, 1
    film.PhotometricInterpretation, film.PixelRepresentation = "MONOCHROME2", 0
    film.BitsAllocated, film.BitsStored, film.HighBit = 16, 12, 11
    film.PixelData = stored.tobytes()
    film["PixelData"].VR = "OW"
    film.file_meta = FileMetaDataset()
    film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return film


def save(film: Dataset, folder: Path, name: str = "film.dcm") -> Path:
    """Write a film, valid or not; its identity in the file meta information follows what is left of it."""
    path = folder / name
    film.file_meta.MediaStorageSOPClassUID = UID(str(film.get("SOPClassUID") or ComputedRadiographyImageStorage))
    film.file_meta.MediaStorageSOPInstanceUID = UID(str(film.get("SOPInstanceUID") or "1.2.3"))
    film.save_as(path, enforce_file_format=True)
    return path


def stored_values(film: Dataset) -> np.ndarray:
    """The stored values [H,W] of the unmutated film."""
    return np.frombuffer(film.PixelData, "<u2").reshape(film.Rows, film.Columns)
