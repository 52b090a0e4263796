"""Pictures that are the region around one knee already, or nearly: crops."""

from __future__ import annotations

from functools import partial

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.radiograph.knee.joint import JOINT_ROW
from monai_xray2mri.radiograph.knee.one_knee import require_one_knee
from monai_xray2mri.radiograph.knee.roi import KneeROI, Locator
from monai_xray2mri.radiograph.resampling import cut_box
from monai_xray2mri.types import Box, Radiograph, Side

WHOLE_IMAGE_WIDTHS = (0.75, 1.35)
"""An image of this width, in regions, is a single-knee crop already; 1.35 leaves no room to search."""
SQUARE_RATIO = 1.15
"""Longer over shorter side up to which an image counts as roughly square."""
SAME_SIZE = 0.01
"""Share of the region's side by which an image may differ and still be taken as it is."""


def roughly_square(height: float, width: float) -> bool:
    """Whether an image has about the shape of a region."""
    return max(height, width) <= SQUARE_RATIO * min(height, width)


def single_crop(
    radiograph: Radiograph,
    locate: Locator,
    spacing: tuple[float, float],
    sides: tuple[Side, ...],
    width_mm: float,
    chosen: bool,
    remarks: tuple[str, ...] = (),
) -> KneeROI:
    """The region of a crop, at its true size: a larger crop is cut, a smaller one lies in a margin.

    The public crops of OAI, for instance, are about 95 mm wide. The margin repeats the values at the border of the
    crop, as soft tissue and shafts go on there; of the detector only its confidence is kept, not the place.

    Args:
        radiograph: roughly square, of one knee.
        locate: the detector.
        spacing: (row, column) of its pixels in mm.
        sides: that are wanted.
        width_mm: side of the region.
        chosen: the user asks for this side.
        remarks: what a user should know already.

    Raises:
        OneKneeShown: the header says both sides, and nobody has told which it is.
    """
    whole = partial(_region, radiograph, locate, spacing, width_mm=width_mm)
    yielded = require_one_knee(radiograph, sides, chosen, whole)
    return whole(sides[0], remarks=(*yielded, *remarks))


def assumed_crop(
    radiograph: Radiograph,
    locate: Locator,
    sides: tuple[Side, ...],
    width_mm: float,
    assume_spacing: bool,
    chosen: bool,
) -> KneeROI:
    """Take a crop without pixel spacing to be as wide as one region, if the user says so.

    Args:
        radiograph: of one knee.
        locate: the detector.
        sides: that are wanted.
        width_mm: side of the region.
        assume_spacing: whether the user says so.
        chosen: the user asks for this side.

    Raises:
        InputRefused: the user does not say so, or it is not roughly square.
        OneKneeShown: the header says both sides, and nobody has told which it is.
    """
    what = f"radiograph {radiograph.name}"
    if not assume_spacing:
        raise InputRefused(
            what,
            "needs a pixel spacing",
            "neither ImagerPixelSpacing nor PixelSpacing",
            f"Give --width-mm or --pixel-spacing; for a single-knee crop of {width_mm:.0f} mm, --assume-spacing.",
        )
    rows, columns = radiograph.pixels.shape
    if not roughly_square(rows, columns):
        raise InputRefused(
            what, "must be a roughly square single-knee crop to assume its size", f"{columns} x {rows} pixels"
        )
    remark = f"pixel spacing assumed: {width_mm:.0f} mm over the image width; every size is assumed"
    spacing = (width_mm / min(rows, columns),) * 2
    return single_crop(radiograph, locate, spacing, sides, width_mm, chosen, (remark,))


def _region(
    radiograph: Radiograph,
    locate: Locator,
    spacing: tuple[float, float],
    side: Side,
    width_mm: float,
    remarks: tuple[str, ...] = (),
) -> KneeROI:
    """The square of the region's width that has its joint line where the largest central square of the crop has it."""
    rows, columns = (size * step for size, step in zip(radiograph.pixels.shape, spacing, strict=True))  # in mm
    shown, wanted = min(rows, columns), width_mm
    if abs(shown - width_mm) <= SAME_SIZE * width_mm:
        wanted = shown
    elif shown < width_mm:
        filled = "the margin repeats the values at its border"
        remarks = (*remarks, f"the image shows {shown:.0f} mm of the region of {width_mm:.0f} mm: {filled}")
    else:
        remarks = (*remarks, f"the image shows {shown:.0f} mm: its middle {width_mm:.0f} mm are used")
    top, left = (rows - shown) / 2 + JOINT_ROW * (shown - wanted), (columns - wanted) / 2
    row, column = spacing
    box = Box(top / row, left / column, wanted / row, wanted / column)
    pixels = cut_box(radiograph.pixels, box, repeat=True)
    best = next(iter(locate(radiograph.pixels, spacing)), None)
    seen = (None, 0.0) if best is None else (best.confidence, best.prosthesis)
    return KneeROI(side, box, pixels, wanted, "whole image", remarks, *seen)
