"""Radiograph headers, a phantom and the conformance checker for the DICOM tests."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ComprehensiveSRStorage, ComputedRadiographyImageStorage, ExplicitVRLittleEndian

from monai_xray2mri.types import Volume
from tests.helpers.dicom_objects import dciodvfy, film_header

AFFINE = np.array(
    [[0.625, 0.0, 0.0, -79.6875], [0.0, 0.0, 1.5, -36.75], [0.0, -0.625, 0.0, 79.6875], [0.0, 0.0, 0.0, 1.0]]
)
RICH = {
    "Manufacturer": "ACME",
    "ImagerPixelSpacing": [0.2, 0.2],
    "BodyPartExamined": "KNEE",
    "IssuerOfPatientID": "HOSPITAL",
    "PatientAge": "061Y",
    "PatientIdentityRemoved": "YES",
    "DeidentificationMethod": "by hand",
    "PatientWeight": 70,
    "AcquisitionDate": "20160504",
    "AcquisitionTime": "094512.5",
    "ReferringPhysicianName": "House^Gregory",
    "StudyDescription": "Knees",
    "TimezoneOffsetFromUTC": "+0200",
    "ClinicalTrialTimePointID": "V00",
}
"""What a hospital's header holds beyond the least."""

__all__ = ["dciodvfy"]


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
    """Header of a bilateral CR film as read from a file; keywords replace attributes, None removes them."""
    return lambda **replaced: read_again(film_header(**(RICH | replaced)))


@pytest.fixture
def film(make_film: Callable[..., Dataset]) -> Dataset:
    """Header of a bilateral CR film."""
    return make_film()


@pytest.fixture(scope="session")
def phantom() -> Volume:
    """A right knee of noise with one bright voxel at its lateral, anterior, superior end."""
    voxels = np.random.default_rng(7).random((50, 256, 256), dtype=np.float32) * 0.9
    voxels[2, 5, 10] = 1.0
    return Volume(voxels, AFFINE)


@pytest.fixture
def report() -> Dataset:
    """Header of a structured report."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = ComprehensiveSRStorage, "1.2.826.0.1.9.1"
    return dataset
