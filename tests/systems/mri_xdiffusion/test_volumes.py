"""Volumes: read from files of several kinds with their geometry, and brought into the cube."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.dataset import FileDataset

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.systems.mri_xdiffusion.volumes import reading
from monai_xray2mri.systems.mri_xdiffusion.volumes.cube import axis_weights, to_cube
from monai_xray2mri.systems.mri_xdiffusion.volumes.reading import read_volume, scaled_intensities
from monai_xray2mri.types import Volume
from tests.helpers.slices import write_image, write_series

SHAPE = (6, 10, 8)
SLOPE = np.array([1.0, 2.0, -3.0])
"""The image is a linear function of LPS mm: a voxel tells where it lies."""


def expected(volume: Volume) -> np.ndarray:
    indices = np.stack(np.meshgrid(*map(np.arange, volume.voxels.shape), indexing="ij")[::-1], axis=-1)
    return (indices @ volume.affine[:3, :3].T + volume.affine[:3, 3]) @ SLOPE + 500


def made(directions: np.ndarray, spacing: tuple[float, float, float] = (1.5, 2.0, 3.0)) -> Volume:
    affine = np.eye(4)
    affine[:3, :3] = directions * spacing
    affine[:3, 3] = (10, -20, 30)
    empty = Volume(np.zeros(SHAPE, np.float32), affine)
    return Volume(expected(empty).astype(np.float32), affine)


AXIAL = made(np.eye(3))
OBLIQUE = made(np.linalg.qr(np.array([[0.1, 1.0, 0.1], [0.05, 0.1, 1.0], [-1.0, 0.1, 0.1]]))[0])


@pytest.mark.parametrize("volume", [AXIAL, OBLIQUE], ids=["axial", "oblique"])
@pytest.mark.parametrize("kind", ["nii.gz", "nrrd", "dicom"])
def test_a_voxel_lies_where_the_file_says(volume: Volume, kind: str, tmp_path: Path) -> None:
    if kind == "dicom":
        source = write_series(volume, tmp_path / "series")
    else:
        source = write_image(volume, tmp_path / f"volume.{kind}")
    read = read_volume(source)
    np.testing.assert_allclose(read.volume.voxels, expected(read.volume), atol=0.06)
    largest = abs(read.volume.affine[:3, :3]).argmax(axis=0)
    assert largest.tolist() == [0, 2, 1]  # columns along x, rows along z, slices along y
    assert np.linalg.det(read.volume.affine[:3, :3]) > 0
    assert (read.volume.affine[[0, 2, 1], [0, 1, 2]] * [1, -1, 1] > 0).all()
    assert len(read.headers) == (SHAPE[0] if kind == "dicom" else 0)


def drop(keyword: str) -> Callable[[int, FileDataset], object]:
    return lambda index, data: index == 2 and delattr(data, keyword)


def put(keyword: str, value: object, slices: tuple[int, ...] = (2,)) -> Callable[[int, FileDataset], object]:
    return lambda index, data: index in slices and setattr(data, keyword, value)


def colored(index: int, data: FileDataset) -> None:
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration = 3, "RGB", 0
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
    data.PixelData = bytes(range(240))[: data.Rows * data.Columns * 3]


def slanted(index: int, data: FileDataset) -> None:
    """Each slice half a millimeter to the side of the one before."""
    data.ImagePositionPatient = [data.ImagePositionPatient[0] + 0.5 * index, *data.ImagePositionPatient[1:]]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (drop("ImagePositionPatient"), "must have ImagePositionPatient"),
        (drop("ImageOrientationPatient"), "must have ImageOrientationPatient"),
        (put("ImagePositionPatient", [10, -20, 30]), "each slice once"),
        (put("ImagePositionPatient", [10, -20, 37.5]), "even distances"),
        (put("ImageOrientationPatient", [0, 1, 0, 0, 0, 1]), "one orientation"),
        (put("SeriesInstanceUID", "1.2.3"), "must hold one volume"),
        (put("PatientID", "2"), "one patient"),
        (put("PixelData", bytes(2 * 80), tuple(range(6))), "must show something"),
        (colored, "must be gray"),
        (put("NumberOfFrames", 2), "one slice per file"),
        (slanted, "straight behind each other"),
        (drop("PixelSpacing"), "must have PixelSpacing"),
        (put("StudyInstanceUID", "1.2.4"), "one study"),
    ],
    ids=[
        "no position",
        "no orientation",
        "twice",
        "uneven",
        "two orientations",
        "two series",
        "two patients",
        "flat",
        "color",
        "frames",
        "slanted",
        "no spacing",
        "two studies",
    ],
)
def test_a_series_that_is_no_volume_is_refused(
    change: Callable[[int, FileDataset], object], says: str, tmp_path: Path
) -> None:
    with pytest.raises(InputRefused, match=says):
        read_volume(write_series(AXIAL, tmp_path / "series", change))


def test_files_that_are_no_volume_are_refused(tmp_path: Path) -> None:
    voxels = AXIAL.voxels.copy()
    voxels[1, 2, 3], voxels[4, 5, 6] = np.nan, np.inf
    for kind in ("nrrd", "mha", "nii", "nii.gz"):  # of NIfTI, ITK reads them as 0
        with pytest.raises(InputRefused, match=r"finite numbers \(found: 2 that are not"):
            read_volume(write_image(Volume(voxels, AXIAL.affine), tmp_path / f"nan.{kind}"))
    (tmp_path / "torn.nrrd").write_bytes(b"NRRD0004\n")
    with pytest.raises(InputRefused, match="readable"):
        read_volume(tmp_path / "torn.nrrd")
    with pytest.raises(InputRefused, match="one volume"):
        read_volume(tmp_path)
    SimpleITK.WriteImage(SimpleITK.Image([4, 4, 4], SimpleITK.sitkVectorUInt8, 3), str(tmp_path / "color.nrrd"))
    with pytest.raises(InputRefused, match="one value"):
        read_volume(tmp_path / "color.nrrd")


@pytest.mark.parametrize("kind", ["nii.gz", "dicom"])
def test_a_volume_that_would_fill_the_memory_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    if kind == "dicom":
        source = write_series(AXIAL, tmp_path / "series", lambda _, data: setattr(data, "Rows", 65535))
        monkeypatch.setattr(reading, "LARGEST_VOXELS", 65535 * 8 * 6 - 1)
        size = "8 x 65535 x 6"
    else:
        source = write_image(AXIAL, tmp_path / "volume.nii.gz")
        monkeypatch.setattr(reading, "LARGEST_VOXELS", 6 * 10 * 8 - 1)
        size = "8 x 10 x 6"
    monkeypatch.setattr(SimpleITK, "GetArrayFromImage", lambda image: pytest.fail("read"))
    with pytest.raises(InputRefused, match=rf"must have at most \d+ million voxels \(found: {size}\)"):
        read_volume(source)


def test_intensities_are_scaled_by_the_volume() -> None:
    scaled = scaled_intensities(AXIAL)
    low, high = np.percentile(AXIAL.voxels, (0.5, 99.5))
    assert scaled.voxels.min() == 0 and scaled.voxels.max() == 1
    np.testing.assert_allclose(scaled.voxels[3, 5, 4], (AXIAL.voxels[3, 5, 4] - low) / (high - low), rtol=1e-5)


def test_the_cube_holds_the_volume_at_its_place() -> None:
    """A linear image stays linear under means and interpolation, and a voxel tells where it lies."""
    volume = Volume(made(np.eye(3), (1.0, 1.0, 3.0)).voxels, made(np.eye(3), (1.0, 1.0, 3.0)).affine)
    cube = to_cube(volume, side_mm=24.0, size=12)
    np.testing.assert_allclose(cube.acquired, [[-8 / 24, -10 / 24, -18 / 24], [8 / 24, 10 / 24, 18 / 24]])
    found = Volume(cube.voxels, cube.affine)
    inner = (slice(2, 10), slice(4, 8), slice(5, 7))
    np.testing.assert_allclose(cube.voxels[inner], expected(found)[inner], atol=1e-3)
    assert not cube.voxels[0].any() and not cube.voxels[:, 0].any() and not cube.voxels[:, :, 1].any()


def test_a_coarser_axis_holds_means_and_a_finer_one_interpolates() -> None:
    coarse = axis_weights(8, 1.0, 4, 2.0)
    np.testing.assert_allclose(coarse[1], [0, 0.125, 0.375, 0.375, 0.125, 0, 0, 0], atol=1e-6)
    fine = axis_weights(4, 2.0, 8, 1.0)
    np.testing.assert_allclose(fine[2], [0.25, 0.75, 0, 0], atol=1e-6)
    assert (fine.sum(dim=1) == 1).all()


def test_headers_are_those_of_the_slices_in_their_order(tmp_path: Path) -> None:
    read = read_volume(write_series(AXIAL, tmp_path / "series"))
    heights = [float(header.ImagePositionPatient[2]) for header in read.headers]
    assert heights == sorted(heights) and isinstance(read.headers[0], pydicom.Dataset)
