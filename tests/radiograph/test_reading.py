"""Files of every accepted kind, the odd real ones, and privacy of what is said about them."""

from __future__ import annotations

import copy
import logging
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.uid import DigitalXRayImageStorageForPresentation, MRImageStorage, SecondaryCaptureImageStorage

from monai_xray2mri.errors import ExitCode, InputRefused, NotAKnee, UsageError
from monai_xray2mri.knee.detection.joints import find_joints
from monai_xray2mri.radiograph.knee.checks import FilmCheck, check_radiograph, check_region
from monai_xray2mri.radiograph.knee.header_checks import check_subject
from monai_xray2mri.radiograph.knee.region import find_knees
from monai_xray2mri.radiograph.reading import radiograph_from_dataset, read_radiograph
from monai_xray2mri.types import Side


def write(dataset: Dataset, path: Path) -> Path:
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(path, enforce_file_format=True)
    return path


def test_file_and_data_set_give_the_same_radiograph(knee_crop, make_dataset, tmp_path):
    dataset = make_dataset(knee_crop)
    path = write(dataset, tmp_path / "film.dcm")
    read, made = read_radiograph(path), radiograph_from_dataset(dataset, "film.dcm")
    assert np.array_equal(read.pixels, made.pixels)
    assert (read.spacing, read.sides, read.sides_source) == ((0.5, 0.5), (Side.RIGHT,), "ImageLaterality")
    assert (read.name, read.path, made.path) == ("film.dcm", path, None)
    assert read_radiograph(path, "study/film.dcm").name == "study/film.dcm"


def test_header_is_kept_without_pixels_and_the_data_set_is_not_changed(knee_crop, make_dataset):
    dataset = make_dataset(knee_crop, PhotometricInterpretation="MONOCHROME1", WindowCenter=2000, WindowWidth=4000)
    before = copy.deepcopy(dataset)
    read = radiograph_from_dataset(dataset, "film.dcm")
    read.dataset.PatientName = "Changed"
    assert dataset == before and "PixelData" in dataset
    assert "PixelData" not in read.dataset
    assert read.dataset.PatientID == "SECRET-4711" and read.dataset.SOPInstanceUID == dataset.SOPInstanceUID


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_real_knees_as_cr(real_crops, make_dataset, photometric):
    """The whole way: 110 mm over the width, found, checked, bone bright, on its side."""
    for name, crop in real_crops.items():
        options = {"ImageLaterality": name[-1], "ImagerPixelSpacing": [110 / 299] * 2}
        dataset = make_dataset(crop / 255, bits=10, PhotometricInterpretation=photometric, **options)
        read = radiograph_from_dataset(dataset, f"{name}.dcm")
        assert check_radiograph(read) == FilmCheck((Side(name[-1]),))
        (roi,) = find_knees(read, find_joints, read.sides, 110.0)
        assert check_region(roi).doubts == ()
        assert roi.side == name[-1] and roi.method == "whole image"
        assert np.corrcoef(roi.pixels.ravel(), crop.ravel())[0, 1] > 0.999


@pytest.mark.parametrize("size", [224, 299])
def test_real_knees_as_pictures(shared_data, size):
    folder = shared_data / ("knee_xray_rois_raw" if size == 299 else "knee_xray_rois/val")
    for path in sorted(folder.rglob("*.[pj][np]g"))[3:200:50]:
        read = read_radiograph(path)
        assert read.pixels.shape == (size, size) and read.dataset is None and read.spacing is None
        assert read.sides == (Side(path.stem[-1]),) and read.sides_source == "file name"
        assert any("file name" in remark for remark in read.remarks)
        (roi,) = find_knees(read, find_joints, read.sides, 110.0, assume_spacing=True)
        assert check_region(roi).doubts == ()


def test_cr_of_a_chest_without_preamble(shared_data):
    path = shared_data / "radiographs_odd" / "fo-dicom_CR-MONO1-10-chest_noPreamble"
    read = read_radiograph(path)
    raw = np.frombuffer(dcmread(path, force=True).PixelData, np.uint16).reshape(440, 440) & 1023
    assert np.corrcoef(read.pixels.ravel(), raw.ravel())[0, 1] < -0.99  # MONOCHROME1: low values are bright
    assert read.sides == () and read.spacing is None
    with pytest.raises(NotAKnee, match="CHEST"):
        check_radiograph(read, side=Side.RIGHT)


