"""A window that is worked out once for each stored value gives what pydicom gives for each pixel, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from monai_xray2mri.radiograph.presentation import present_bone_bright


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("slope", [1.0, 0.37])
def test_by_value_is_by_pixel(function: str, slope: float) -> None:
    stored = np.random.default_rng(0).integers(-50, 4096, (300, 200)).astype(np.int32)
    header = Dataset()
    header.PhotometricInterpretation, header.BitsStored, header.PixelRepresentation = "MONOCHROME1", 13, 1
    header.RescaleSlope, header.RescaleIntercept = slope, 0
    header.WindowCenter, header.WindowWidth, header.VOILUTFunction = 1800.5 * slope, 2200.0 * slope, function
    header.PixelPaddingValue = 17
    by_pixel = apply_voi_lut(apply_modality_lut(stored, header), _without_rescale(header))
    ends = apply_voi_lut(np.array([-1e12, 1e12]), _without_rescale(header))
    expected = 1 - np.clip((by_pixel - ends[0]) / (ends[1] - ends[0]), 0, 1)
    expected[stored == 17] = 0
    assert (expected > 0.5).any() and (expected < 0.5).any()
    shown, remarks = present_bone_bright(stored, header)
    assert np.array_equal(shown, expected.astype(np.float32)) and not remarks


def _without_rescale(header: Dataset) -> Dataset:
    """pydicom would scale the output range of the window by the slope, too."""
    alone = Dataset()
    alone.update(header)
    del alone.RescaleSlope, alone.RescaleIntercept
    return alone
