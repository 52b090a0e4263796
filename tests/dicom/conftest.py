"""Radiograph headers, a phantom and the conformance checker for the DICOM tests."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

from monai_xray2mri.types import KneeVolume, Side

AFFINE = np.array(
    [[0.625, 0.0, 0.0, -79.6875], [0.0, 0.0, 1.5, -36.75], [0.0, -0.625, 0.0, 79.6875], [0.0, 0.0, 0.0, 1.0]]
)
KNOWN_ERROR = "Error - Attribute with an even group number is not a recognized standard attribute - (0x0008,0x001c)"


def read_again(dataset: Dataset) -> Dataset:
    """A dataset as it comes from a file: every element still raw bytes in the character set of the file."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", ComputedRadiographyImageStorage)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2.3")
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    return dcmread(buffer)


@pytest.fixture(scope="session")
def make_film() -> Callable[..., Dataset]:
    """Header of a bilateral CR film; keywords replace attributes, None removes them."""

    def make(**replaced: object) -> Dataset:
        film = Dataset()
        attributes: dict[str, object] = {
            "SpecificCharacterSet": "ISO_IR 192",
            "SOPClassUID": ComputedRadiographyImageStorage,
            "SOPInstanceUID": "1.2.826.0.1.1.1",
            "SeriesInstanceUID": "1.2.826.0.1.1",
            "StudyInstanceUID": "1.2.826.0.1",
            "Modality": "CR",
            "Manufacturer": "ACME",
            "Rows": 1024,
            "Columns": 1280,
            "ImagerPixelSpacing": [0.2, 0.2],
            "PatientOrientation": ["L", "F"],
            "BodyPartExamined": "KNEE",
            "PatientName": "Doe^Jane",
            "PatientID": "P-17",
            "IssuerOfPatientID": "HOSPITAL",
            "PatientBirthDate": "19550203",
            "PatientSex": "F",
            "PatientAge": "061Y",
            "PatientIdentityRemoved": "YES",
            "DeidentificationMethod": "by hand",
            "PatientWeight": 70,
            "StudyDate": "20160504",
            "StudyTime": "093000",
            "AcquisitionDate": "20160504",
            "AcquisitionTime": "094512.5",
            "StudyID": "S7",
            "AccessionNumber": "016600000001",
            "ReferringPhysicianName": "House^Gregory",
            "StudyDescription": "Knees",
            "TimezoneOffsetFromUTC": "+0200",
            "ClinicalTrialTimePointID": "V00",
        } | replaced
        for keyword, value in attributes.items():
            if value is not None:
                setattr(film, keyword, value)
        return read_again(film)

    return make


@pytest.fixture
def film(make_film: Callable[..., Dataset]) -> Dataset:
    """Header of a bilateral CR film."""
    return make_film()


@pytest.fixture(scope="session")
def phantom() -> KneeVolume:
    """A right knee of noise with one bright voxel at its lateral, anterior, superior end."""
    voxels = np.random.default_rng(7).random((50, 256, 256), dtype=np.float32) * 0.9
    voxels[2, 5, 10] = 1.0
    return KneeVolume(voxels, AFFINE, Side.RIGHT)


@pytest.fixture
def dciodvfy() -> Callable[[Path], list[str]]:
    """Errors that dicom3tools' dciodvfy finds, without the one about (0008,001C), which its 2022 release lacks."""
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy (Debian package dicom3tools) is not installed")

    def check(path: Path) -> list[str]:
        done = subprocess.run([program, str(path)], capture_output=True, text=True, errors="replace", check=False)
        lines = [line for line in done.stderr.splitlines() if line.startswith("Error")]
        assert len(done.stderr.splitlines()) >= 1, "dciodvfy said nothing at all"
        return [line for line in lines if not line.startswith(KNOWN_ERROR)]

    return check
