"""Look-up tables and windows that do not fit: used where they can be understood, else passed over and said.

Every film here shows the same ramp; whatever its header says of tables and windows, the ramp must be seen.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRBigEndian

from monai_xray2mri.dicom.files import read_header
from monai_xray2mri.radiograph.lookup_tables import Unusable, read_table
from monai_xray2mri.radiograph.reading import radiograph_from_dataset, read_radiograph
from monai_xray2mri.types import Radiograph

Make = Callable[..., Dataset]
RAMP = np.tile(np.arange(256) / 255, (150, 1)).astype(np.float32)
"""[150,256] in [0,1]: every value of 8 bits in each row."""
IDENTITY = np.arange(256)


def table(descriptor: list[int], values: np.ndarray, packed: bool = False, as_numbers: bool = False) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if min(descriptor) < 0 else "US", descriptor)
    words = values.astype(np.uint8).tobytes() if packed else values.astype("<u2").tobytes()
    if as_numbers:
        item.add_new("LUTData", "US", np.frombuffer(words, "<u2").tolist())
    else:
        item.add_new("LUTData", "OW", words)
    return item


def read(make_dataset: Make, **attributes: object) -> Radiograph:
    given = {keyword: value for keyword, value in attributes.items() if value is not None}
    return radiograph_from_dataset(make_dataset(RAMP, bits=8, **given), "film.dcm")


def wrong_with(film: Radiograph, expected: np.ndarray, *said: str) -> list[str]:
    """What is wrong with a film that must look so and have one remark for each thing to say, which names it."""
    difference = float(np.abs(film.pixels - expected).max())
    wrong = [f"the picture differs by {difference:.3f}"] if difference > 0.01 else []
    named = len(film.remarks) == len(said) and all(
        words in remark for words, remark in zip(said, film.remarks, strict=True)
    )
    return wrong if named else [*wrong, f"the remarks are {film.remarks}"]


@pytest.mark.parametrize("sequence", ["VOILUTSequence", "ModalityLUTSequence"])
@pytest.mark.parametrize(
    ("item", "said"),
    [
        (table([256, 0, 8], IDENTITY, packed=True), ()),
        (table([256, 0, 8], IDENTITY, packed=True, as_numbers=True), ()),
        (table([256, 0, 8], IDENTITY), ()),
        (table([256, 0, 8], IDENTITY, as_numbers=True), ()),
        (table([256, 0, 16], IDENTITY, packed=True), ("says 16 bits, the entries are bytes", "says 16 bits")),
        (table([256, 0, 10], 4 * IDENTITY), ()),
        (table([256, 0, 12], 4 * IDENTITY), ("LUT Descriptor (0028,3002) says 12 bits, the entries have 10",)),
        (table([256, 0, 16], 16 * IDENTITY), ("says 16 bits, the entries have 12",)),
        (table([256, 0, 16], 16 * IDENTITY, as_numbers=True), ("says 16 bits, the entries have 12",)),
        (table([256, 0, 8], 16 * IDENTITY), ("says 8 bits, the entries have 12",)),
        (table([256, 0, 10], 16 * IDENTITY), ("says 10 bits, the entries have 12",)),
        (table([256, 0, 0], 16 * IDENTITY), ("says 0 bits",)),
        (table([256, 0, 32], 16 * IDENTITY), ("says 32 bits",)),
        (table([0, 0, 16], np.arange(65536) * 257 % 65536), ()),
        (table([256, 0, 8], IDENTITY[::-1]), ()),
    ],
)
def test_tables_are_read_as_they_are_made(make_dataset, sequence, item, said):
    expected = 1 - RAMP if read_table(item, True).entries[0] > read_table(item, True).entries[255] else RAMP
    assert not wrong_with(read(make_dataset, **{sequence: [item]}), expected, *said)


def test_bytes_of_a_table_in_a_big_endian_file(make_dataset):
    item = table([256, 0, 8], IDENTITY)
    item.LUTData = IDENTITY.astype(np.uint8).view("<u2").astype(">u2").tobytes()
    dataset = make_dataset(RAMP, bits=8, VOILUTSequence=[item])
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    assert not wrong_with(radiograph_from_dataset(dataset, "film.dcm"), RAMP)


def signed_ramp(make_dataset: Make, **attributes: object) -> Radiograph:
    dataset = make_dataset(RAMP, bits=12, PixelRepresentation=1, **attributes)
    dataset.PixelData = (np.rint(255 * RAMP).astype(np.int16) - 128).tobytes()
    return radiograph_from_dataset(dataset, "film.dcm")


def test_the_first_value_of_a_table_for_signed_pixels(make_dataset):
    assert not wrong_with(signed_ramp(make_dataset, VOILUTSequence=[table([256, -128, 8], IDENTITY)]), RAMP)
    said = "the first value of LUT Descriptor (0028,3002), 65408, is read as -128"
    assert not wrong_with(signed_ramp(make_dataset, VOILUTSequence=[table([256, 65408, 8], IDENTITY)]), RAMP, said)
    assert not wrong_with(signed_ramp(make_dataset, ModalityLUTSequence=[table([256, 65408, 8], IDENTITY)]), RAMP, said)


def test_the_first_value_of_a_table_behind_a_rescale(make_dataset):
    options = {"RescaleSlope": 1, "RescaleIntercept": -1000, "RescaleType": "US"}
    item = table([256, 64536, 8], IDENTITY)
    assert not wrong_with(read(make_dataset, VOILUTSequence=[item], **options), RAMP, "64536, is read as -1000")


def test_the_first_value_of_a_table_for_large_unsigned_pixels(make_dataset):
    dataset = make_dataset(RAMP, bits=16, VOILUTSequence=[table([256, -25536, 8], IDENTITY)])
    dataset.PixelData = (np.rint(255 * RAMP).astype(np.uint16) + 40000).tobytes()
    assert not wrong_with(radiograph_from_dataset(dataset, "film.dcm"), RAMP, "-25536, is read as 40000")


BROKEN = {
    "an empty item": (Dataset(), "an empty item"),
    "no data": (table([256, 0, 8], IDENTITY[:0]), "LUT Data (0028,3006) are missing"),
    "too few data": (table([256, 0, 16], IDENTITY[:100]), "hold 100 words for 256 entries"),
    "the same for all": (table([256, 0, 8], 0 * IDENTITY + 7), "hold 7 for every value"),
    "two numbers": (table([256, 0], IDENTITY), "is not three whole numbers"),
    "out of reach": (table([256, 5000, 8], IDENTITY), "leaves nothing to see"),
    "a step": (table([256, 0, 8], 255 * (IDENTITY > 128)), "leaves nothing to see"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_voi_lut_that_cannot_be_used_gives_way_to_the_next_the_window_the_range(make_dataset, name):
    item, why = BROKEN[name]
    said = f"VOI LUT Sequence (0028,3010), item 1, is not applied: {'LUT' if why[0] in 'Lh' else ''}"
    assert not wrong_with(read(make_dataset, VOILUTSequence=[item]), RAMP, why)
    film = read(make_dataset, VOILUTSequence=[item, table([256, 0, 8], IDENTITY[::-1])])
    assert not wrong_with(film, 1 - RAMP, why)
    film = read(make_dataset, VOILUTSequence=[item], WindowCenter=64, WindowWidth=128)
    assert not wrong_with(film, np.minimum(2 * RAMP, 1), why)
    assert said in film.remarks[0]


@pytest.mark.parametrize("name", BROKEN)
def test_a_modality_lut_that_cannot_be_used_gives_way_to_the_rescale(make_dataset, name):
    item, why = BROKEN[name]
    options = {"RescaleSlope": 2, "RescaleIntercept": -10, "WindowCenter": 118, "WindowWidth": 256}
    film = read(make_dataset, ModalityLUTSequence=[item], **options)
    assert not wrong_with(film, np.clip(2 * RAMP, 0, 1), why)
    assert "Modality LUT Sequence (0028,3000), item 1, is not applied" in film.remarks[0]


@pytest.mark.parametrize(
    ("center", "width", "said"),
    [
        ("128", "0", "Window Width (0028,1051) 0) is not applied: its width must be at least 1"),
        ("128", "-256", "Window Width (0028,1051) -256) is not applied"),
        ("128", "0.5", "Window Width (0028,1051) 0.5) is not applied"),
        ("128", "1", "Window Width (0028,1051) 1) is not applied: it leaves nothing to see"),
        ("128", "nan", "Window Width (0028,1051) nan) is not applied: center or width is no number"),
        ("inf", "256", "Window Center (0028,1050) inf, "),
        (
            "90000",
            "10",
            "Window Center (0028,1050) 90000, Window Width (0028,1051) 10) is not applied: it leaves nothing",
        ),
        ("128", None, "Window Width (0028,1051) is missing or no number"),
        (None, "256", "Window Center (0028,1050) is missing or no number"),
        ("128", "", "Window Width (0028,1051) is missing"),
    ],
)
def test_a_window_that_cannot_be_used_gives_way_to_the_range(make_dataset, center, width, said):
    assert not wrong_with(read(make_dataset, WindowCenter=center, WindowWidth=width), RAMP, said)


def test_no_window_is_nothing_to_say(make_dataset):
    for empty in ({}, {"WindowCenter": "", "WindowWidth": ""}, {"VOILUTSequence": []}, {"VOILUTFunction": "SIGMOID"}):
        assert not wrong_with(read(make_dataset, **empty), RAMP)


@pytest.mark.parametrize("parsed", [False, True])
@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ((0x1050, 0x1051), ("Window Center (0028,1050)", "Window Width (0028,1051)")),
        ((0x1052, 0x1053), ("Rescale Slope (0028,1053)", "Rescale Intercept (0028,1052)")),
    ],
)
def test_what_cannot_be_read_is_said(make_dataset, tmp_path, tags, said, parsed):
    """Four bytes that claim to be a number of eight."""
    path, dataset = tmp_path / "film.dcm", make_dataset(RAMP, bits=8)
    for element in tags:
        dataset.add_new((0x0028, element), "DS", "4711")
    dataset.save_as(path, enforce_file_format=True)
    raw = path.read_bytes()
    for element in tags:
        tag = b"\x28\x00" + element.to_bytes(2, "little")
        raw = raw.replace(tag + b"DS", tag + b"FD")
    path.write_bytes(raw)
    film = read_radiograph(path, header=read_header(path) if parsed else None)
    assert not wrong_with(film, RAMP, *(f"{name} is not applied: its value cannot be read" for name in said))


def test_a_window_is_used_whose_neighbor_is_no_number(make_dataset, tmp_path):
    path = tmp_path / "film.dcm"
    make_dataset(RAMP, bits=8, WindowCenter=["64", "4711"], WindowWidth=["128", "4711"]).save_as(path)
    path.write_bytes(path.read_bytes().replace(b"4711", b"4x11"))
    assert not wrong_with(read_radiograph(path), np.minimum(2 * RAMP, 1))


def test_the_next_window_is_used_where_the_first_cannot_be(make_dataset):
    film = read(make_dataset, WindowCenter=["100", "64"], WindowWidth=["0", "128"])
    assert not wrong_with(
        film, np.minimum(2 * RAMP, 1), "window 1 (Window Center (0028,1050) 100, Window Width (0028,1051) 0)"
    )


@pytest.mark.parametrize(
    ("function", "used", "said"),
    [
        (["LINEAR", "LINEAR"], "LINEAR", ["has 2 values: the first, LINEAR, is used"]),
        (["LINEAR_EXACT", "SIGMOID"], "LINEAR_EXACT", ["has 2 values: the first, LINEAR_EXACT, is used"]),
        (["", "SIGMOID"], "SIGMOID", []),
        ("linear", "LINEAR", []),
        ("LINEAR EXACT", "LINEAR_EXACT", []),
        ("GAMMA", "LINEAR", ["is none that the standard knows: LINEAR is used"]),
        (["GAMMA", "SIGMOID"], "LINEAR", ["is none that the standard knows: LINEAR is used"]),
        ("", "LINEAR", []),
    ],
)
def test_functions_given_twice_or_unknown(make_dataset, function, used, said):
    window = {"WindowCenter": 128, "WindowWidth": 256}
    plain = read(make_dataset, VOILUTFunction=used, **window)
    film = read(make_dataset, VOILUTFunction=function, **window)
    assert np.array_equal(film.pixels, plain.pixels)
    assert not wrong_with(film, plain.pixels, *said)


@pytest.mark.parametrize(
    ("slope", "intercept"), [("0", "0"), ("nan", "0"), ("1", None), (None, "-100"), ("", "-100"), ("1", "inf")]
)
def test_a_rescale_that_cannot_be_used_is_said(make_dataset, slope, intercept):
    assert not wrong_with(
        read(make_dataset, RescaleSlope=slope, RescaleIntercept=intercept), RAMP, "Rescale Slope (0028,1053)"
    )


def test_the_first_of_several_rescales_counts(make_dataset):
    assert not wrong_with(read(make_dataset, RescaleSlope=["-1", "1"], RescaleIntercept=["255", "0"]), 1 - RAMP)


def test_a_blank_film_is_not_blamed_on_its_window(make_dataset):
    dataset = make_dataset(0 * RAMP + 0.5, bits=8, WindowCenter=128, WindowWidth=256)
    assert radiograph_from_dataset(dataset, "film.dcm").remarks == ()


def test_what_is_no_table_says_why():
    for item, why in BROKEN.values():
        if "leaves nothing" not in why:
            with pytest.raises(Unusable, match=why.replace("(", r"\(").replace(")", r"\)")):
                read_table(item, little_endian=True)
