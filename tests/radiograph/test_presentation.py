"""Bone is bright whatever the file's polarity, and its tables are applied in DICOM's order."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, DigitalXRayImageStorageForProcessing

from monai_xray2mri.radiograph.reading import radiograph_from_dataset


def read(dataset: Dataset) -> np.ndarray:
    return radiograph_from_dataset(dataset, "film.dcm").pixels


def table(descriptor: list[int], values: np.ndarray) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", descriptor)
    item.add_new("LUTData", "OW", values.astype(np.uint16).tobytes())
    return item


@pytest.fixture
def ramp() -> np.ndarray:
    """[150,256] in [0,1]: every value of 8 bits in each row."""
    return np.tile(np.arange(256) / 255, (150, 1)).astype(np.float32)


@pytest.mark.parametrize(
    ("photometric", "shape", "remarked"),
    [
        ("MONOCHROME2", None, False),
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME1", None, False),
        ("MONOCHROME1", "INVERSE", False),
        ("MONOCHROME1", "IDENTITY", True),
    ],
)
def test_one_polarity_rule(knee_crop, make_dataset, photometric, shape, remarked):
    options = {} if shape is None else {"PresentationLUTShape": shape}
    film = radiograph_from_dataset(make_dataset(knee_crop, PhotometricInterpretation=photometric, **options), "film")
    assert np.allclose(film.pixels, (knee_crop - knee_crop.min()) / np.ptp(knee_crop), atol=1e-3)
    assert any("MONOCHROME1" in remark for remark in film.remarks) == remarked
    assert film.pixels.dtype == np.float32 and film.pixels.min() == 0 and film.pixels.max() == 1


def test_inverse_shape_on_monochrome2_inverts_once(knee_crop, make_dataset):
    film = radiograph_from_dataset(make_dataset(1 - knee_crop, PresentationLUTShape="INVERSE"), "film")
    assert np.corrcoef(film.pixels.ravel(), knee_crop.ravel())[0, 1] > 0.999
    assert any("INVERSE" in remark for remark in film.remarks)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_window_is_applied_before_polarity(ramp, make_dataset, photometric):
    """A window over the darker half of the bone-bright picture: its upper end is 1 from the middle on."""
    center = 64 if photometric == "MONOCHROME2" else 255 - 64
    options = {"WindowCenter": center, "WindowWidth": 128, "VOILUTFunction": "LINEAR"}
    pixels = read(make_dataset(ramp, bits=8, PhotometricInterpretation=photometric, **options))
    assert pixels[0, 0] < 0.02 and pixels[0, 64] == pytest.approx(0.5, abs=0.02) and np.all(pixels[0, 130:] == 1)


def test_first_of_several_windows_counts_and_an_empty_one_does_not(ramp, make_dataset):
    pixels = read(make_dataset(ramp, bits=8, WindowCenter=[64, 128], WindowWidth=[128, 256]))
    assert pixels[0, 130] == 1
    pixels = read(make_dataset(ramp, bits=8, WindowCenter="", WindowWidth=""))
    assert np.allclose(pixels, ramp)


@pytest.mark.parametrize("function", ["SIGMOID", "LINEAR_EXACT"])
def test_other_window_functions(ramp, make_dataset, function):
    pixels = read(make_dataset(ramp, bits=8, WindowCenter=128, WindowWidth=64, VOILUTFunction=function))
    assert pixels[0, 128] == pytest.approx(0.5, abs=0.01) and np.all(np.diff(pixels[0]) >= 0)
    assert pixels[0, 0] < 0.01 and pixels[0, 255] > 0.99


def test_negative_rescale_slope_with_window_keeps_its_direction(ramp, make_dataset):
    """Stored values fall with brightness; the rescale turns them, and MONOCHROME2 shows high values bright."""
    options = {"RescaleSlope": -1, "RescaleIntercept": 255, "RescaleType": "US"}
    turned = read(make_dataset(1 - ramp, bits=8, WindowCenter=128, WindowWidth=256, **options))
    assert np.allclose(turned, ramp, atol=0.01)


def test_voi_lut_goes_before_a_window(ramp, make_dataset):
    curve = np.round(1023 * (np.arange(256) / 255) ** 2)
    options = {"VOILUTSequence": [table([256, 0, 10], curve)], "WindowCenter": 10, "WindowWidth": 2}
    pixels = read(make_dataset(ramp, bits=8, **options))
    assert np.allclose(pixels, ramp**2, atol=2e-3)


def test_modality_lut(ramp, make_dataset):
    curve = np.round(4095 * np.sqrt(np.arange(256) / 255))
    modality = table([256, 0, 16], curve)
    modality.ModalityLUTType = "US"
    assert np.allclose(read(make_dataset(ramp, bits=8, ModalityLUTSequence=[modality])), np.sqrt(ramp), atol=2e-3)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_dark_and_does_not_stretch_the_range(ramp, make_dataset, photometric):
    dataset = make_dataset(0.25 + ramp / 2, bits=12, PhotometricInterpretation=photometric)
    stored = np.frombuffer(dataset.PixelData, np.uint16).reshape(ramp.shape).copy()
    stored[:10], stored[10:20] = 4095, 4090
    dataset.PixelData = stored.tobytes()
    dataset.PixelPaddingValue, dataset.PixelPaddingRangeLimit = 4095, 4085
    pixels = read(dataset)
    assert np.all(pixels[:20] == 0)
    assert np.allclose(pixels[20:], ramp[20:], atol=1e-3)


def test_dx_for_presentation(knee_crop, make_dataset):
    options = {"SOPClassUID": DigitalXRayImageStorageForPresentation, "Modality": "DX"}
    options |= {"PresentationIntentType": "FOR PRESENTATION", "PixelIntensityRelationshipSign": 1}
    dataset = make_dataset(
        knee_crop, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE", **options
    )
    assert np.corrcoef(read(dataset).ravel(), knee_crop.ravel())[0, 1] > 0.999


@pytest.mark.parametrize(("sign", "relationship"), [(1, "LIN"), (1, "LOG"), (-1, "LOG")])
def test_dx_for_processing_is_read_by_its_intensity_sign_with_a_remark(knee_crop, make_dataset, sign, relationship):
    """+1 means that more dose, behind less bone, has higher values; LIN is the dose itself."""
    dose = np.exp(-3 * knee_crop) if relationship == "LIN" else 1 - knee_crop
    dataset = make_dataset(
        dose if sign == 1 else knee_crop,
        SOPClassUID=DigitalXRayImageStorageForProcessing,
        Modality="DX",
        PixelIntensityRelationship=relationship,
        PixelIntensityRelationshipSign=sign,
    )
    film = radiograph_from_dataset(dataset, "film.dcm")
    assert np.corrcoef(film.pixels.ravel(), knee_crop.ravel())[0, 1] > 0.9
    assert any("FOR PROCESSING" in remark for remark in film.remarks)
