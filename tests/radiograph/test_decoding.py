"""Every transfer syntax gives the stored values of the uncompressed twin; cut-off pixel data are refused."""

from __future__ import annotations

import copy
import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from pydicom import DataElement, Dataset, dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    RLELossless,
)

from monai_xray2mri.errors import ExitCode, InputRefused
from monai_xray2mri.radiograph import decoding
from monai_xray2mri.radiograph.reading import radiograph_from_dataset, read_radiograph
from tests.helpers.film_kinds import encapsulate_with_gdcm

SYNTAXES = {
    "implicit": ImplicitVRLittleEndian,
    "big endian": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
    "RLE": RLELossless,
    "JPEG 2000": JPEG2000Lossless,
    "JPEG lossless SV1": JPEGLosslessSV1,
    "JPEG lossless": JPEGLossless,
}
COMPRESSED = [name for name in SYNTAXES if name not in ("implicit", "big endian", "deflated")]


def save(dataset: Dataset, path: Path) -> Path:
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(path, enforce_file_format=True)
    return path


def recode(dataset: Dataset, syntax: str, folder: Path) -> Path:
    """Write a data set in another transfer syntax, with the coder that has it."""
    twin = copy.deepcopy(dataset)
    path = folder / f"{syntax}.dcm"
    if syntax == "JPEG lossless":
        if shutil.which("dcmcjpeg") is None:
            pytest.skip("dcmcjpeg (Debian package dcmtk) is absent: no other coder writes JPEG lossless process 14")
        plain = save(twin, folder / "plain.dcm")
        subprocess.run(["dcmcjpeg", "+el", str(plain), str(path)], check=True)
        return path
    if syntax == "RLE":
        twin.compress(RLELossless)
    elif syntax.startswith("JPEG"):
        encapsulate_with_gdcm(twin, "JPEG2000" if syntax == "JPEG 2000" else "JPEG", folder)
    else:
        if syntax == "big endian":
            twin.PixelData = np.frombuffer(twin.PixelData, "<u2").astype(">u2").tobytes()
        twin.file_meta.TransferSyntaxUID = SYNTAXES[syntax]
    return save(twin, path)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_compressed_twin_reads_as_the_uncompressed_one(knee_crop, make_dataset, tmp_path, syntax, photometric):
    options = {"RescaleSlope": 2, "RescaleIntercept": -100, "WindowCenter": 4000, "WindowWidth": 7000}
    dataset = make_dataset(knee_crop, PhotometricInterpretation=photometric, **options)
    plain = radiograph_from_dataset(dataset, "plain.dcm")
    path = recode(dataset, syntax, tmp_path)
    assert dcmread(path).file_meta.TransferSyntaxUID == SYNTAXES[syntax]
    coded = read_radiograph(path)
    assert np.array_equal(coded.pixels, plain.pixels)
    assert np.corrcoef(coded.pixels.ravel(), knee_crop.ravel())[0, 1] > 0.99  # bone bright
    assert coded.spacing == plain.spacing and coded.sides == plain.sides


def test_a_frame_of_too_many_pixels_is_refused_before_it_is_decoded(knee_crop, make_dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "pixel_array", lambda frame: pytest.fail("decoded"))
    dataset = make_dataset(knee_crop)
    dataset.compress(RLELossless)
    dataset.Rows = dataset.Columns = 65535
    with pytest.raises(InputRefused, match=r"at most 128 million pixels \(found: 65535 x 65535\)"):
        read_radiograph(save(dataset, tmp_path / "bomb.dcm"))


@pytest.mark.parametrize(
    ("syntax", "marker", "place"),
    [("JPEG 2000", b"\xff\x4f\xff\x51", 8), ("JPEG lossless SV1", b"\xff\xc3", 5)],
)
def test_a_codestream_that_is_larger_than_the_header_says_is_refused_before_it_is_decoded(
    knee_crop, make_dataset, tmp_path, monkeypatch, syntax, marker, place
):
    dataset = dcmread(recode(make_dataset(knee_crop), syntax, tmp_path))
    start = dataset.PixelData.index(marker) + place
    dataset.PixelData = (
        dataset.PixelData[:start]
        + b"\0\0\xff\xff"[-4 if place == 8 else -2 :]
        + (dataset.PixelData[start + (4 if place == 8 else 2) :])
    )
    monkeypatch.setattr(decoding, "pixel_array", lambda frame: pytest.fail("decoded"))
    with pytest.raises(InputRefused, match="a compressed image of another size than Rows and Columns say"):
        read_radiograph(save(dataset, tmp_path / "bomb.dcm"))


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("syntax", ["implicit", "JPEG lossless SV1"])
def test_bit_depths(knee_crop, make_dataset, tmp_path, bits, syntax):
    coded = read_radiograph(recode(make_dataset(knee_crop, bits=bits), syntax, tmp_path))
    scaled = (knee_crop - knee_crop.min()) / np.ptp(knee_crop)
    assert np.abs(coded.pixels - scaled).max() < 3 / 2**bits + 1e-6


def test_real_film_survives_jpeg_lossless(real_crops, make_dataset, tmp_path):
    crop = next(iter(real_crops.values())) / 255
    dataset = make_dataset(crop, bits=10, PhotometricInterpretation="MONOCHROME1")
    coded = read_radiograph(recode(dataset, "JPEG lossless SV1", tmp_path))
    assert np.array_equal(coded.pixels, radiograph_from_dataset(dataset, "plain").pixels)


