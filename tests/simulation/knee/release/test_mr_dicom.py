"""The MR series of a release: geometry over the labels, headers, conformance."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread

from monai_xray2mri.dicom.uids import encoded
from monai_xray2mri.simulation.knee.anatomy.truth import KneeTruth
from monai_xray2mri.simulation.knee.knee import SimulatedKnee
from monai_xray2mri.simulation.knee.mri.mr import MATRIX, SLICES, Placement
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION
from monai_xray2mri.simulation.knee.release.layout import file_name, mr_barcode, places
from monai_xray2mri.simulation.knee.release.mr_dicom import enlarged, mr_images


@pytest.fixture(scope="module")
def phantom():
    """A knee of which every voxel tells where it is: 11 bits, unlike in all directions."""
    generator = np.random.default_rng(5)
    volume = (generator.integers(0, 4096, (SLICES, MATRIX, MATRIX)) / 4095).astype(np.float32)
    nothing = np.zeros(volume.shape, np.uint8)
    affine = Placement(0.31234567, -3.5, 0.7).affine
    return SimulatedKnee(volume, volume, nothing, nothing, affine, np.zeros((299, 299)), {}, KneeTruth(), seed=5)


def read_series(folder):
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def written(folder, images):
    folder.mkdir()
    for number, image in enumerate(images, start=1):
        (folder / file_name(number)).write_bytes(encoded(image))
    return folder


@pytest.mark.parametrize("anterior_first", [False, True])
def test_voxels_lie_where_the_affine_says(tmp_path, phantom, participant, anterior_first):
    images = mr_images(phantom, participant, anterior_first=anterior_first)
    series = read_series(written(tmp_path / "series", images))
    stored = sitk.GetArrayFromImage(series)
    for slice_, row, column in ((0, 0, 0), (79, 3, 250), (17, 100, 31)):
        point = phantom.affine @ (column, row, slice_, 1)
        place = series.TransformPhysicalPointToContinuousIndex(point[:3])
        assert np.allclose(place, np.rint(place), atol=1e-3)
        x, y, z = np.rint(place).astype(int)
        assert stored[z, y, x] == round(float(phantom.volume[slice_, row, column]) * 4095)


def test_files_count_from_the_posterior_end_unless_told_otherwise(phantom, participant):
    usual = mr_images(phantom, participant)
    turned = mr_images(phantom, participant, anterior_first=True)
    assert [image.InstanceNumber for image in usual] == list(range(1, 81))
    assert usual[0].ImagePositionPatient[1] > usual[79].ImagePositionPatient[1]  # +y is posterior
    assert usual[0].PixelData == turned[79].PixelData
    assert usual[0].ImagePositionPatient == turned[79].ImagePositionPatient


def test_large_matrix_repeats_pixels_in_the_same_place(phantom, participant):
    images = mr_images(phantom, participant, matrix=512)
    assert (images[4].Rows, images[4].Columns) == (512, 512)
    assert [float(value) for value in images[4].PixelSpacing] == [0.3125, 0.3125]
    stored = np.frombuffer(images[4].PixelData, "<u2").reshape(512, 512)
    blocks = stored.reshape(256, 2, 256, 2)
    assert (blocks == blocks[:, :1, :, :1]).all()
    np.testing.assert_array_equal(blocks.mean((1, 3)), np.rint(phantom.volume[4] * 4095))
    # The middle of the first four small pixels is the centre of the first large one.
    middle = np.array(images[4].ImagePositionPatient, float) + np.array([0.5, 0.0, -0.5]) * 0.3125
    np.testing.assert_allclose(middle, (phantom.affine @ (0, 0, 4, 1))[:3], atol=1e-6)


def test_matrix_that_is_no_multiple_is_refused(phantom):
    with pytest.raises(ValueError, match="multiple of 256"):
        enlarged(phantom.volume, phantom.affine, 300)


def test_header_is_that_of_the_oai_protocol_and_says_simulated(phantom, participant):
    image = mr_images(phantom, participant)[0]
    assert (image.SeriesDescription, image.Modality, image.Laterality) == ("COR_T1_3D_FLASH_RIGHT", "MR", "R")
    assert (image.RepetitionTime, image.EchoTime, image.FlipAngle, image.PixelBandwidth) == (20, 7.57, 12, 130)
    assert (image.SliceThickness, image.SpacingBetweenSlices, image.MagneticFieldStrength) == (1.5, 1.5, 3)
    assert (image.PatientID, image.AccessionNumber) == (str(participant.number), mr_barcode(participant))
    assert (image.ClinicalTrialTimePointID, image.ClinicalTrialTimePointDescription) == ("00m", "Baseline")
    assert (image.StudyDate, image.PatientSex) == (f"{participant.exam_date:%Y%m%d}", participant.sex)
    assert (image.SyntheticData, image.Manufacturer, image.SoftwareVersions) == (
        "YES", "monai_xray2mri", SIMULATOR_VERSION,
    )  # fmt: skip
    assert "SIMULATED" in image.ImageComments and "SIMULATED" in image.ImageType
    assert (image.BitsAllocated, image.BitsStored, image.HighBit) == (16, 12, 11)


def test_uids_are_a_hash_of_the_content(phantom, participant):
    first, again = (mr_images(phantom, participant)[7] for _ in range(2))
    other = mr_images(replace(phantom, volume=phantom.volume * 0.5), participant)[7]
    assert encoded(first) == encoded(again)
    assert first.SeriesInstanceUID != other.SeriesInstanceUID
    assert first.StudyInstanceUID == other.StudyInstanceUID
    assert len({image.SOPInstanceUID for image in mr_images(phantom, participant)}) == 80


def errors_of(path):
    answer = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    known = "(0x0008,0x001c)"  # Synthetic Data is younger than Debian's dicom3tools
    lines = (answer.stdout + answer.stderr).splitlines()
    assert any("MRImage" in line or "CRImage" in line for line in lines), "dciodvfy did not know the object"
    return [line for line in lines if line.startswith("Error") and known not in line]


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian package dicom3tools) is absent")
def test_files_conform(release, participant, phantom, tmp_path):
    where = places(participant)
    large = written(tmp_path / "large", mr_images(phantom, participant, matrix=512)[:1])
    for path in (release / where.mr / "001", release / where.mr / "080", release / where.film / "001", large / "001"):
        assert errors_of(path) == []


def test_series_of_the_release_lies_under_its_labels(release, participant):
    where = places(participant)
    series = read_series(release / where.mr)
    header = dcmread(release / where.mr / "001", stop_before_pixels=True)
    assert header.PatientID == str(participant.number)
    for name in ("labels.seg.nrrd", "lesions.seg.nrrd"):
        labels = sitk.ReadImage(str(release / where.truth / name))
        assert labels.GetSize() == series.GetSize() == (256, 256, 80)
        for corner in ((0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 79), (255, 255, 79)):
            here, there = (image.TransformIndexToPhysicalPoint(corner) for image in (labels, series))
            np.testing.assert_allclose(here, there, atol=1e-3)
