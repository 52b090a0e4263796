from __future__ import annotations

import numpy as np
import pydicom
import pytest

from monai_xray2mri.errors import UsageError
from monai_xray2mri.radiograph.reading import read_radiograph
from monai_xray2mri.radiograph.region import find_knees
from monai_xray2mri.simulation.film import film_dataset, write_film
from monai_xray2mri.simulation.knee import simulate_knee
from monai_xray2mri.simulation.seeds import SIMULATOR_VERSION
from monai_xray2mri.types import Side


@pytest.fixture(params=["MONOCHROME2", "MONOCHROME1"])
def written(request, film, tmp_path):
    path = tmp_path / "film.dcm"
    write_film(path, film, request.param)
    return path


def test_header_reads_back(written):
    header = pydicom.dcmread(written)
    assert header.SOPClassUID == pydicom.uid.ComputedRadiographyImageStorage
    assert header.file_meta.MediaStorageSOPInstanceUID == header.SOPInstanceUID
    assert (header.Modality, header.ImageLaterality, header.BodyPartExamined) == ("CR", "B", "KNEE")
    assert (header.ViewPosition, header.PatientAge) == ("PA", "062Y")
    assert list(header.PatientOrientation) == ["L", "F"]
    assert list(header.ImagerPixelSpacing) == [0.3, 0.3]
    assert (header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation) == (16, 12, 11, 0)
    assert str(header.PatientName) == "Simulated^Patient"
    assert header.SyntheticData == "YES"
    assert header.SoftwareVersions == SIMULATOR_VERSION
    assert header.Columns * 0.3 == pytest.approx(430, abs=1)
    assert header.Rows * 0.3 == pytest.approx(350, abs=1)


def test_reader_gets_the_same_picture_in_both_polarities(written, film):
    radiograph = read_radiograph(written)
    assert radiograph.sides == (Side.RIGHT, Side.LEFT)
    assert radiograph.spacing == (0.3, 0.3)
    assert np.abs(radiograph.pixels - film.pixels).max() < 0.01


def test_reader_finds_the_truth_boxes(written, film):
    found = find_knees(read_radiograph(written))
    assert [roi.side for roi in found] == [Side.RIGHT, Side.LEFT]
    for roi in found:
        truth = film.boxes[roi.side].centre
        assert np.hypot(roi.box.centre[0] - truth[0], roi.box.centre[1] - truth[1]) * 0.3 < 6.0


def test_right_knee_is_at_the_left_and_both_fibulae_outside(film):
    right, left = film.boxes[Side.RIGHT], film.boxes[Side.LEFT]
    assert right.centre[1] < film.pixels.shape[1] / 2 < left.centre[1]
    rows = slice(int(right.centre[0] + 90), int(right.centre[0] + 150))
    for box, outwards in ((right, -1), (left, 1)):
        middle = box.centre[1]
        outside, inside = (int(middle + sign * 42 / 0.3) for sign in (outwards, -outwards))
        bright, dark = (film.pixels[rows, c - 10 : c + 10].mean() for c in (outside, inside))
        assert bright > dark


def test_right_knee_has_the_grades_of_the_simulated_knee_of_the_seed(film):
    assert film.grades[Side.RIGHT] == simulate_knee(film.seed).grades
    assert film.grades[Side.LEFT] != film.grades[Side.RIGHT]


def test_uids_depend_on_the_pixels(film):
    first, again, inverted = film_dataset(film), film_dataset(film), film_dataset(film, "MONOCHROME1")
    assert first.SOPInstanceUID == again.SOPInstanceUID != inverted.SOPInstanceUID
    assert first.StudyInstanceUID == inverted.StudyInstanceUID


def test_unwritable_place_is_refused_in_words(film, tmp_path):
    (tmp_path / "taken").write_text("a file where the folder should be")
    with pytest.raises(UsageError, match=r"film\.dcm"):
        write_film(tmp_path / "taken" / "film.dcm", film)
