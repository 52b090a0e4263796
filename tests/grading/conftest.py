"""Radiograph headers and complete gradings for the grading tests."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import ComputedRadiographyImageStorage

from monai_xray2mri.grading.features import FEATURES, validate_grades
from monai_xray2mri.types import Grading

KNOWN_ERROR = "Error - Attribute with an even group number is not a recognized standard attribute - (0x0008,0x001c)"


@pytest.fixture
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
            "Rows": 1024,
            "Columns": 1280,
            "ImagerPixelSpacing": [0.2, 0.3],
            "PatientOrientation": ["L", "F"],
            "PatientName": "Doe^Jane",
            "PatientID": "P-17",
            "PatientBirthDate": "19550203",
            "PatientSex": "F",
            "StudyDate": "20160504",
            "StudyTime": "093000",
            "AccessionNumber": "016600000001",
            "StudyID": "S7",
        } | replaced
        for keyword, value in attributes.items():
            if value is not None:
                setattr(film, keyword, value)
        return film

    return make


@pytest.fixture
def film(make_film: Callable[..., Dataset]) -> Dataset:
    """Header of a bilateral CR film."""
    return make_film()


@pytest.fixture
def right() -> Grading:
    """All 19 features at their highest grade."""
    return validate_grades({feature.stem: feature.highest for feature in FEATURES})


@pytest.fixture
def left() -> Grading:
    """Three features, one of them not gradable."""
    return validate_grades({"XRKL": 0, "XRJSM": None, "XROSTL": 2})


@pytest.fixture
def dciodvfy() -> Callable[[Path], list[str]]:
    """Errors that dicom3tools' dciodvfy finds, without the one about (0008,001C), which its 2022 release lacks."""
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy (Debian package dicom3tools) is not installed")

    def check(path: Path) -> list[str]:
        done = subprocess.run([program, str(path)], capture_output=True, text=True, errors="replace", check=False)
        assert "SR" in done.stderr, "dciodvfy did not recognise a structured report"
        lines = [line for line in done.stderr.splitlines() if line.startswith("Error")]
        return [line for line in lines if not line.startswith(KNOWN_ERROR)]

    return check
