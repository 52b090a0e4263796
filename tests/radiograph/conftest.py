"""Films for the radiograph tests: a drawn knee (no data needed), real crops, and DICOM headers around them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

MakeDataset = Callable[..., Dataset]
DrawFilm = Callable[..., np.ndarray]

FILM_MM = 0.5
"""Pixel size of drawn films."""


def draw_leg(rows: int, columns: int, joint: tuple[float, float], mm: float = FILM_MM) -> np.ndarray:
    """A leg [rows,columns] in [0,1] whose joint line and middle lie at (row, column) in mm; 0 is air."""
    y = (np.arange(rows) + 0.5)[:, None] * mm - joint[0]
    x = (np.arange(columns) + 0.5)[None] * mm - joint[1]
    leg = 0.35 * (np.abs(x) < 58) * np.ones_like(y)
    half_width = np.where(np.abs(y) < 30, 41.0, 41.0 - np.minimum((np.abs(y) - 30) * 0.8, 24))
    round_bone = 0.4 + 0.35 * np.sqrt(np.maximum(1 - (x / half_width) ** 2, 0))  # thin at its border, as bone is
    leg = np.where(np.abs(x) < half_width, round_bone, leg)
    depth = y + 11 * np.exp(-0.5 * (x / 12) ** 2)
    inside = np.abs(x) < 41
    leg = np.where(inside & (np.abs(depth - 6.5) < 2.3), 0.85, leg)
    leg = np.where(inside & (np.abs(depth) < 2.6), 0.4, leg)
    fibula = (np.abs(x + 40) < 8) & (y > 20)  # a right leg: the fibula at the image's left
    return np.where(fibula, np.maximum(leg, 0.6), leg)


def add_noise(film: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 0.01, film.shape)
    return np.clip(0.02 + 0.9 * film + noise, 0, 1).astype(np.float32)


@pytest.fixture(scope="session")
def draw_film() -> DrawFilm:
    """Draw a film with legs whose joints lie at the given (row, column) in mm; a left leg is marked by ``"L"``."""

    def draw(height_mm: float, width_mm: float, *legs: tuple[float, float, str], mm: float = FILM_MM) -> np.ndarray:
        rows, columns = round(height_mm / mm), round(width_mm / mm)
        film = np.zeros((rows, columns))
        for row, column, side in legs:
            if side == "L":
                film = np.maximum(film, draw_leg(rows, columns, (row, width_mm - column), mm)[:, ::-1])
            else:
                film = np.maximum(film, draw_leg(rows, columns, (row, column), mm))
        return add_noise(film)

    return draw


@pytest.fixture(scope="session")
def knee_crop(draw_film: DrawFilm) -> np.ndarray:
    """A drawn right knee, [220,220] in [0,1] at 0.5 mm."""
    return draw_film(110, 110, (63.75, 55, "R"))


@pytest.fixture(scope="session")
def real_crops(shared_data: Path) -> dict[str, np.ndarray]:
    """Some unprocessed OAI crops, [299,299] uint8, by file stem."""
    files = sorted((shared_data / "knee_xray_rois_raw").rglob("*.png"))[::6]
    return {file.stem: np.asarray(Image.open(file).convert("L")) for file in files}


@pytest.fixture(scope="session")
def make_dataset() -> MakeDataset:
    """Build a CR data set around pixels in [0,1]; keywords replace or, if None, remove attributes."""

    def make(pixels: np.ndarray, *, bits: int = 12, **attributes: object) -> Dataset:
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.file_meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
        dataset.SOPClassUID, dataset.SOPInstanceUID = ComputedRadiographyImageStorage, generate_uid()
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
        dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition = "CR", "KNEE", "PA"
        dataset.PatientName, dataset.PatientID, dataset.PatientAge = "Secret^Name", "SECRET-4711", "061Y"
        dataset.StudyDate, dataset.PatientBirthDate = "20040102", ""
        dataset.ImageLaterality, dataset.PatientOrientation = "R", ["L", "F"]
        dataset.ImagerPixelSpacing = [FILM_MM, FILM_MM]
        photometric = attributes.pop("PhotometricInterpretation", "MONOCHROME2")
        largest = 2**bits - 1
        stored = np.rint(pixels * largest).astype(np.uint16 if bits > 8 else np.uint8)
        if photometric == "MONOCHROME1":
            stored = largest - stored
        describe_pixels(dataset, stored, bits, str(photometric))
        for keyword, value in attributes.items():
            if value is None:
                del dataset[keyword]
            else:
                setattr(dataset, keyword, value)
        return dataset

    return make


def describe_pixels(dataset: Dataset, stored: np.ndarray, bits: int, photometric: str) -> None:
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, photometric
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8 * stored.itemsize, bits, bits - 1
    dataset.PixelRepresentation = 0
    dataset.PixelData = stored.tobytes() + b"\0" * (stored.nbytes % 2)
    dataset["PixelData"].VR = "OW" if bits > 8 else "OB"
