"""How a radiograph lies and how large its pixels are: Patient Orientation and pixel spacing."""

from __future__ import annotations

import math

import numpy as np
from pydicom import Dataset

from monai_xray2mri.errors import InputRefused, NotAKnee

SMALLEST_SPACING, LARGEST_SPACING = 0.01, 2.0
"""Pixel spacings in mm outside of which a header cannot be right."""
SQUARE_TOLERANCE = 0.01
"""Relative difference of row and column spacing up to which pixels count as square (a detector's own rounding)."""
CREDIBLE_MAGNIFICATIONS = (1.0, 2.0)
"""Magnifications outside of this range are taken as header errors."""

_SPACINGS = ("ImagerPixelSpacing", "PixelSpacing", "NominalScannedPixelSpacing")

Spacing = tuple[float, float]


def turn_to_usual_display(pixels: np.ndarray, dataset: Dataset, name: str) -> tuple[np.ndarray, bool, tuple[str, ...]]:
    r"""Turn a film so that the patient's right lies at the left of the image and the head up.

    Patient Orientation (0020,0020) names the directions in which the stored rows and columns run; L\F is the usual
    display, as if facing the patient, for PA films too (PS3.3 C.7.6.1.1.1). Of a compound direction the first letter
    is the dominant one. View Position and Field of View Horizontal Flip say nothing about the stored pixels.

    Args:
        pixels: [H,W] as stored.
        dataset: the header.
        name: how messages call the file.

    Returns:
        [H,W] or [W,H] turned pixels, whether rows and columns changed places, and remarks.

    Raises:
        NotAKnee: orientations that are not those of a frontal film of a person.
    """
    letters = [str(v).strip().upper() for v in _values(dataset, "PatientOrientation")]
    if not any(_is_direction(value) for value in letters):
        why = "no Patient Orientation" if not any(letters) else "Patient Orientation is no orientation"
        return pixels, False, (f"{why}: the patient's right is taken to be at the left of the film",)
    if len(letters) != 2 or not all(_is_direction(value) for value in letters):
        raise _refused(name, letters)
    row, column = (value[0] for value in letters)
    swapped = row in "FH" and column in "LR"
    if swapped:
        pixels, row, column = pixels.T, column, row
    if row not in "LR" or column not in "FH":
        raise _refused(name, letters)
    if row == "R":
        pixels = pixels[:, ::-1]
    if column == "H":
        pixels = pixels[::-1]
    if swapped or row == "R" or column == "H":
        told = "\\".join(letters)
        return np.ascontiguousarray(pixels), swapped, (f"turned to the usual display (Patient Orientation {told})",)
    return pixels, False, ()


def _is_direction(value: str) -> bool:
    """Whether a value is one to three directions, each of another axis (PS3.3 C.7.6.1.1.1): ``L``, ``FP``."""
    axes = [next((axis for axis in ("LR", "FH", "AP") if letter in axis), "") for letter in value]
    return 1 <= len(value) <= 3 and all(axes) and len(set(axes)) == len(axes)


def _refused(name: str, letters: list[str]) -> NotAKnee:
    known = all(len(value) <= 3 and value.isalpha() for value in letters)
    return NotAKnee(
        f"radiograph {name}",
        "needs the Patient Orientation of a frontal film: left or right along one edge, head or foot along the other",
        "\\".join(letters) if known else "values that the standard does not know",
        "Lateral and axial views are not supported; correct (0020,0020) if it is wrong.",
    )


