from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pydicom
import pytest

from monai_xray2mri.errors import UsageError
from monai_xray2mri.knee.detection.joints import find_joints
from monai_xray2mri.radiograph.knee.checks import check_radiograph
from monai_xray2mri.radiograph.knee.region import find_knees
from monai_xray2mri.radiograph.reading import read_radiograph
from monai_xray2mri.simulation.knee.film.film import SimulatedFilm
from monai_xray2mri.simulation.knee.film.film_dicom import film_dataset, write_film
from monai_xray2mri.simulation.knee.film.film_frame import FilmFrame
from monai_xray2mri.simulation.knee.film.film_options import FilmOptions
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION
from monai_xray2mri.types import Side

UNKNOWN_TO_DCIODVFY = "(0x0008,0x001c)"
"""Synthetic Data, which Debian's release of 2022 does not know."""


def turned(film: SimulatedFilm, **changed: object) -> SimulatedFilm:
    """The same film stored otherwise; its truth moves with it."""
    options = replace(film.options, **changed)
    frame = FilmFrame.of(options)
    plain = film.pixels[:, ::-1] if options.mirrored else film.pixels
    old = FilmFrame.of(film.options)
    joints = {side: joint_mm(film, old, side) for side in Side}
    return replace(
        film,
        pixels=np.ascontiguousarray(np.rot90(plain, options.quarter_turns)),
        boxes={side: frame.box(joint) for side, joint in joints.items()},
        options=options,
    )


def joint_mm(film: SimulatedFilm, frame: FilmFrame, side: Side) -> tuple[float, float]:
    """Canvas point of a joint, from its box on an upright film."""
    box, origin = film.boxes[side], frame.box((0.0, 0.0))
    return (box.top - origin.top) * frame.pixel_mm, (box.left - origin.left) * frame.pixel_mm


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
    radiograph = read_radiograph(written)
    found = find_knees(radiograph, find_joints, radiograph.sides, 110.0)
    assert [roi.side for roi in found] == [Side.RIGHT, Side.LEFT]
    for roi in found:
        truth = film.boxes[roi.side].center
        assert np.hypot(roi.box.center[0] - truth[0], roi.box.center[1] - truth[1]) * 0.3 < 6.0


@pytest.mark.parametrize(("turns", "mirrored"), [(1, False), (2, False), (3, True), (0, True)])
@pytest.mark.parametrize("modality", ["CR", "DX"])
def test_reader_turns_a_film_back_that_tells_how_it_lies(film, tmp_path, turns, mirrored, modality):
    write_film(tmp_path / "film", turned(film, quarter_turns=turns, mirrored=mirrored, modality=modality))
    radiograph = read_radiograph(tmp_path / "film")
    assert np.abs(radiograph.pixels - film.pixels).max() < 0.01
    assert check_radiograph(radiograph).warnings == ()


def test_mirrored_film_that_does_not_tell_is_taken_for_the_other_side(film, tmp_path):
    """Nothing but the marker could tell: this is why drawn films always do."""
    write_film(tmp_path / "film", turned(film, mirrored=True, orientation_told=False))
    assert not pydicom.dcmread(tmp_path / "film").PatientOrientation
    assert np.abs(read_radiograph(tmp_path / "film").pixels - film.pixels[:, ::-1]).max() < 0.01


@pytest.mark.parametrize("bits", [10, 11, 12])
def test_stored_bits_are_those_of_the_options(film, bits):
    dataset = film_dataset(replace(film, options=replace(film.options, bits=bits)))
    assert dataset.BitsStored == bits
    stored = np.frombuffer(dataset.PixelData, "<u2").reshape(film.pixels.shape)
    assert stored.max() <= 2**bits - 1
    assert np.abs(stored / (2**bits - 1) - film.pixels).max() <= 0.51 / (2**bits - 1)


def test_options_choose_the_polarity_unless_it_is_given(film):
    inverted = replace(film, options=replace(film.options, photometric="MONOCHROME1"))
    assert film_dataset(inverted).PhotometricInterpretation == "MONOCHROME1"
    assert film_dataset(inverted, "MONOCHROME2").PhotometricInterpretation == "MONOCHROME2"


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
def test_digital_film_reads_back(film, tmp_path, photometric):
    digital = turned(film, modality="DX", photometric=photometric)
    write_film(tmp_path / "film", digital)
    header = pydicom.dcmread(tmp_path / "film", stop_before_pixels=True)
    assert header.SOPClassUID == pydicom.uid.DigitalXRayImageStorageForPresentation
    assert header.PresentationIntentType == "FOR PRESENTATION"
    radiograph = read_radiograph(tmp_path / "film")
    assert radiograph.remarks == ()
    assert np.abs(radiograph.pixels - film.pixels).max() < 0.01


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"photometric": "MONOCHROME1"},
        {"quarter_turns": 1},
        {"orientation_told": False},
        {"modality": "DX"},
        {"modality": "DX", "photometric": "MONOCHROME1"},
        {"modality": "DX", "quarter_turns": 1},
    ],
)
def test_dciodvfy_finds_no_error(film, tmp_path, changed):
    write_film(tmp_path / "film", turned(film, **changed))
    told = subprocess.run(["dciodvfy", str(tmp_path / "film")], capture_output=True, text=True, check=False).stderr
    errors = [line for line in told.splitlines() if line.startswith("Error") and UNKNOWN_TO_DCIODVFY not in line]
    assert errors == []


def test_uids_depend_on_the_pixels(film):
    first, again, inverted = film_dataset(film), film_dataset(film), film_dataset(film, "MONOCHROME1")
    assert first.SOPInstanceUID == again.SOPInstanceUID != inverted.SOPInstanceUID
    assert first.StudyInstanceUID == inverted.StudyInstanceUID


def test_fine_film_keeps_its_spacing(tmp_path):
    film = SimulatedFilm(np.zeros((40, 60), dtype=np.float32), {}, {}, 3, options=FilmOptions(pixel_mm=0.143))
    assert list(film_dataset(film).ImagerPixelSpacing) == [0.143, 0.143]


def test_unwritable_place_is_refused_in_words(film, tmp_path):
    (tmp_path / "taken").write_text("a file where the folder should be")
    with pytest.raises(UsageError, match=r"film\.dcm"):
        write_film(tmp_path / "taken" / "film.dcm", film)
