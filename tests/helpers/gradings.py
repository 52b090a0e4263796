"""Radiograph headers and complete gradings for the grading tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydicom import Dataset

from monai_xray2mri.knee.grading.features import FEATURES, validate_grades
from monai_xray2mri.knee.grading.record import Grading
from tests.helpers.dicom_objects import dciodvfy, film_header

__all__ = ["dciodvfy"]


@pytest.fixture
def make_film() -> Callable[..., Dataset]:
    """Header of a bilateral CR film; keywords replace attributes, None removes them."""
    return film_header


@pytest.fixture
def film() -> Dataset:
    """Header of a bilateral CR film."""
    return film_header()


@pytest.fixture
def right() -> Grading:
    """All 19 features at their highest grade."""
    return validate_grades({feature.stem: feature.highest for feature in FEATURES})


@pytest.fixture
def left() -> Grading:
    """Three features, one of them not gradable."""
    return validate_grades({"XRKL": 0, "XRJSM": None, "XROSTL": 2})
