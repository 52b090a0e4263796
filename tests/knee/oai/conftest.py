"""A small release in OAI's layout, made by hand, into which each oddity is put."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from monai_xray2mri.knee.grading.features import FEATURE_BY_STEM
from monai_xray2mri.simulation.knee.knee import simulate_radiograph
from monai_xray2mri.simulation.knee.people.seeds import TRAINING
from monai_xray2mri.types import Box, Side
from tests.helpers.films import cr_dataset

NUMBER, OTHER = "9000296", "9001695"
DATE = "20040909"
FILM_DESCRIPTION = "Bilateral PA Fixed Flexion Knee"
T1 = "COR_T1_3D_FLASH_RIGHT"
SLICES = 80


@cache
def phantom(matrix: int = 256) -> np.ndarray:
    """[80,M,M] stored values in right-knee space: brighter from posterior to anterior, with three marked corners."""
    volume = np.linspace(200, 600, SLICES)[:, None, None] * np.ones((SLICES, matrix, matrix))
    volume += 100 * np.sin(np.arange(matrix) / matrix * 9)[None, :, None]
    edge = matrix // 4
    volume[:, :edge, :edge] = 900  # superior and lateral
    volume[:20, -edge:, -edge:] = 50  # posterior, inferior and medial
    return np.rint(volume).astype(np.uint16)


def mr_images(
    volume: np.ndarray | None = None,
    *,
    step_mm: float = 1.5,
    tilt: float = 0.0,
    **replaced: object,
) -> list[Dataset]:
    """A coronal series in right-knee space, slice 0 posterior; keywords replace attributes, None removes them."""
    volume = phantom() if volume is None else volume
    pixel = 160 / volume.shape[2]
    row, column = np.array([np.cos(tilt), np.sin(tilt), 0]), np.array([0, 0, -1.0])
    normal = np.cross(column, row)  # to the front
    corner = np.array([-120.0, 40.0, 75.0])
    study = f"{replaced.get('PatientID', NUMBER)}"
    images = []
    for index, pixels in enumerate(volume):
        attributes: dict[str, object] = {
            "SOPClassUID": MRImageStorage,
            "SOPInstanceUID": generate_uid(entropy_srcs=["slice", study, str(replaced), str(index)]),
            "SeriesInstanceUID": generate_uid(entropy_srcs=["series", study, str(replaced)]),
            "StudyInstanceUID": generate_uid(entropy_srcs=["study", study]), "Modality": "MR", "PatientID": NUMBER,
            "PatientName": "", "StudyDate": DATE, "SeriesDescription": T1, "Laterality": "R",
            "AccessionNumber": "016610593103", "InstanceNumber": index + 1, "PixelSpacing": [pixel, pixel],
            "ImageOrientationPatient": [round(float(v), 6) for v in (*row, *column)],
            "ImagePositionPatient": [round(float(v), 4) for v in corner + index * step_mm * normal],
            "SliceThickness": step_mm, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2",
            "Rows": pixels.shape[0], "Columns": pixels.shape[1], "BitsAllocated": 16, "BitsStored": 12, "HighBit": 11,
            "PixelRepresentation": 0, "PixelData": pixels.astype("<u2").tobytes(),
        } | replaced  # fmt: skip
        images.append(_dataset(attributes))
    return images


def _dataset(attributes: dict[str, object]) -> Dataset:
    dataset = Dataset()
    for keyword, value in attributes.items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", MRImageStorage)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2.3")
    return dataset


def write_series(folder: Path, images: Iterable[Dataset]) -> Path:
    """Write files 001, 002 ... without an extension."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images, start=1):
        image.save_as(folder / f"{number:03d}", enforce_file_format=True)
    return folder


PIXEL_MM = 0.4
KNEE_FROM_MIDDLE = 260
"""Pixels from the middle of the film to the middle of each knee."""


@cache
def bilateral_film() -> tuple[np.ndarray, dict[Side, Box]]:
    """[760,1040] in [0,1] with a simulated right knee and its mirror image, and the boxes of both."""
    wide = np.asarray(simulate_radiograph(TRAINING[5], margin=0.35), dtype=np.float32)
    knee = np.array(Image.fromarray(wide).resize((468, 468)))  # 187 mm
    side = 468 / 1.7
    film = np.full((760, 1040), float(np.median(knee[:, [0, -1]])), dtype=np.float32)
    boxes = {}
    for one, middle in ((Side.RIGHT, 520 - KNEE_FROM_MIDDLE), (Side.LEFT, 520 + KNEE_FROM_MIDDLE)):
        film[150:618, middle - 234 : middle + 234] = knee if one is Side.RIGHT else knee[:, ::-1]
        boxes[one] = Box(384 - side / 2, middle - side / 2, side, side)
    return film, boxes


