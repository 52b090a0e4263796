"""Values are what the pixels hold, whatever Bits Stored, High Bit and Pixel Representation say beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.encaps import generate_frames
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.radiograph.codestream import Precision, precision_of
from monai_xray2mri.radiograph.decoding import decode_stored_values
from monai_xray2mri.radiograph.reading import radiograph_from_dataset
from monai_xray2mri.types import Radiograph
from tests.helpers.film_kinds import encapsulate_with_gdcm
from tests.helpers.films import simulated_crop

Make = Callable[..., Dataset]


@pytest.fixture(scope="module")
def codes() -> np.ndarray:
    """A knee of 12 bits, [299,299] uint16, from 0 to 4095."""
    crop = simulated_crop()
    return np.rint(4095 * (crop - crop.min()) / np.ptp(crop)).astype(np.uint16)


def film_of(codes: np.ndarray, make_dataset: Make, **described: object) -> Dataset:
    dataset = make_dataset(np.zeros(codes.shape, np.float32), **described)
    dataset.PixelData = codes.astype("<i2" if codes.min() < 0 else "<u2").tobytes()
    return dataset


def read(dataset: Dataset) -> Radiograph:
    return radiograph_from_dataset(dataset, "film.dcm")


def looks_like(film: Radiograph, codes: np.ndarray) -> float:
    return float(np.corrcoef(film.pixels.ravel(), codes.ravel())[0, 1])


def test_well_described_values_are_taken_as_they_are(codes, make_dataset):
    values, remarks = decode_stored_values(film_of(codes, make_dataset), "film.dcm")
    assert np.array_equal(values, codes) and remarks == ()
    signed = codes.astype(np.int32) - 2048
    values, remarks = decode_stored_values(film_of(signed, make_dataset, PixelRepresentation=1), "film.dcm")
    assert np.array_equal(values, signed) and remarks == ()


@pytest.mark.parametrize("stored", [8, 10, 11])
@pytest.mark.parametrize("syntax", ["plain", "RLE"])
def test_values_beyond_the_declared_bits_are_used_and_said(codes, make_dataset, stored, syntax):
    dataset = film_of(codes, make_dataset)
    if syntax == "RLE":
        dataset.compress(RLELossless)
    dataset.BitsStored, dataset.HighBit = stored, stored - 1
    values, remarks = decode_stored_values(dataset, "film.dcm")
    assert np.array_equal(values, codes)
    assert remarks == (f"values of 12 bits are used, Bits Stored (0028,0101) says {stored}",)


@pytest.mark.parametrize(("bits", "stored"), [(14, 8), (16, 8), (16, 10)])
def test_however_far_they_are_beyond(codes, make_dataset, bits, stored):
    """Neighbors differ by more than the declared bits can hold: wrapped they would lie nearer."""
    large = codes * np.uint16(1 << (bits - 12))
    values, _ = decode_stored_values(film_of(large, make_dataset, BitsStored=stored, HighBit=stored - 1), "film.dcm")
    assert np.array_equal(values, large)


def test_a_few_values_beyond_are_not_wrapped(codes, make_dataset):
    """As in the direct beam, where a detector saturates above what its header says."""
    some = codes + np.uint16(60)
    assert 0 < (some > 4095).mean() < 0.01
    values, remarks = decode_stored_values(film_of(some, make_dataset), "film.dcm")
    assert np.array_equal(values, some) and "values of 13 bits" in remarks[0]


@pytest.mark.parametrize("plane", [12, 15])
@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("drawn", ["lines", "one pixel", "half"])
def test_an_overlay_in_unused_bits_is_no_value(codes, make_dataset, plane, declared, drawn):
    """Old files hold drawings there; some say so (60xx,0102), some do not."""
    marked = codes.copy()
    where = {"lines": np.s_[::9], "one pixel": np.s_[50, 50], "half": np.s_[:, :150]}[drawn]
    marked[where] |= 1 << plane
    dataset = film_of(marked, make_dataset)
    if declared:
        dataset.add_new(0x60000100, "US", 16)
        dataset.add_new(0x60000102, "US", plane)
    values, remarks = decode_stored_values(dataset, "film.dcm")
    assert np.array_equal(values, codes)
    assert remarks == (() if declared else ("bits above the 12 of Bits Stored (0028,0101) are set and were left out",))


def test_an_overlay_of_its_own_removes_no_bit(codes, make_dataset):
    wide = (codes.astype(np.uint16) << 4) | 7
    dataset = film_of(wide, make_dataset, bits=16)
    dataset.add_new(0x60000100, "US", 1)
    dataset.add_new(0x60000102, "US", 0)
    dataset.add_new(0x60003000, "OW", bytes(codes.size // 8 // 2 * 2))
    dataset.add_new(0x60020102, "US", 15)  # where values lie: no overlay can be there
    assert np.array_equal(decode_stored_values(dataset, "film.dcm")[0], wide)


@pytest.mark.parametrize("extended", [True, False])
def test_signed_values_with_and_without_extension_of_their_sign(codes, make_dataset, extended):
    signed = codes.astype(np.int32) - 2048
    stored = signed.astype(np.int16).view(np.uint16) if extended else (signed & 0xFFF).astype(np.uint16)
    values, remarks = decode_stored_values(film_of(stored, make_dataset, PixelRepresentation=1), "film.dcm")
    assert np.array_equal(values, signed) and remarks == ()


@pytest.mark.parametrize("stored", [10, 12])
def test_signed_values_beyond_the_declared_bits(codes, make_dataset, stored):
    signed = 2 * (codes.astype(np.int32) - 2048)
    dataset = film_of(signed, make_dataset, PixelRepresentation=1, BitsStored=stored, HighBit=stored - 1)
    values, remarks = decode_stored_values(dataset, "film.dcm")
    assert np.array_equal(values, signed) and "values of 13 bits" in remarks[0]


@pytest.mark.parametrize(
    ("bits", "factor", "said"), [(16, 16, "values are taken as unsigned"), (12, 1, "values of 13 bits are used")]
)
def test_unsigned_values_that_are_declared_signed(codes, make_dataset, bits, factor, said):
    large = codes * np.uint16(factor)
    dataset = film_of(large, make_dataset, bits=bits, PixelRepresentation=1)
    values, remarks = decode_stored_values(dataset, "film.dcm")
    assert np.array_equal(values, large) and remarks[0].startswith(said)


def test_signed_values_that_are_declared_unsigned(codes, make_dataset):
    signed = codes.astype(np.int32) - 2048
    values, remarks = decode_stored_values(film_of(signed, make_dataset), "film.dcm")
    assert np.array_equal(values, signed) and any("taken as signed" in remark for remark in remarks)


def test_a_dark_frame_at_the_lowest_value_does_not_make_a_signed_film_unsigned(codes, make_dataset):
    signed = codes.astype(np.int32)
    signed[:30], signed[:, :30] = -32768, -32768
    values, remarks = decode_stored_values(film_of(signed, make_dataset, bits=16, PixelRepresentation=1), "film.dcm")
    assert np.array_equal(values, signed) and remarks == ()


@pytest.mark.parametrize("keywords", [{"PixelPaddingValue": 65535}, {"PixelPaddingValue": 65000, "limit": 65535}])
def test_padding_beyond_the_declared_bits_is_padding(codes, make_dataset, keywords):
    padded = codes.copy()
    padded[:40] = 65535
    dataset = film_of(padded, make_dataset)
    dataset.add_new("PixelPaddingValue", "US", keywords["PixelPaddingValue"])
    if "limit" in keywords:
        dataset.add_new("PixelPaddingRangeLimit", "US", keywords["limit"])
    film = read(dataset)
    assert film.remarks == () and np.all(film.pixels[:40] == 0)
    rest = codes[40:].astype(float)
    assert np.allclose(film.pixels[40:], (rest - rest.min()) / np.ptp(rest), atol=1e-6)


@pytest.mark.parametrize(("kind", "value"), [("US", 63536), ("SS", -2000)])
def test_padding_of_either_sign(codes, make_dataset, kind, value):
    padded = codes.astype(np.int32)
    padded[:40] = -2000
    dataset = film_of(padded, make_dataset, bits=16, PixelRepresentation=1)
    dataset.add_new("PixelPaddingValue", kind, value)
    assert np.all(read(dataset).pixels[:40] == 0)


@pytest.mark.parametrize("value", ["", None, "none", [0, 1]])
def test_padding_that_is_no_number_is_none(codes, make_dataset, value):
    dataset = film_of(codes, make_dataset)
    dataset.add_new("PixelPaddingValue", "LO", value)
    assert np.array_equal(read(dataset).pixels, read(film_of(codes, make_dataset)).pixels)


def test_values_in_the_high_bits(codes, make_dataset):
    dataset = film_of(codes << 4, make_dataset, HighBit=15)
    values, remarks = decode_stored_values(dataset, "film.dcm")
    assert np.array_equal(values, codes) and remarks == ("values lie in the bits below High Bit (0028,0102) 15",)


@pytest.mark.parametrize("high", [0, 7, 12, 15, 16, 99])
def test_a_high_bit_that_the_values_contradict_is_not_followed(codes, make_dataset, high):
    values, remarks = decode_stored_values(film_of(codes, make_dataset, HighBit=high), "film.dcm")
    assert np.array_equal(values, codes) and f"High Bit (0028,0102) {high} is not followed" in remarks[0]


def test_values_that_lie_nowhere_are_refused(codes, make_dataset):
    with pytest.raises(InputRefused, match="HighBit 15"):
        decode_stored_values(film_of(codes | 0x8000, make_dataset, HighBit=15), "film.dcm")


@pytest.mark.parametrize(
    ("described", "part"),
    [
        ({"BitsStored": 17, "HighBit": 16}, "BitsStored 17"),
        ({"BitsStored": 0, "HighBit": 0}, "BitsStored 0"),
        ({"BitsAllocated": 12}, "BitsAllocated 12"),
        ({"BitsAllocated": 8, "BitsStored": 12}, "BitsStored 12"),
        ({"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}, "bytes in place of"),
    ],
)
def test_descriptions_that_cannot_be_are_refused(codes, make_dataset, described, part):
    with pytest.raises(InputRefused, match=part):
        read(film_of(codes, make_dataset, **described))


def compressed(dataset: Dataset, syntax: str, folder: Path) -> Dataset:
    if syntax == "JPEG-LS":
        dataset.compress(JPEGLSLossless)
        return dataset
    encapsulate_with_gdcm(dataset, {"JPEG 2000": "JPEG2000", "JPEG lossless": "JPEG"}[syntax], folder)
    return dataset


@pytest.mark.parametrize("stored", [4, 8, 10, None])
@pytest.mark.parametrize("syntax", ["JPEG 2000", "JPEG lossless", "JPEG-LS"])
def test_the_codestream_tells_the_bits(codes, make_dataset, tmp_path, syntax, stored):
    """Also where the header's are none that a film can have."""
    dataset = compressed(film_of(codes, make_dataset), syntax, tmp_path)
    dataset.BitsStored, dataset.HighBit = stored, None if stored is None else stored - 1
    if stored == 8:
        dataset.BitsAllocated = 8
    film = read(dataset)
    assert looks_like(film, codes) > 0.9999
    said = [remark for remark in film.remarks if remark.startswith("values of 12 bits are used")]
    assert len(said) == (stored in (8, 10))


