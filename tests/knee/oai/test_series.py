"""COR_T1_3D_FLASH: order, geometry, matrix sizes, sides; what is refused and what is only another kind of series."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from pydicom import Dataset

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.oai.intensity import PERCENTILE, REFERENCE_LEVEL, normalize
from monai_xray2mri.knee.oai.series import CoronalVolume, OutOfScope, overlap_matrix, read_coronal_t1, to_patient_order
from monai_xray2mri.types import Side
from tests.knee.oai.conftest import SLICES, mr_images, phantom, write_series

SIZE = 32


def tiny() -> list[Dataset]:
    """The phantom at 32 x 32."""
    return mr_images(phantom(SIZE))


def read(folder: Path, images: list[Dataset], side: Side = Side.RIGHT, size: int = SIZE) -> CoronalVolume:
    """Write a series and read it."""
    return read_coronal_t1(write_series(folder, images), side, "series", size=size)


def test_a_whole_series_is_read_as_it_is(tmp_path: Path) -> None:
    volume = read(tmp_path, tiny())
    np.testing.assert_array_equal(volume.voxels, phantom(SIZE).astype(np.float32))
    assert volume.remarks == ()


def test_file_order_does_not_matter(tmp_path: Path) -> None:
    images = tiny()
    straight = read(tmp_path / "straight", images)
    random.Random(0).shuffle(images)
    shuffled = read(tmp_path / "shuffled", images)
    anterior_first = read(tmp_path / "reversed", sorted(images, key=lambda one: -one.InstanceNumber))
    for other in (shuffled, anterior_first):
        np.testing.assert_array_equal(other.voxels, straight.voxels)
        np.testing.assert_array_equal(other.affine, straight.affine)


def test_512_pixels_become_256_by_exact_averaging(tmp_path: Path) -> None:
    fine = np.random.default_rng(0).integers(0, 4096, (SLICES, 64, 64), dtype=np.uint16)
    volume = read(tmp_path, mr_images(fine))
    np.testing.assert_array_equal(volume.voxels, fine.reshape(SLICES, 32, 2, 32, 2).mean(axis=(2, 4)))


@pytest.mark.parametrize("count", [32, 40, 48, 50, 64])
def test_any_finer_matrix_keeps_the_mean_and_the_place(tmp_path: Path, count: int) -> None:
    shares = overlap_matrix(count, 160 / count, SIZE, 160)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    place = (np.arange(count) + 0.5) / count
    np.testing.assert_allclose(shares @ place, (np.arange(SIZE) + 0.5) / SIZE, atol=2e-3)


def test_a_field_of_view_a_little_smaller_is_padded_and_said(tmp_path: Path) -> None:
    images = mr_images(np.full((SLICES, 30, 30), 500, dtype=np.uint16), PixelSpacing=[5.0, 5.0])
    volume = read(tmp_path, images)
    assert volume.voxels[:, 0].max() == 0 and volume.voxels[:, 1:-1, 1:-1].min() == 500
    assert "field of view of 150 mm brought to 160 mm" in volume.remarks


@pytest.mark.parametrize("flips", [(), (0,), (1,), (0, 1)], ids=["usual", "columns", "rows", "both"])
def test_stored_rows_and_columns_may_run_the_other_way(tmp_path: Path, flips: tuple[int, ...]) -> None:
    expected = read(tmp_path / "usual", tiny())
    turned = mr_images(phantom(SIZE))
    for image in turned:
        pixels = image.pixel_array
        orientation, position = np.array(image.ImageOrientationPatient), np.array(image.ImagePositionPatient)
        for flip in flips:
            axis = orientation[3 * flip : 3 * flip + 3].copy()
            position = position + axis * 5.0 * (SIZE - 1)
            orientation[3 * flip : 3 * flip + 3] = -axis
            pixels = np.flip(pixels, axis=1 - flip)
        image.ImageOrientationPatient, image.ImagePositionPatient = orientation.tolist(), position.tolist()
        image.PixelData = np.ascontiguousarray(pixels).tobytes()
    volume = read(tmp_path / "turned", turned)
    np.testing.assert_array_equal(volume.voxels, expected.voxels)
    np.testing.assert_allclose(volume.affine, expected.affine, atol=1e-6)


@pytest.mark.parametrize("matrix", [32, 64])
@pytest.mark.parametrize("tilt", [0.0, 0.2])
@pytest.mark.parametrize("side", list(Side))
def test_every_voxel_lies_where_an_independent_reader_puts_it(
    tmp_path: Path, side: Side, tilt: float, matrix: int
) -> None:
    folder = write_series(tmp_path, mr_images(phantom(matrix), tilt=tilt))
    volume = read_coronal_t1(folder, side, "series", size=SIZE)
    names = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    reference = SimpleITK.ReadImage(list(names))
    stored = SimpleITK.GetArrayFromImage(reference).astype(np.float32)
    for index in ((3, 2, 70), (20, 30, 5), (11, 17, 40)):
        point = volume.affine @ (*index, 1)
        column, row, plane = reference.TransformPhysicalPointToContinuousIndex(point[:3].tolist())
        if matrix == SIZE:
            expected = stored[round(plane), round(row), round(column)]
        else:  # the middle of four pixels
            corner = slice(int(row), int(row) + 2), slice(int(column), int(column) + 2)
            expected = stored[(round(plane), *corner)].mean()
        assert volume.voxels[index[2], index[1], index[0]] == expected


def test_a_left_knee_is_mirrored_into_right_knee_space(tmp_path: Path) -> None:
    right, left = (read(tmp_path / side.value, tiny(), side) for side in Side)
    np.testing.assert_array_equal(left.voxels, right.voxels[..., ::-1])
    assert right.affine[0, 0] > 0 > left.affine[0, 0]


@pytest.mark.parametrize("side", list(Side))
def test_patient_order_is_right_handed_and_anterior_first(tmp_path: Path, side: Side) -> None:
    volume = read(tmp_path, tiny(), side)
    ordered, affine = to_patient_order(volume.voxels, volume.affine, side)
    assert np.linalg.det(affine[:3, :3]) > 0
    assert affine[1, 2] > 0 > affine[2, 1] and affine[0, 0] > 0
    np.testing.assert_array_equal(ordered[::-1], phantom(SIZE))  # the scanner's own columns, whichever the knee


def test_a_rescale_slope_is_applied(tmp_path: Path) -> None:
    volume = read(tmp_path, mr_images(phantom(SIZE), RescaleSlope="0.5", RescaleIntercept="-10"))
    np.testing.assert_allclose(volume.voxels, phantom(SIZE) * 0.5 - 10)


def test_files_that_are_copies_of_others_are_dropped(tmp_path: Path) -> None:
    images = tiny()
    volume = read(tmp_path, [*images, *images[:3]])
    assert len(volume.voxels) == SLICES
    assert volume.remarks == ("3 files are copies of other slices",)


def test_a_missing_slice_is_broken(tmp_path: Path) -> None:
    images = tiny()
    with pytest.raises(InputRefused, match="79, 1 missing") as caught:
        read(tmp_path, images[:30] + images[31:])
    assert not isinstance(caught.value, OutOfScope)


def test_a_slice_missing_at_the_end_is_told_by_the_number_of_the_acquisition(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="79, 1 missing"):
        read(tmp_path, mr_images(phantom(SIZE), ImagesInAcquisition=80)[:-1])


@pytest.mark.parametrize("count", [1, 30, 72, 79])
def test_series_of_other_slice_counts_are_another_kind(tmp_path: Path, count: int) -> None:
    with pytest.raises(OutOfScope, match=f"must have 80 slices.*{count}"):
        read(tmp_path, tiny()[:count])


def test_more_than_80_slices_are_another_kind(tmp_path: Path) -> None:
    with pytest.raises(OutOfScope, match="81"):
        read(tmp_path, mr_images(np.concatenate([phantom(SIZE), phantom(SIZE)[:1]])))


def test_slices_of_another_thickness_are_another_kind(tmp_path: Path) -> None:
    with pytest.raises(OutOfScope, match=r"1.5 mm apart .*3.00 mm"):
        read(tmp_path, mr_images(phantom(SIZE), step_mm=3.0))


def test_uneven_slices_are_broken(tmp_path: Path) -> None:
    images = tiny()
    x, y, z = images[40].ImagePositionPatient
    images[40].ImagePositionPatient = [x, y + 0.5, z]
    with pytest.raises(InputRefused, match=r"evenly spaced slices .*1.00 to 2.00 mm"):
        read(tmp_path, images)


def test_two_slices_at_one_place_are_broken(tmp_path: Path) -> None:
    images = tiny()
    images[40].ImagePositionPatient = images[41].ImagePositionPatient
    with pytest.raises(InputRefused, match="two slices at one place"):
        read(tmp_path, images)


@pytest.mark.parametrize(
    "orientation", [[0, 1, 0, 0, 0, -1], [1, 0, 0, 0, 1, 0], [0, 0, -1, 1, 0, 0]], ids=["sagittal", "axial", "turned"]
)
def test_other_orientations_are_refused(tmp_path: Path, orientation: list[float]) -> None:
    with pytest.raises(InputRefused, match=r"must be coronal|rows from side to side"):
        read(tmp_path, mr_images(phantom(SIZE), ImageOrientationPatient=orientation))


def test_mixed_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="one size and orientation"):
        read(tmp_path, [*tiny()[:40], *mr_images(phantom(64))[40:]])


def test_another_field_of_view_and_coarser_pixels_are_another_kind(tmp_path: Path) -> None:
    with pytest.raises(OutOfScope, match=r"field of view of about 160 mm .*128 x 128 mm"):
        read(tmp_path / "small", mr_images(phantom(SIZE), PixelSpacing=[4.0, 4.0]))
    with pytest.raises(OutOfScope, match=r"pixels of at most 2.500 mm"):
        read(tmp_path / "coarse", tiny(), size=64)


@pytest.mark.parametrize("damage", ["cut off", "garbage", "no position", "empty"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    folder = write_series(tmp_path, tiny())
    path = folder / "017"
    whole = path.read_bytes()
    if damage == "no position":
        image = tiny()[16]
        del image.ImagePositionPatient
        image.save_as(path, enforce_file_format=True)
    else:
        path.write_bytes({"cut off": whole[:-300], "garbage": b"x" * len(whole), "empty": b""}[damage])
    with pytest.raises(InputRefused, match="file 017 damaged"):
        read_coronal_t1(folder, Side.RIGHT, "series", size=SIZE)


def test_messages_hold_no_patient_data(tmp_path: Path) -> None:
    images = mr_images(phantom(SIZE), PatientID="9000296", PatientName="Secret^Name")[:20]
    with pytest.raises(InputRefused) as caught:
        read(tmp_path, images)
    assert "Secret" not in str(caught.value) and "9000296" not in str(caught.value)


def test_intensities_do_not_depend_on_the_scanners_units() -> None:
    volume = phantom(SIZE).astype(np.float32)
    one, factor = normalize(volume, "series")
    other, larger = normalize(volume * 7.5, "series")
    np.testing.assert_allclose(one, other, rtol=1e-5)
    assert factor == pytest.approx(7.5 * larger)
    assert np.percentile(one[13:63], PERCENTILE) == pytest.approx(REFERENCE_LEVEL)
    assert one.min() >= 0 and one.max() <= 1


def test_zero_stays_zero_and_the_end_slices_do_not_decide() -> None:
    volume = phantom(SIZE).astype(np.float32)
    volume[:, 0] = 0
    bright_ends = volume.copy()
    bright_ends[:13] *= 100
    bright_ends[63:] *= 100
    np.testing.assert_array_equal(normalize(volume, "s")[0][13:63], normalize(bright_ends, "s")[0][13:63])
    assert normalize(volume, "s")[0][:, 0].max() == 0


def test_an_empty_volume_is_refused() -> None:
    with pytest.raises(InputRefused, match="must show something"):
        normalize(np.zeros((SLICES, 4, 4), np.float32), "series")
