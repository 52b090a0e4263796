"""Volumes, headers and options from which no MR series is written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monai_xray2mri.dicom.mr_image import SlicePlane, SyntheticMRImage
from monai_xray2mri.dicom.mr_series import build_mr_series
from monai_xray2mri.dicom.product import Origin
from monai_xray2mri.dicom.source import require_study
from monai_xray2mri.dicom.synthetic_image import SeriesRecord, write_images
from monai_xray2mri.errors import InputRefused, UsageError
from tests.helpers.dicom_objects import LEFT, RIGHT, origin, small


def test_a_film_without_study_is_refused_without_a_name(make_film):
    with pytest.raises(InputRefused, match="needs a Study Instance UID") as refused:
        require_study(make_film(StudyInstanceUID=None), "radiograph film.dcm")
    assert "Doe" not in str(refused.value)


def test_a_folder_with_files_in_it_is_left_alone(tmp_path, phantom, film):
    (tmp_path / "keep.txt").write_text("mine")
    with pytest.raises(UsageError, match="must not exist or be empty"):
        write_images(tmp_path, build_mr_series(small(phantom), RIGHT, origin(film)))
    assert [path.name for path in tmp_path.iterdir()] == ["keep.txt"]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"affine": np.diag([0.625, 0.625, 1.5, 1.0])}, "anterior to posterior"),
        ({"affine": np.eye(3)}, r"\[4,4\]"),
        ({"affine": np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])}, "right-handed"),
        ({"affine": np.array([[1, 0.2, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]])}, "orthogonal"),
        ({"affine": np.zeros((4, 4)) + np.diag([0, 0, 0, 1.0])}, "positive finite length"),
        ({"voxels": np.full((2, 8, 8), np.nan, np.float32)}, "finite"),
        ({"voxels": np.zeros((8, 8), np.float32)}, r"\[S,H,W\]"),
    ],
)
def test_volumes_that_dicom_cannot_say_are_errors(phantom, film, bad, message):
    with pytest.raises(ValueError, match=message):
        build_mr_series(replace(small(phantom), **bad), RIGHT, origin(film))


def test_the_weights_hash_is_needed(phantom, film):
    with pytest.raises(ValueError, match="weights_sha256"):
        build_mr_series(small(phantom), RIGHT, Origin(film, {"version": "1"}))


def test_an_unknown_label_is_an_error(phantom, film):
    with pytest.raises(ValueError, match="'label' must be 'corner' or 'none'"):
        build_mr_series(small(phantom), RIGHT, origin(film), label="middle")


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 4), np.int16), np.zeros((2, 4, 4), np.uint16), np.full((4, 4), 4096, np.uint16)]
)
def test_pixels_of_another_kind_are_errors(film, pixels):
    plane = SlicePlane((0, 0, 0), (1, 0, 0, 0, 0, -1), (1, 1, 1))
    with pytest.raises(ValueError, match="Argument 'pixels'"):
        SyntheticMRImage(pixels, plane, SeriesRecord(LEFT, origin(film), 3, "FOOT"), 1)