@pytest.mark.parametrize("syntax", ["JPEG 2000", "JPEG lossless", "JPEG-LS"])
def test_a_codestream_of_more_bits_than_its_values_is_nothing_to_remark(codes, make_dataset, tmp_path, syntax):
    plain = read(film_of(codes, make_dataset))
    film = read(compressed(film_of(codes, make_dataset), syntax, tmp_path))
    assert np.array_equal(film.pixels, plain.pixels) and film.remarks == ()


def test_signed_values_in_unsigned_codestreams(codes, make_dataset, tmp_path):
    signed = codes.astype(np.int32) - 2048
    for syntax in ("JPEG 2000", "JPEG lossless"):
        dataset = film_of(signed, make_dataset, PixelRepresentation=1, bits=16)
        film = read(compressed(dataset, syntax, tmp_path))
        assert looks_like(film, codes) > 0.9999


def test_precisions_of_codestreams(codes, make_dataset, tmp_path):
    found = {}
    for syntax in ("JPEG 2000", "JPEG lossless", "JPEG-LS"):
        dataset = compressed(film_of(codes, make_dataset), syntax, tmp_path)
        found[syntax] = precision_of(next(generate_frames(dataset.PixelData, number_of_frames=1)))
    assert found == {"JPEG 2000": Precision(16), "JPEG lossless": Precision(16), "JPEG-LS": Precision(12)}
    siz = b"\xff\x4f\xff\x51" + bytes(36) + b"\0\1"
    assert precision_of(siz + b"\x8b\1\1") == Precision(12, signed=True)
    assert precision_of(b"\0\0\0\x0cjP  \r\n\x87\n" + siz + b"\x09\1\1") == Precision(10)
    segment = b"\xff\xe0\0\x04ab"
    assert precision_of(b"\xff\xd8" + segment + b"\xff\xff\xc1\0\x0b\x0c\0\0\0\0\1") == Precision(12)
    assert precision_of(b"\xff\xd8" + segment + b"\xff\xf7\0\x0b\x0a\0\0\0\0\1") == Precision(10)


@pytest.mark.parametrize(
    "damaged", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe0\0\2", b"\xff\xd8ab" + bytes(9), b"\xff\x4f\xff\x51\0"]
)
def test_a_damaged_codestream_tells_nothing(damaged):
    assert precision_of(damaged) is None


def test_the_film_of_a_hospital_whose_codestream_has_more_bits(shared_data):
    path = shared_data / "field" / "j2k_precision_above_bits_stored" / "film.dcm"
    if not path.is_file():
        pytest.skip("the folder of inputs from the field is absent")
    dataset = dcmread(path)
    assert dataset.file_meta.TransferSyntaxUID == JPEG2000Lossless
    assert precision_of(next(generate_frames(dataset.PixelData, number_of_frames=1))) == Precision(12)
    assert decode_stored_values(dataset, "film.dcm")[0].max() > 1023
