"""The usual display from every orientation of a frontal film; spacing in the detector plane."""

from __future__ import annotations

import numpy as np
import pytest

from monai_xray2mri.errors import InputRefused, NotAKnee
from monai_xray2mri.radiograph.reading import radiograph_from_dataset

STORED_AS = {
    "L\\F": lambda film: film,
    "R\\F": lambda film: film[:, ::-1],
    "L\\H": lambda film: film[::-1],
    "R\\H": lambda film: film[::-1, ::-1],
    "F\\L": lambda film: film.T,
    "H\\L": lambda film: film.T[:, ::-1],
    "F\\R": lambda film: film.T[::-1],
    "H\\R": lambda film: film.T[::-1, ::-1],
    "LA\\FP": lambda film: film,
}
"""How a film in the usual display is stored if its rows and columns run as named."""


@pytest.fixture
def film(draw_film) -> np.ndarray:
    return draw_film(240, 180, (110, 95, "R"))


@pytest.mark.parametrize("orientation", STORED_AS)
def test_every_orientation_gives_the_usual_display(film, make_dataset, orientation):
    stored = np.ascontiguousarray(STORED_AS[orientation](film))
    read = radiograph_from_dataset(make_dataset(stored, PatientOrientation=orientation), "film.dcm")
    usual = radiograph_from_dataset(make_dataset(film), "film.dcm")
    assert np.array_equal(read.pixels, usual.pixels)
    assert any("turned" in remark for remark in read.remarks) == (
        stored.shape != film.shape or orientation[0] == "R" or orientation[-1] == "H"
    )


def test_spacing_turns_with_the_film(film, make_dataset):
    stored = np.ascontiguousarray(film.T)
    dataset = make_dataset(stored, PatientOrientation="F\\L", ImagerPixelSpacing=[0.5, 0.502])
    assert radiograph_from_dataset(dataset, "film.dcm").spacing == (0.502, 0.5)


def test_no_orientation_is_taken_as_usual_with_a_remark(film, make_dataset):
    read = radiograph_from_dataset(make_dataset(film, PatientOrientation=None), "film.dcm")
    assert "no Patient Orientation" in read.remarks[0]


@pytest.mark.parametrize("orientation", ["A\\F", "P\\H", "L\\R", "F\\H", "L\\A", "L", "R", "X\\F", "R\\X"])
def test_other_orientations_are_no_frontal_film(film, make_dataset, orientation):
    with pytest.raises(NotAKnee, match=r"film\.dcm: needs the Patient Orientation of a frontal film"):
        radiograph_from_dataset(make_dataset(film, PatientOrientation=orientation), "film.dcm")


@pytest.mark.parametrize("orientation", ["ANONYMIZED", "NONE\\NONE", "LE\\CD", "X\\Y", "LL\\FF", "0\\0"])
def test_what_is_no_orientation_is_as_if_absent(film, make_dataset, orientation):
    read = radiograph_from_dataset(make_dataset(film, PatientOrientation=orientation), "film.dcm")
    assert np.array_equal(read.pixels, radiograph_from_dataset(make_dataset(film), "film.dcm").pixels)
    assert "Patient Orientation is no orientation" in read.remarks[0]


@pytest.mark.parametrize("imager", [[0, 0], [1, 1], [-1, -1], ["0.0", "1"]])
@pytest.mark.parametrize("other", ["PixelSpacing", "NominalScannedPixelSpacing"])
def test_a_spacing_that_stands_for_none_yields_to_a_good_one(film, make_dataset, imager, other):
    dataset = make_dataset(film, ImagerPixelSpacing=imager, **{other: [0.4, 0.4]})
    read = radiograph_from_dataset(dataset, "film.dcm")
    assert (read.spacing, read.spacing_source) == ((0.4, 0.4), other)
    assert any("ImagerPixelSpacing holds no spacing" in remark for remark in read.remarks)


def test_view_position_and_flip_do_not_turn_the_film(film, make_dataset):
    usual = radiograph_from_dataset(make_dataset(film), "film.dcm")
    other = make_dataset(film, ViewPosition="AP", FieldOfViewHorizontalFlip="YES")
    assert np.array_equal(radiograph_from_dataset(other, "film.dcm").pixels, usual.pixels)


@pytest.mark.parametrize(
    ("attributes", "spacing", "source", "remark"),
    [
        ({"ImagerPixelSpacing": [0.2, 0.2], "PixelSpacing": [0.18, 0.18]}, 0.2, "ImagerPixelSpacing", ""),
        ({"ImagerPixelSpacing": None, "PixelSpacing": [0.3, 0.3]}, 0.3, "PixelSpacing", ""),
        (
            {
                "ImagerPixelSpacing": None,
                "PixelSpacing": [0.2, 0.2],
                "PixelSpacingCalibrationType": "GEOMETRY",
                "EstimatedRadiographicMagnificationFactor": 1.1,
            },
            0.22,
            "PixelSpacing",
            "magnification 1.100",
        ),
        (
            {
                "ImagerPixelSpacing": None,
                "PixelSpacing": [0.2, 0.2],
                "PixelSpacingCalibrationType": "GEOMETRY",
                "DistanceSourceToDetector": 1800,
                "DistanceSourceToPatient": 1600,
            },
            0.225,
            "PixelSpacing",
            "magnification 1.125",
        ),
        (
            {"ImagerPixelSpacing": None, "PixelSpacing": [0.2, 0.2], "PixelSpacingCalibrationType": "FIDUCIAL"},
            0.2,
            "PixelSpacing",
            "unknown magnification",
        ),
        (
            {"ImagerPixelSpacing": None, "NominalScannedPixelSpacing": [0.17, 0.17]},
            0.17,
            "NominalScannedPixelSpacing",
            "film scanner",
        ),
        ({"ImagerPixelSpacing": None}, None, "none", ""),
    ],
)
def test_sources_of_spacing(film, make_dataset, attributes, spacing, source, remark):
    read = radiograph_from_dataset(make_dataset(film, **attributes), "film.dcm")
    assert read.spacing == (None if spacing is None else pytest.approx((spacing, spacing)))
    assert read.spacing_source == source
    assert remark in " ".join(read.remarks)


@pytest.mark.parametrize(
    ("attributes", "rule"),
    [
        ({"ImagerPixelSpacing": [0, 0]}, "between 0.01 and 2.0 mm"),
        ({"ImagerPixelSpacing": [-0.2, -0.2]}, "between"),
        ({"ImagerPixelSpacing": [0.001, 0.001]}, "ImagerPixelSpacing 0.001"),
        ({"ImagerPixelSpacing": [5, 5]}, "between"),
        ({"ImagerPixelSpacing": [0.2, 0.3]}, "square pixels"),
        ({"ImagerPixelSpacing": 0.2}, "two numbers"),
        ({"ImagerPixelSpacing": None, "PixelSpacing": [0.2, 0.1]}, "PixelSpacing 0.2"),
        ({"ImagerPixelSpacing": None, "PixelAspectRatio": [4, 3]}, "4:3"),
    ],
)
def test_impossible_spacings_are_refused(film, make_dataset, attributes, rule):
    with pytest.raises(InputRefused, match=rule):
        radiograph_from_dataset(make_dataset(film, **attributes), "film.dcm")
