"""Films: spacing attributes, polarity, side, boxes of the truth and of the detector."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.data.arrays import WIDE_SIZE
from monai_xray2mri.knee.oai.films import Boxes, FilmRegion, read_film_region
from monai_xray2mri.types import Side
from tests.knee.oai.conftest import NUMBER, PIXEL_MM, Release, bilateral_film, film_image, write_series


def read(release: Release, boxes: Boxes = "auto", side: Side = Side.RIGHT) -> FilmRegion:
    """The region of a knee on the film of a release."""
    return read_film_region(release.root, release.day() / "00593103", NUMBER, side, boxes)


@pytest.fixture
def film(empty_release: Release) -> Release:
    """A release with a film and the truth about it."""
    empty_release.add_film()
    empty_release.add_truth()
    return empty_release


def test_the_truth_is_taken_where_there_is_one(film: Release) -> None:
    region = read(film)
    assert region.method == "truth"
    assert region.box == bilateral_film()[1][Side.RIGHT]
    assert region.pixels.shape == (299, 299) and region.wide.shape == (WIDE_SIZE, WIDE_SIZE)


def test_the_wide_region_is_the_region_with_a_margin(film: Release) -> None:
    region = read(film)
    margin = (WIDE_SIZE - 299) // 2
    assert np.abs(region.wide[margin:-margin, margin:-margin] - region.pixels).mean() < 2e-3


@pytest.mark.parametrize("side", list(Side))
def test_the_detector_finds_the_knee_within_four_millimetres(film: Release, side: Side) -> None:
    found, truth = read(film, "detector", side), bilateral_film()[1][side]
    assert found.method == "detector"
    error = np.subtract(found.box.center, truth.center) * PIXEL_MM
    assert np.abs(error).max() < 4


def test_without_truth_the_detector_looks_unless_truth_is_asked_for(empty_release: Release) -> None:
    empty_release.add_film()
    assert read(empty_release).method == "detector"
    with pytest.raises(InputRefused, match="needs a truth file"):
        read(empty_release, "truth")


def test_left_and_right_are_the_patients(film: Release) -> None:
    right, left = read(film), read(film, side=Side.LEFT)
    assert right.box.center[1] < left.box.center[1]
    np.testing.assert_allclose(left.pixels, right.pixels[:, ::-1], atol=2e-3)


def test_knees_that_look_like_the_other_side_are_refused_unless_the_truth_tells_where_they_lie(film: Release) -> None:
    image = film_image()
    image.PixelData = np.roll(image.pixel_array, 520, axis=1).tobytes()  # left and right half exchanged
    write_series(film.day() / "00593103", [image])
    with pytest.raises(InputRefused, match="must look like a right knee"):
        read(film, "detector")
    assert read(film).method == "truth"


def test_monochrome1_gives_the_same_region(film: Release) -> None:
    usual = read(film)
    write_series(film.day() / "00593103", [film_image("MONOCHROME1")])
    np.testing.assert_allclose(read(film).pixels, usual.pixels, atol=1e-3)


@pytest.mark.parametrize("keyword", ["ImagerPixelSpacing", "PixelSpacing"])
def test_either_spacing_attribute_serves(film: Release, keyword: str) -> None:
    spacing: dict[str, object] = {"ImagerPixelSpacing": None} | {keyword: [PIXEL_MM, PIXEL_MM]}
    write_series(film.day() / "00593103", [film_image(**spacing)])
    region = read(film, "detector")
    assert region.spacing == (PIXEL_MM, PIXEL_MM) and region.spacing_source == keyword


def test_without_spacing_only_the_truth_helps(film: Release) -> None:
    write_series(film.day() / "00593103", [film_image(ImagerPixelSpacing=None)])
    assert read(film).spacing is None
    with pytest.raises(InputRefused, match="needs a pixel spacing"):
        read(film, "detector")


def test_a_header_that_names_no_side_is_a_film_of_both(film: Release) -> None:
    image = film_image(ImageLaterality=None, SeriesDescription="PA Fixed Flexion")
    write_series(film.day() / "00593103", [image])
    assert "the header names no side: a fixed flexion film of OAI shows both knees" in read(film).remarks


def test_several_files_in_the_film_folder_are_remarked(film: Release) -> None:
    write_series(film.day() / "00593103", [film_image(), film_image()])
    assert "2 files in the film's folder, the first was read" in read(film).remarks


@pytest.mark.parametrize("damage", ["cut off", "garbage", "no pixels"])
def test_a_damaged_film_is_refused(film: Release, damage: str) -> None:
    path = film.day() / "00593103" / "001"
    whole = path.read_bytes()
    path.write_bytes({"cut off": whole[: len(whole) // 2], "garbage": b"x" * 4000, "no pixels": whole[:1500]}[damage])
    with pytest.raises(InputRefused):
        read(film)


def test_a_film_of_another_view_is_refused(film: Release) -> None:
    write_series(film.day() / "00593103", [film_image(ViewPosition="LL")])
    with pytest.raises(InputRefused, match="front"):
        read(film)


@pytest.mark.parametrize("damage", ["not JSON", "no box", "another film"])
def test_a_damaged_truth_file_is_refused(film: Release, damage: str) -> None:
    path: Path = film.root / "truth" / NUMBER / "truth.json"
    record = json.loads(path.read_text())
    if damage == "no box":
        del record["knees"]["R"]["box"]
    record["film"]["shape"] = [1, 1] if damage == "another film" else record["film"]["shape"]
    path.write_text("{" if damage == "not JSON" else json.dumps(record))
    with pytest.raises(InputRefused, match="truth file"):
        read(film)
    assert read(film, "detector").method == "detector"