def test_dx_of_a_dog(shared_data):
    path = shared_data / "radiographs_odd" / "highdicom_DX_thorax_dog_MONO1_8bit.dcm"
    with pytest.raises(InputRefused, match="sources of the side that agree"):  # its protocol name, RT
        read_radiograph(path)
    with pytest.raises(NotAKnee, match="animal") as refusal:  # what is wrong is something else
        read_radiograph(path, check_subject=check_subject)
    assert "VeryGood" not in str(refusal.value)
    dataset = dcmread(path)
    del dataset.ProtocolName
    read = radiograph_from_dataset(dataset, "dog.dcm")
    assert np.corrcoef(read.pixels.ravel(), dataset.pixel_array.ravel())[0, 1] < -0.99
    assert read.spacing == pytest.approx((1.2, 1.2012)) and read.spacing_source == "ImagerPixelSpacing"
    with pytest.raises(NotAKnee, match="animal"):
        check_radiograph(read)


def test_secondary_capture_with_a_voi_lut(shared_data):
    path = shared_data / "radiographs_odd" / "pydicom-data_vlut_04_VOILUT.dcm"
    with pytest.raises(NotAKnee, match="Secondary Capture Image Storage, modality OT") as refusal:
        read_radiograph(path)
    assert refusal.value.exit_code == ExitCode.INPUT_REFUSED
    dataset = dcmread(path)
    dataset.SOPClassUID, dataset.Modality = DigitalXRayImageStorageForPresentation, "DX"
    item = dataset.VOILUTSequence[0]
    entries, first, bits = item.LUTDescriptor
    lut = np.asarray(item.LUTData if isinstance(item.LUTData, list) else np.frombuffer(item.LUTData, np.uint16))
    expected = lut[np.clip(dataset.pixel_array.astype(int) - first, 0, entries - 1)]
    assert np.allclose(radiograph_from_dataset(dataset, "film").pixels, expected / (2**bits - 1), atol=1e-6)


@pytest.mark.parametrize(
    ("attributes", "part"),
    [
        ({"SOPClassUID": MRImageStorage, "Modality": "MR"}, "MR Image Storage, modality MR"),
        ({"SOPClassUID": SecondaryCaptureImageStorage}, "Secondary Capture"),
        ({"Modality": "MG"}, "modality MG"),
        ({"SOPClassUID": "1.2.3.4.5"}, "unknown SOP class"),
        ({"SOPClassUID": None, "Modality": None}, "no SOP class"),
        ({"Modality": "Some^Name"}, "modality none"),
    ],
)
def test_what_is_no_radiograph_is_refused(knee_crop, make_dataset, attributes, part):
    with pytest.raises(NotAKnee, match=part) as refusal:
        radiograph_from_dataset(make_dataset(knee_crop, **attributes), "film.dcm")
    assert refusal.value.exit_code == ExitCode.INPUT_REFUSED


def test_missing_file_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match=r"absent\.dcm"):
        read_radiograph(tmp_path / "absent.dcm")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x00" + b"garbage" * 40, b"\0" * 128 + b"DICMxx"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "file.bin"
    path.write_bytes(content)
    with pytest.raises(InputRefused, match=r"file\.bin"):
        read_radiograph(path)


def test_lossy_compression_is_remarked(knee_crop, make_dataset):
    read = radiograph_from_dataset(make_dataset(knee_crop, LossyImageCompression="01"), "film.dcm")
    assert any("loss" in remark for remark in read.remarks)