def detector_spacing(dataset: Dataset, name: str) -> tuple[Spacing | None, str, tuple[str, ...]]:
    """Return the distance of pixel centres in the detector plane (PS3.3 C.8.11.4, 10.7.1.3).

    Imager Pixel Spacing is measured there. Pixel Spacing is the same unless a calibration corrected it to the
    patient; then it is multiplied by the magnification if the header tells it. Nominal Scanned Pixel Spacing, of
    a digitised film, comes last. A spacing of 0 or 1 beside a good one of lower rank says nothing.

    Args:
        dataset: the header.
        name: how messages call the file.

    Returns:
        (row, column) spacing in mm or None, the attribute it comes from (``"none"``), and remarks.

    Raises:
        InputRefused: a spacing that is not two positive, equal, plausible numbers.
    """
    told = {one: [v for v in _values(dataset, one) if v not in (None, "")] for one in _SPACINGS}
    told = {one: values for one, values in told.items() if values}
    if not told:
        _check_aspect(dataset, name)
        return None, "none", ()
    keyword = next((one for one, values in told.items() if not _says_nothing(values)), next(iter(told)))
    spacing = _checked(told[keyword], keyword, name)
    remarks = [f"{one} holds no spacing: {keyword} used" for one in list(told)[: list(told).index(keyword)]]
    if keyword == "PixelSpacing":
        spacing, converted = _to_detector_plane(spacing, dataset)
        remarks += converted
    if keyword == "NominalScannedPixelSpacing":
        remarks.append("pixel spacing of the film scanner used")
    return spacing, keyword, tuple(remarks)


def _says_nothing(values: list[object]) -> bool:
    """Whether a spacing is what devices write where they know none: 0, 1 (no detector has such pixels), no number."""
    try:
        numbers = [float(str(value)) for value in values]
    except ValueError:
        return True
    return all(not math.isfinite(number) or number <= 0 or number == 1 for number in numbers)


def _checked(values: list[object], keyword: str, name: str) -> Spacing:
    """Refuse spacings that cannot be: (row, column) mm."""
    try:
        numbers = [float(str(value)) for value in values]
    except ValueError:
        numbers = []
    rule = ""
    if len(numbers) != 2 or not all(math.isfinite(n) and SMALLEST_SPACING <= n <= LARGEST_SPACING for n in numbers):
        rule = f"needs a pixel spacing of two numbers between {SMALLEST_SPACING} and {LARGEST_SPACING} mm"
    elif abs(numbers[0] - numbers[1]) > SQUARE_TOLERANCE * max(numbers):
        rule = "needs square pixels"
    if rule:
        found = "\\".join(f"{n:g}" for n in numbers) or "no numbers"
        raise InputRefused(f"radiograph {name}", rule, f"{keyword} {found}", f"Correct {keyword} in the header.")
    return numbers[0], numbers[1]


def _to_detector_plane(spacing: Spacing, dataset: Dataset) -> tuple[Spacing, tuple[str, ...]]:
    """Undo a calibration of Pixel Spacing to the patient (PS3.3 10.7.1.3)."""
    calibration = str(dataset.get("PixelSpacingCalibrationType") or "").upper()
    if not calibration:
        return spacing, ()
    magnification = _magnification(dataset)
    if magnification is None:
        return spacing, (f"Pixel Spacing is calibrated ({calibration[:9]}) by an unknown magnification: used as it is",)
    corrected = spacing[0] * magnification, spacing[1] * magnification
    return corrected, (f"Pixel Spacing converted to the detector plane (magnification {magnification:.3f})",)


def _magnification(dataset: Dataset) -> float | None:
    """Return the magnification by the estimate in the header or by the distances (PS3.3 C.8.7.5); None if unknown."""
    factor = _number(dataset, "EstimatedRadiographicMagnificationFactor")
    if factor is None:
        detector = _number(dataset, "DistanceSourceToDetector")
        patient = _number(dataset, "DistanceSourceToPatient")
        factor = detector / patient if detector and patient else None
    low, high = CREDIBLE_MAGNIFICATIONS
    return factor if factor is not None and low <= factor <= high else None


def _check_aspect(dataset: Dataset, name: str) -> None:
    aspect = [str(v) for v in _values(dataset, "PixelAspectRatio")]
    if len(aspect) == 2 and aspect[0] != aspect[1]:
        found = f"PixelAspectRatio {aspect[0]}:{aspect[1]}"
        raise InputRefused(f"radiograph {name}", "needs square pixels", found, "Resample the radiograph.")


def _number(dataset: Dataset, keyword: str) -> float | None:
    try:
        value = float(str(dataset.get(keyword)))
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


def _values(dataset: Dataset, keyword: str) -> list[object]:
    """Return the values of an attribute as a list, whatever its multiplicity."""
    value = dataset.get(keyword)
    if value is None or value == "":
        return []
    return [value] if isinstance(value, str | int | float) else list(value)
