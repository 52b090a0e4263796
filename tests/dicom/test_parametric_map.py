"""The uncertainty as a float Parametric Map: values, order of frames, anatomy, conformance."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import highdicom
import numpy as np
import pytest
import SimpleITK
from pydicom import dcmread

from monai_xray2mri.dicom.mr_series import build_mr_series
from monai_xray2mri.dicom.parametric_map import UncertaintyMap
from monai_xray2mri.dicom.uids import encoded
from monai_xray2mri.errors import InputRefused
from tests.helpers.dicom_objects import RIGHT, origin


@pytest.fixture
def volume(phantom):
    """Four slices of 16 x 16 voxels."""
    return replace(phantom, voxels=phantom.voxels[:4, :16, :16])


@pytest.fixture
def make(volume, film):
    mean = build_mr_series(volume, RIGHT, origin(film), label="none")
    return lambda header=film, **replaced: UncertaintyMap(volume, RIGHT, origin(header, **replaced), mean)


def test_frames_run_from_anterior_to_posterior_with_their_own_values(tmp_path, make, volume):
    path = tmp_path / "map.dcm"
    path.write_bytes(encoded(make()))
    read = dcmread(path)
    frames = np.frombuffer(read.FloatPixelData, "<f4").reshape(4, 16, 16)
    assert np.array_equal(frames, volume.voxels)
    for index, group in enumerate(read.PerFrameFunctionalGroupsSequence):
        expected = (volume.affine @ (0, 0, index, 1))[:3]
        assert group.PlanePositionSequence[0].ImagePositionPatient == pytest.approx(expected)


def test_dcmqi_which_slicer_loads_maps_with_reads_the_same_volume(tmp_path, make, volume):
    path, tool = tmp_path / "map.dcm", Path(sys.executable).with_name("paramap2itkimage")
    path.write_bytes(encoded(make()))
    command = [tool, "--inputDICOM", path, "--outputDirectory", tmp_path, "--outputType", "nrrd"]
    subprocess.run(list(map(str, command)), check=True, capture_output=True, timeout=60)
    image = SimpleITK.ReadImage(str(tmp_path / "pmap.nrrd"))
    marker = np.argwhere(SimpleITK.GetArrayViewFromImage(image) == 1.0)
    assert image.GetSize() == volume.voxels.shape[::-1] and len(marker) == 1
    place = image.TransformIndexToPhysicalPoint([int(index) for index in marker[0][::-1]])
    assert place == pytest.approx((volume.affine @ (10, 5, 2, 1))[:3], abs=1e-3)


def test_highdicom_finds_every_voxel_where_the_affine_puts_it(tmp_path, make, volume):
    path = tmp_path / "map.dcm"
    path.write_bytes(encoded(make()))
    decoded = highdicom.imread(path).get_volume()
    marker = np.argwhere(decoded.array == 1.0)
    assert len(marker) == 1
    assert decoded.map_indices_to_reference(marker)[0] == pytest.approx((volume.affine @ (10, 5, 2, 1))[:3])


def test_it_says_what_it_is_and_is_valid(tmp_path, make, film, dciodvfy):
    path = tmp_path / "map.dcm"
    path.write_bytes(encoded(make()))
    read = dcmread(path)
    (anatomy,) = read.SharedFunctionalGroupsSequence[0].FrameAnatomySequence
    assert (anatomy.FrameLaterality, anatomy.AnatomicRegionSequence[0].CodeValue) == ("R", "72696002")
    assert "Laterality" not in read
    assert (read.SyntheticData, read.SeriesNumber, read.PatientID) == ("YES", 951, film.PatientID)
    assert (read.ContentDate, read.ContentTime) == ("20160504", "094512.5")
    assert dciodvfy(path) == []


def test_equal_maps_are_equal_bytes_and_others_have_other_uids(make):
    one = make()
    assert encoded(one) == encoded(make())
    assert one.SOPInstanceUID != make(version="2").SOPInstanceUID


def test_a_radiograph_without_date_is_refused(make, make_film):
    dates = ("AcquisitionDate", "StudyDate")
    with pytest.raises(InputRefused, match="needs a date"):
        make(make_film(**dict.fromkeys(dates)))