def test_signed_values(knee_crop, make_dataset):
    dataset = make_dataset(knee_crop)
    stored = np.frombuffer(dataset.PixelData, np.uint16).astype(np.int32) - 2048
    signed = make_dataset(knee_crop, PixelRepresentation=1)
    signed.PixelData = (stored & 0xFFF).astype(np.uint16).tobytes()  # 12 bits in two's complement
    plain, same = (radiograph_from_dataset(d, "film").pixels for d in (dataset, signed))
    assert np.array_equal(plain, same)


def test_bits_above_bits_stored_are_ignored(knee_crop, make_dataset):
    dataset = make_dataset(knee_crop)
    plain = radiograph_from_dataset(dataset, "film").pixels
    stored = np.frombuffer(dataset.PixelData, np.uint16).copy()
    stored[::7] |= 0x8000  # an overlay in the high bits, as old files have it
    dataset.PixelData = stored.tobytes()
    assert np.array_equal(radiograph_from_dataset(dataset, "film").pixels, plain)


def assert_cut_off(path: Path) -> None:
    with pytest.raises(InputRefused) as refusal:
        read_radiograph(path)
    assert refusal.value.exit_code == ExitCode.INPUT_REFUSED
    assert path.name in str(refusal.value)
    assert "cut off" in str(refusal.value)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("kept", [0.97, 0.5])
def test_files_cut_off_in_their_pixels_are_refused(knee_crop, make_dataset, tmp_path, syntax, kept):
    path = recode(make_dataset(knee_crop), syntax, tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    assert_cut_off(path)


@pytest.mark.parametrize("syntax", COMPRESSED)
def test_codestreams_cut_off_in_a_complete_file_are_refused(knee_crop, make_dataset, tmp_path, syntax):
    """As after a broken transcoding: decoders may fill in the rest in silence."""
    dataset = dcmread(recode(make_dataset(knee_crop), syntax, tmp_path))
    codestream = next(generate_frames(dataset.PixelData, number_of_frames=1))
    dataset.PixelData = encapsulate([codestream[: int(0.8 * len(codestream))]])
    assert_cut_off(save(dataset, tmp_path / "cut.dcm"))


def test_garbage_as_jpeg_lossless_is_refused_without_naming_temporary_files(knee_crop, make_dataset, tmp_path):
    dataset = make_dataset(knee_crop)
    dataset.PixelData = encapsulate([b"\xff\xd8" + bytes(range(200)) + b"\xff\xd9"])
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    with pytest.raises(InputRefused, match="no decoder here can read") as refusal:
        radiograph_from_dataset(dataset, "film.dcm")
    assert "frame.dcm" not in str(refusal.value)


@pytest.mark.parametrize(
    ("attributes", "part"),
    [
        ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, "RGB"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "PALETTE COLOR"),
        ({"SamplesPerPixel": 3}, "3 samples"),
        ({"NumberOfFrames": 2}, "2 frames"),
        ({"BitsStored": 4, "HighBit": 3}, "BitsStored 4"),
        ({"BitsAllocated": 32}, "BitsAllocated 32"),
        ({"Rows": None}, "Rows"),
        ({"PixelData": None}, "pixel data"),
    ],
)
def test_images_that_are_no_gray_film_are_refused(knee_crop, make_dataset, attributes, part):
    with pytest.raises(InputRefused, match=part):
        radiograph_from_dataset(make_dataset(knee_crop, **attributes), "film.dcm")


@pytest.mark.parametrize(
    ("keyword", "value", "part"),
    [
        ("PixelData", "SECRET", "needs pixel data"),
        ("Rows", "SECRET", "needs Rows and Columns.*no numbers"),
        ("Columns", "SECRET", "needs Rows and Columns"),
        ("BitsStored", "SECRET", r"BitsStored \(no number\)"),
        ("BitsAllocated", "SECRET", r"BitsAllocated \(no number\)"),
        ("NumberOfFrames", "SECRET", r"\(no number\) frames"),
        ("PixelRepresentation", "SECRET", "Pixel Representation of 0 or 1"),
    ],
)
def test_numbers_that_are_texts_are_refused_and_not_quoted(knee_crop, make_dataset, keyword, value, part):
    dataset = make_dataset(knee_crop)
    dataset[keyword] = DataElement(tag_for_keyword(keyword), "LO", value)
    with pytest.raises(InputRefused, match=part) as refusal:
        radiograph_from_dataset(dataset, "film.dcm")
    assert "SECRET" not in str(refusal.value)


def test_an_unknown_transfer_syntax_is_refused(knee_crop, make_dataset):
    dataset = make_dataset(knee_crop)
    dataset.file_meta.TransferSyntaxUID = UID("1.2.840.10008.5.1.4.1.1.1")
    with pytest.raises(InputRefused, match="must name a transfer syntax"):
        radiograph_from_dataset(dataset, "film.dcm")


def test_one_frame_may_be_counted(knee_crop, make_dataset):
    assert radiograph_from_dataset(make_dataset(knee_crop, NumberOfFrames=1), "film.dcm").pixels.shape == (220, 220)


def test_file_without_preamble(knee_crop, make_dataset, tmp_path):
    dataset = make_dataset(knee_crop)
    plain = radiograph_from_dataset(dataset, "plain.dcm")
    buffer = io.BytesIO()
    del dataset.file_meta
    dataset.save_as(buffer, implicit_vr=True, little_endian=True)
    path = tmp_path / "bare"
    path.write_bytes(buffer.getvalue())
    assert np.array_equal(read_radiograph(path).pixels, plain.pixels)
    buffer = io.BytesIO()
    dataset.save_as(buffer, implicit_vr=False, little_endian=True)
    path.write_bytes(buffer.getvalue())
    assert np.array_equal(read_radiograph(path).pixels, plain.pixels)
