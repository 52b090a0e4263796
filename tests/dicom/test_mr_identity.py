"""UIDs of the MR series: equal for equal inputs, others for any difference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from monai_xray2mri.dicom.mr_series import build_mr_series
from monai_xray2mri.dicom.product import Product
from monai_xray2mri.dicom.synthetic_image import write_images
from monai_xray2mri.systems.knee_xray2mri.products import source_header
from monai_xray2mri.types import Radiograph, Volume
from tests.helpers.dicom_objects import LEFT, RIGHT, WEIGHTS, film_header, origin, small


def test_equal_inputs_give_equal_bytes(tmp_path, phantom, film, report):
    for name in ("a", "b"):
        write_images(tmp_path / name, build_mr_series(small(phantom), RIGHT, origin(film, report)))
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def changed_pixel(volume: Volume) -> Volume:
    voxels = volume.voxels.copy()
    voxels[1, 100, 100] += 0.01
    return replace(volume, voxels=voxels)


FILM = film_header()
NUMBERS = replace(RIGHT.numbers, images=77)
DIFFERENCES = {
    "pixels": lambda volume: {"volume": changed_pixel(volume)},
    "side": lambda volume: {"product": LEFT},
    "seed": lambda volume: {"origin": origin(FILM, options={"seed": 6, "steps": 20, "sampler": "ddim"})},
    "weights": lambda volume: {"origin": origin(FILM, weights_sha256=WEIGHTS[::-1])},
    "version": lambda volume: {"origin": origin(FILM, version="1.2.4")},
    "nested option": lambda volume: {"origin": origin(FILM, region={"box": [1, 2]})},
    "label": lambda volume: {"label": "none"},
    "series number": lambda volume: {"product": replace(RIGHT, numbers=NUMBERS)},
    "patient": lambda volume: {"origin": origin(film_header(PatientName="Roe^Jane"))},
    "instance": lambda volume: {"origin": origin(film_header(SOPInstanceUID="1.2.999"))},
    "study": lambda volume: {"origin": origin(film_header(StudyInstanceUID="1.2.999"))},
    "weight": lambda volume: {"origin": origin(film_header(PatientWeight=71))},
}


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_any_difference_gives_other_uids(phantom, difference):
    given = {"volume": small(phantom), "product": RIGHT, "origin": origin(FILM)}
    one = build_mr_series(**given)
    other = build_mr_series(**(given | DIFFERENCES[difference](small(phantom))))
    for keyword in ("SeriesInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID"):
        assert not {image[keyword].value for image in one} & {image[keyword].value for image in other}


def test_a_source_report_gives_other_uids(phantom, report):
    one = build_mr_series(small(phantom), RIGHT, origin(FILM))
    other = build_mr_series(small(phantom), RIGHT, origin(FILM, report))
    assert one[0].SeriesInstanceUID != other[0].SeriesInstanceUID


def test_a_picture_without_header_gets_an_anonymous_study_that_both_knees_share(tmp_path, phantom, dciodvfy):
    def written(pixels: np.ndarray, product: Product, name: str) -> Dataset:
        picture = Radiograph(pixels, None, "assumed", (), "user", "knee.png")
        images = build_mr_series(small(phantom), product, origin(source_header(picture)))
        paths = write_images(tmp_path / name, images)
        assert dciodvfy(paths[0]) == []
        return dcmread(paths[0])

    pixels = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    right, left = written(pixels, RIGHT, "r"), written(pixels, LEFT, "l")
    assert right.PatientID == "ANONYMOUS" and not right.PatientName and not right.StudyDate
    assert right.StudyInstanceUID == left.StudyInstanceUID
    assert right.SeriesInstanceUID != left.SeriesInstanceUID
    assert "SourceImageSequence" not in right
    assert written(pixels.T, RIGHT, "o").StudyInstanceUID != right.StudyInstanceUID


def test_a_radiograph_with_a_header_is_its_own_source(film):
    record = Radiograph(np.zeros((4, 4), np.float32), (0.2, 0.2), "ImagerPixelSpacing", (), "", "a.dcm", dataset=film)
    assert source_header(record) is film