def test_invalid_values_neither_stop_the_reading_nor_leak(knee_crop, make_dataset, tmp_path, caplog):
    """pydicom quotes invalid values in warnings, log lines and errors; here they hold a name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = make_dataset(knee_crop, StudyTime="Secret Name", PatientAge="Secret Name", StudyID="x")
        dataset.add_new("SeriesNumber", "LO", "Secret Name")
        dataset["SeriesNumber"].VR = "LO"
        path = write(dataset, tmp_path / "film.dcm")
    caplog.clear()
    with warnings.catch_warnings(record=True) as seen, caplog.at_level("DEBUG"):
        warnings.simplefilter("always")
        read = read_radiograph(path)
        check_radiograph(read)
        [str(element.value) for element in read.dataset]
    assert not [warning for warning in seen if "Secret" in str(warning.message)]
    assert "Secret" not in caplog.text
    assert read.dataset.StudyID == "x"
    assert not logging.getLogger("pydicom").disabled


@pytest.mark.parametrize("name", ["1234567R.png", "1234567L.jpg"])
def test_side_from_a_file_name(knee_crop, tmp_path, name):
    Image.fromarray(np.uint8(255 * knee_crop)).save(tmp_path / name)
    assert read_radiograph(tmp_path / name).sides == (Side(name[7]),)


@pytest.mark.parametrize("name", ["knee.png", "R.png", "1234567r.png", "1234567R_2.png", "12a34R.png"])
def test_no_side_from_other_file_names(knee_crop, tmp_path, name):
    Image.fromarray(np.uint8(255 * knee_crop)).save(tmp_path / name)
    read = read_radiograph(tmp_path / name)
    assert read.sides == () and read.sides_source == "none"


def test_pictures_of_all_gray_kinds_read_alike(knee_crop, tmp_path):
    gray = np.uint8(np.rint(255 * knee_crop))
    picture = Image.fromarray(gray)
    for mode in ("L", "LA", "RGB", "RGBA", "P"):
        picture.convert(mode).save(tmp_path / f"{mode}.png")
        assert np.allclose(read_radiograph(tmp_path / f"{mode}.png").pixels, gray / 255, atol=1e-6)
    picture.convert("RGB").save(tmp_path / "grey.jpg", quality=95)
    assert np.abs(read_radiograph(tmp_path / "grey.jpg").pixels - gray / 255).mean() < 0.02


def test_sixteen_bits_of_a_png_are_kept(knee_crop, tmp_path):
    stored = np.uint16(np.rint(1023 * knee_crop))  # 10 bits in 16
    Image.fromarray(stored).save(tmp_path / "deep.png")
    pixels = read_radiograph(tmp_path / "deep.png").pixels
    assert len(np.unique(pixels)) > 256
    assert np.allclose(pixels, (stored - stored.min()) / np.ptp(stored), atol=1e-6)


def test_transparent_parts_are_dark(knee_crop, tmp_path):
    picture = np.dstack([np.uint8(255 * knee_crop)] * 3 + [np.full(knee_crop.shape, 255, np.uint8)])
    picture[:20, :, 3] = 0
    Image.fromarray(picture).save(tmp_path / "a.png")
    pixels = read_radiograph(tmp_path / "a.png").pixels
    assert np.all(pixels[:20] == 0) and pixels[30:].max() > 0.5


def test_color_pictures_are_refused(knee_crop, tmp_path):
    picture = np.dstack([np.uint8(255 * knee_crop)] * 3)
    picture[50:60, 50:60] = (200, 30, 30)
    Image.fromarray(picture).save(tmp_path / "colour.png")
    with pytest.raises(InputRefused, match=r"colour\.png: must be grey"):
        read_radiograph(tmp_path / "colour.png")
    Image.fromarray(picture).convert("CMYK").save(tmp_path / "cmyk.jpg")
    with pytest.raises(InputRefused, match="CMYK"):
        read_radiograph(tmp_path / "cmyk.jpg")


def test_animated_pictures_are_refused(knee_crop, tmp_path):
    frame = Image.fromarray(np.uint8(255 * knee_crop))
    frame.save(tmp_path / "two.png", save_all=True, append_images=[frame.point(lambda value: 255 - value)])
    with pytest.raises(InputRefused, match="2 frames"):
        read_radiograph(tmp_path / "two.png")


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("kept", [0.3, 0.95])
def test_pictures_that_are_cut_off_are_refused(knee_crop, tmp_path, suffix, kept):
    path = tmp_path / f"cut.{suffix}"
    Image.fromarray(np.uint8(255 * knee_crop)).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(InputRefused, match=rf"cut\.{suffix}: must be a complete picture"):
        read_radiograph(path)


STORED = {  # EXIF 0x0112: how a picture that is shown upright is stored
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}  # fmt: skip


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("orientation", STORED)
def test_a_picture_is_read_as_its_exif_orientation_shows_it(tmp_path, orientation, suffix):
    shown = np.random.default_rng(0).integers(0, 256, (40, 48)).astype(np.uint8)
    shown = np.kron(shown[::8, ::8], np.ones((8, 8), np.uint8))  # blocks, which JPEG keeps
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"film.{suffix}"
    Image.fromarray(shown).transpose(STORED[orientation]).save(path, exif=exif, quality=100)
    read = read_radiograph(path)
    assert np.abs(read.pixels * 255 - shown).max() < 4
    assert any("EXIF orientation" in remark for remark in read.remarks)


@pytest.mark.parametrize("orientation", [None, 0, 1, 9, 77])
def test_a_picture_without_a_known_orientation_is_read_as_stored(tmp_path, orientation):
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    path = tmp_path / "film.png"
    stored = np.arange(40 * 48, dtype=np.uint16).reshape(40, 48)
    Image.fromarray(stored).save(path, exif=exif)
    read = read_radiograph(path)
    assert np.array_equal(read.pixels, (stored / stored.max()).astype(np.float32))
    assert not any("EXIF" in remark for remark in read.remarks)
