"""Windows of a header (PS3.3 C.11.2.1.2) and its rescale (C.11.1.1.2), also those that cannot be applied."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from pydicom import Dataset
from pydicom.pixels import apply_voi_lut

from monai_xray2mri.radiograph.lookup_tables import Unusable

FUNCTIONS: Final = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
"""VOI LUT Function (0028,1056); the first is meant where it is absent."""


@dataclass(frozen=True)
class Window:
    """One of the windows of a header.

    Attributes:
        index: which, from 0 on.
        center: in units of the modality LUT's output.
        width: likewise.
        function: how values turn into brightness.
    """

    index: int
    center: float
    width: float
    function: str

    def __str__(self) -> str:
        numbers = f"Window Center (0028,1050) {self.center:g}, Window Width (0028,1051) {self.width:g}"
        return f"window {self.index + 1} ({numbers})"

    def require_usable(self) -> None:
        """Raise Unusable for numbers that are no window."""
        least = 1 if self.function == "LINEAR" else 0
        if not math.isfinite(self.center) or not math.isfinite(self.width):
            raise Unusable("center or width is no number")
        if self.width < least or self.width == 0:
            raise Unusable(f"its width must be {'at least 1' if least else 'above 0'}")

    def apply(self, values: np.ndarray, dataset: Dataset) -> tuple[np.ndarray, float, float]:
        """Apply it to values of any shape: float64 of that shape, and the range that results may have.

        pydicom is given this window alone: a number of another one may be unreadable, and with the rescale slope it
        would scale the output range of the window, which turns the image over where the slope is negative.
        """
        alone = Dataset()
        alone.PhotometricInterpretation = dataset.PhotometricInterpretation
        alone.WindowCenter, alone.WindowWidth, alone.VOILUTFunction = self.center, self.width, self.function
        bits = dataset.get("BitsStored")
        alone.BitsStored = bits if isinstance(bits, int) else 16
        alone.PixelRepresentation = dataset.get("PixelRepresentation") or 0
        with np.errstate(over="ignore"):  # a sigmoid far outside of its window
            low, high = apply_voi_lut(np.array([-1e12, 1e12]), alone)
            shown = np.asarray(apply_voi_lut(values, alone), dtype=np.float64)
            return shown, float(low), float(high)


def windows_of(dataset: Dataset) -> tuple[list[Window], tuple[str, ...]]:
    """The windows of a header in their order, of which the first is the default one, and remarks on what is odd."""
    centers, widths = (numbers_of(dataset, keyword) for keyword in ("WindowCenter", "WindowWidth"))
    if not centers and not widths:
        return [], ()
    if not centers or not widths:
        lacking = "Center (0028,1050)" if not centers else "Width (0028,1051)"
        return [], (f"the window is not applied: Window {lacking} is missing or no number",)
    function, remarks = _function(dataset)
    pairs = enumerate(zip(centers, widths, strict=False))
    return [Window(index, center, width, function) for index, (center, width) in pairs], remarks


def _function(dataset: Dataset) -> tuple[str, tuple[str, ...]]:
    """The first of the functions that are named, if it is one."""
    value = dataset.get("VOILUTFunction")
    named = [value] if isinstance(value, str) else list(value or [])
    told = [str(one).strip().upper().replace(" ", "_") for one in named]
    told = [one for one in told if one]
    if not told:
        return FUNCTIONS[0], ()
    keyword = "VOI LUT Function (0028,1056)"
    if told[0] not in FUNCTIONS:
        return FUNCTIONS[0], (f"{keyword} is none that the standard knows: {FUNCTIONS[0]} is used",)
    remarks = (f"{keyword} has {len(told)} values: the first, {told[0]}, is used",) if len(told) > 1 else ()
    return told[0], remarks


def rescale(stored: np.ndarray, dataset: Dataset) -> tuple[np.ndarray, tuple[str, ...]]:
    """Apply Rescale Slope and Intercept, if both are there and turn the values into others.

    Args:
        stored: stored values, of any shape.
        dataset: the header.

    Returns:
        float64 of that shape, and a remark if they are not applied.
    """
    values = stored.astype(np.float64)
    slopes, intercepts = (numbers_of(dataset, keyword) for keyword in ("RescaleSlope", "RescaleIntercept"))
    if not slopes and not intercepts:
        return values, ()
    slope, intercept = (numbers[0] if numbers else math.nan for numbers in (slopes, intercepts))
    if not math.isfinite(slope * intercept) or slope == 0:
        found = f"Rescale Slope (0028,1053) {slope:g}, Rescale Intercept (0028,1052) {intercept:g}"
        return values, (f"{found} are not applied: they must be two numbers, the slope not 0",)
    return values * slope + intercept, ()


def numbers_of(dataset: Dataset, keyword: str) -> list[float]:
    """The values of a decimal attribute; NaN for what is no number, empty if there is nothing."""
    value = dataset.get(keyword)
    values = [value] if value is None or isinstance(value, str | int | float) else list(value)
    return [_number(one) for one in values if one not in (None, "")]


def _number(value: object) -> float:
    try:
        return float(str(value).strip())
    except ValueError:
        return math.nan
