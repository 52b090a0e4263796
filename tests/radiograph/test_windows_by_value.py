"""A window that is worked out once for each value gives what pydicom gives for each pixel, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import Dataset

from monai_xray2mri.radiograph import windows
from monai_xray2mri.radiograph.windows import Window


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("slope", [1.0, -1.0, 0.37])
def test_by_value_is_by_pixel(function: str, slope: float, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).integers(-50, 4096, (300, 200)).astype(np.float64) * slope
    header = Dataset()
    header.PhotometricInterpretation, header.BitsStored = "MONOCHROME1", 12
    window = Window(0, 1800.5 * slope, 2200.0, function)
    shown, low, high = window.apply(values, header)
    monkeypatch.setattr(windows, "_whole_numbers", lambda _: None)
    expected, *limits = window.apply(values, header)
    assert np.array_equal(shown, expected)
    assert [low, high] == limits


def test_what_is_not_whole_or_not_much_is_worked_out_by_pixel() -> None:
    whole = np.arange(1000.0).repeat(8).reshape(80, 100)
    table = windows._whole_numbers(whole)
    assert table is not None and np.array_equal(table, np.arange(1000.0))
    assert windows._whole_numbers(whole + 0.5) is None
    assert windows._whole_numbers(whole * 1e6) is None
    assert windows._whole_numbers(np.arange(100.0).reshape(10, 10)) is None
    assert windows._whole_numbers(np.array([[0.0, np.nan]] * 50)) is None