def film_image(photometric: str = "MONOCHROME2", **replaced: object) -> Dataset:
    """The film as OAI's header describes it; keywords replace attributes, None removes them."""
    pixels, _ = bilateral_film()
    number = str(replaced.get("PatientID", NUMBER))
    attributes: dict[str, object] = {
        "PatientID": number, "AccessionNumber": "016600593103", "StudyDate": DATE,
        "SeriesDescription": FILM_DESCRIPTION, "ImagerPixelSpacing": [PIXEL_MM, PIXEL_MM],
        "PhotometricInterpretation": photometric,
        "SeriesInstanceUID": generate_uid(entropy_srcs=["film series", number, str(replaced)]),
    }  # fmt: skip
    return cr_dataset(1 - pixels if photometric == "MONOCHROME1" else pixels, "B", **(attributes | replaced))


@dataclass
class Release:
    """A release under construction.

    Attributes:
        root: its folder.
        rows: reading rows, name to text, as :meth:`write_readings` writes them.
    """

    root: Path
    rows: list[dict[str, str]] = field(default_factory=list)

    def day(self, number: str = NUMBER, visit: str = "00m", group: str = "0.C.2") -> Path:
        """The folder of a participant's images of one day."""
        return self.root / visit / group / number / DATE

    def add_film(self, number: str = NUMBER, series: str = "00593103", **replaced: object) -> Path:
        """Write a film."""
        folder = self.day(number) / series
        image = film_image(**({"PatientID": number, "AccessionNumber": f"0166{series}"} | replaced))  # type: ignore[arg-type]
        write_series(folder, [image])
        return folder / "001"

    def add_mr(self, number: str = NUMBER, series: str = "10593103", images: list[Dataset] | None = None) -> Path:
        """Write an MR series."""
        return write_series(self.day(number) / series, images or mr_images(PatientID=number))

    def add_reading(self, number: str = NUMBER, **replaced: str) -> dict[str, str]:
        """Add a reading of the right knee: KL 2, medial narrowing 1, all else 0."""
        grades = {f"V00{stem}": "0" for stem in FEATURE_BY_STEM} | {"V00XRKL": "2", "V00XRJSM": "1"}
        row = {"ID": number, "SIDE": "1", "READPRJ": "15", "VERSION": "0.8", "V00BARCDBU": "016600593103"}
        self.rows.append(row | grades | replaced)
        return self.rows[-1]

    def add_truth(self, number: str = NUMBER) -> None:
        """Write the true boxes, as ``xray2mri simulate`` does, so that no detector needs to look."""
        film, boxes = bilateral_film()
        knees = {side.value: {"box": vars(box)} for side, box in boxes.items()}
        folder = self.root / "truth" / number
        folder.mkdir(parents=True, exist_ok=True)
        record = {"knees": knees, "film": {"shape": list(film.shape)}}
        (folder / "truth.json").write_text(json.dumps(record))

    def write_readings(self, name: str = "kXR_SQ_BU00.txt", delimiter: str = "|", encoding: str = "ascii") -> Path:
        """Write the reading table."""
        path = self.root / "X-Ray Image Assessments_ASCII" / "Semi-Quant Scoring_ASCII" / name
        return self.write_table(path, self.rows, delimiter, encoding)

    @staticmethod
    def write_table(path: Path, rows: list[dict[str, str]], delimiter: str = "|", encoding: str = "ascii") -> Path:
        """Write rows under the names of the first one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [delimiter.join(rows[0]), *(delimiter.join(row.values()) for row in rows)]
        path.write_text("\n".join(lines) + "\n", encoding=encoding)
        return path


@pytest.fixture(scope="session")
def whole_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of one participant in which nothing is wrong."""
    release = Release(tmp_path_factory.mktemp("release") / "oai")
    release.add_film()
    release.add_mr()
    release.add_reading()
    release.write_readings()
    release.add_truth()
    return release.root


@pytest.fixture
def release(whole_release: Path, tmp_path: Path) -> Release:
    """A copy of it that a test may change."""
    root = tmp_path / "oai"
    shutil.copytree(whole_release, root)
    copy = Release(root)
    copy.add_reading()
    return copy


@pytest.fixture
def empty_release(tmp_path: Path) -> Release:
    """A release without anything."""
    (tmp_path / "oai").mkdir()
    return Release(tmp_path / "oai")


@pytest.fixture
def change() -> Callable[..., None]:
    """Change attributes of a DICOM file in place; None removes one."""
    from pydicom import dcmread

    def apply(path: Path, **replaced: object) -> None:
        dataset = dcmread(path)
        for keyword, value in replaced.items():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)
        dataset.save_as(path)

    return apply
