"""Geometry of the MR series as readers of other makes see it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import highdicom
import numpy as np
import pytest
import SimpleITK
from pydicom import dcmread

from monai_xray2mri.dicom.mr_series import build_mr_series
from monai_xray2mri.dicom.synthetic_image import stored_pixels, write_images
from monai_xray2mri.systems.knee_xray2mri.products import knee_product
from monai_xray2mri.types import Side, Volume
from tests.dicom.conftest import AFFINE
from tests.helpers.dicom_objects import LEFT, RIGHT, origin, program, small

MARKERS = {(10, 5, 2): 4095, (200, 30, 3): 3500, (40, 230, 4): 3000, (180, 180, 14): 2500}
"""(column, row, slice) and stored value: no mirroring or turning maps these onto each other."""
DICOM2NIFTI = "dicom2nifti is not installed (`make setup` does, without the GDCM that it asks for)"


@pytest.fixture(scope="module", params=list(Side), ids=lambda side: side.word)
def marked(request, tmp_path_factory, make_film) -> tuple[list[Path], Volume]:
    """A dark volume with markers, written once per side for all readers; they do not change it."""
    voxels = np.zeros((16, 256, 256), np.float32)
    for (column, row, plane), value in MARKERS.items():
        voxels[plane, row, column] = value / 4095
    volume = Volume(voxels, AFFINE)
    folder = tmp_path_factory.mktemp("series") / "marked"
    images = build_mr_series(volume, knee_product(request.param), origin(make_film()), label="none")
    return write_images(folder, images), volume


def series_image(paths: list[Path]) -> SimpleITK.Image:
    reader = SimpleITK.ImageSeriesReader()
    names = reader.GetGDCMSeriesFileNames(str(paths[0].parent))
    assert len(names) == len(paths)
    reader.SetFileNames(names)
    return reader.Execute()


def of_simpleitk(paths: list[Path], folder: Path) -> dict[int, np.ndarray]:
    image = series_image(paths)
    voxels = SimpleITK.GetArrayViewFromImage(image)
    return {
        int(voxels[tuple(index)]): np.array(image.TransformIndexToPhysicalPoint([int(i) for i in index[::-1]]))
        for index in np.argwhere(voxels)
    }


def of_nifti(path: Path) -> dict[int, np.ndarray]:
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.load(path)
    voxels = np.asarray(image.dataobj)
    to_lps = np.diag([-1, -1, 1])  # NIfTI is RAS
    return {
        round(float(voxels[tuple(index)])): to_lps @ (image.affine @ (*index, 1))[:3] for index in np.argwhere(voxels)
    }


def of_nibabel(paths: list[Path], folder: Path) -> dict[int, np.ndarray]:
    SimpleITK.WriteImage(series_image(paths), str(folder / "v.nii"))
    return of_nifti(folder / "v.nii")


def of_highdicom(paths: list[Path], folder: Path) -> dict[int, np.ndarray]:
    volume = highdicom.get_volume_from_series([dcmread(path) for path in paths])
    indices = np.argwhere(volume.array)
    points = volume.map_indices_to_reference(indices)
    return {int(volume.array[tuple(index)]): point for index, point in zip(indices, points, strict=True)}


def of_dcm2niix(paths: list[Path], folder: Path) -> dict[int, np.ndarray]:
    command = [program("dcm2niix", "dcm2niix"), "-z", "n", "-f", "v", "-o", str(folder), str(paths[0].parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    (file,) = folder.glob("*.nii")
    return of_nifti(file)


def of_dicom2nifti(paths: list[Path], folder: Path) -> dict[int, np.ndarray]:
    dicom2nifti = pytest.importorskip("dicom2nifti", reason=DICOM2NIFTI)
    dicom2nifti.dicom_series_to_nifti(paths[0].parent, folder / "v.nii", reorient_nifti=False)
    assert b"?TR:20.000 TE:7" in (folder / "v.nii").read_bytes()[:348]  # the nominal times
    return of_nifti(folder / "v.nii")


@pytest.mark.parametrize("decoder", [of_simpleitk, of_nibabel, of_highdicom, of_dcm2niix, of_dicom2nifti])
def test_every_decoder_finds_the_markers_where_the_affine_puts_them(marked, tmp_path, decoder):
    paths, volume = marked
    found = decoder(paths, tmp_path)
    assert set(found) == set(MARKERS.values())
    for index, value in MARKERS.items():
        assert found[value] == pytest.approx((volume.affine @ (*index, 1))[:3], abs=1e-3)
    right_anterior_superior = found[4095]
    assert (right_anterior_superior * (1, 1, -1) < 0).all()


def test_a_converter_of_folders_finds_the_markers(marked, tmp_path):
    """``convert_directory`` only logs what it cannot convert; TotalSegmentator reads DICOM with it."""
    dicom2nifti = pytest.importorskip("dicom2nifti", reason=DICOM2NIFTI)
    dicom2nifti.convert_directory(marked[0][0].parent, tmp_path, compression=False)
    (file,) = tmp_path.iterdir()
    assert set(of_nifti(file)) == set(MARKERS.values())


def test_geometry_survives_a_reader_of_another_make(tmp_path, film, phantom):
    images = build_mr_series(small(phantom, 4), RIGHT, origin(film), label="none")
    image = series_image(write_images(tmp_path / "s", images))
    assert image.GetSize() == (256, 256, 4)
    assert image.GetSpacing() == pytest.approx((0.625, 0.625, 1.5))
    assert image.GetOrigin() == pytest.approx((-79.6875, -36.75, 79.6875))
    direction = np.array(image.GetDirection()).reshape(3, 3)
    assert direction == pytest.approx(np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]))
    assert np.linalg.det(direction) == pytest.approx(1)
    assert np.array_equal(SimpleITK.GetArrayFromImage(image), stored_pixels(phantom.voxels[:4]))


def test_oblique_geometry_and_other_spacing_survive(tmp_path, film):
    angle = np.deg2rad(7.3)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.array([[0.5, 0, 0], [0, 0, 0.75], [0, -0.8, 0]])
    affine[:3, 3] = (-12.345678901234, 3.3333333333333, 1e-7)
    volume = Volume(np.linspace(0, 1, 5 * 64 * 80, dtype=np.float32).reshape(5, 64, 80), affine)
    image = series_image(write_images(tmp_path / "s", build_mr_series(volume, LEFT, origin(film))))
    for index in ((0, 0, 0), (79, 0, 0), (0, 63, 0), (0, 0, 4)):
        found = image.TransformIndexToPhysicalPoint(index)
        assert found == pytest.approx((affine @ (*index, 1))[:3], abs=1e-6)
    assert dcmread(tmp_path / "s/IM_0001.dcm").SeriesNumber == 902
