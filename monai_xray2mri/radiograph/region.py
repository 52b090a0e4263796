"""The square region around each knee joint, and what the networks see of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.radiograph.joint import (
    JOINT_ROW,
    STEP,
    JointMeasures,
    joint_response,
    looks_like_a_joint,
    measure_joint,
)
from monai_xray2mri.radiograph.laterality import sides_to_use
from monai_xray2mri.radiograph.resampling import cut_box, resize
from monai_xray2mri.radiograph.words import BOTH
from monai_xray2mri.types import Box, KneeROI, Radiograph, Side

NETWORK_SIZE = 256
"""Pixels per side of what the networks see."""
WHOLE_IMAGE_WIDTHS = (0.75, 1.35)
"""An image of this width, in regions, is a single-knee crop already; 1.35 leaves no room to search."""
SQUARE_RATIO = 1.15
"""Longer over shorter side up to which an image counts as roughly square."""
OVERHANG_REMARKED, OVERHANG_REFUSED = 0.05, 0.25
"""Fractions of the region's side by which it may reach beyond the film."""
KNEES_APART_MM = 80.0
"""Two knees on one film are further apart than this (about the width of one)."""
MIDLINE_MM = 15.0
"""A single knee on a film of both must lie this far from the midline for its side to be certain."""
CANDIDATES = 8
"""Places of highest response that are measured; the joints were among the first two on every film tried."""


@dataclass(frozen=True)
class _Knee:
    """A place on the film that measures like a joint: (row, column) in mm of joint line and middle."""

    row: float
    column: float
    measures: JointMeasures


def find_knees(
    radiograph: Radiograph, *, side: Side | None = None, width_mm: float = 110.0, assume_spacing: bool = False
) -> tuple[KneeROI, ...]:
    """Find the region around each knee joint (papers 000 and 001, Fig. 3b).

    1. The film is resampled to 1.5 mm per pixel (at the detector) and normalised locally.
    2. A template of the joint, drawn from a formula in three sizes (``joint.py``), is correlated with it. Its dark
       gap, bright plateau line and condyles exist once per leg.
    3. The regions around the places of highest response are measured: bone must be brighter than the sides of the
       leg above and below the gap. What fails is dropped.
    4. On a film of both knees the best two places at least 80 mm apart are the knees, the patient's right one at the
       left of the image. If only one is found, the half of the film in which it lies tells its side; the other knee
       is refused by name. On a film of one knee a second one is a contradiction and refused.
    5. The region is the square of ``width_mm`` whose joint line lies where it does in the crops that the networks
       are trained on: in the middle column, 58 % from the top.

    An image that is a single-knee crop already (roughly square, 0.75 to 1.35 regions wide) is taken whole. A
    detector network replaces steps 1 to 3 in a later version behind this function.

    To treat the knees of a film independently, call once per side.

    Args:
        radiograph: the film.
        side: the knee that is wanted; tells the side where the film does not.
        width_mm: side of the region at the detector in mm; belongs to the weights.
        assume_spacing: take a single-knee crop without pixel spacing as ``width_mm`` wide (research only).

    Returns:
        One region per knee, right before left.

    Raises:
        InputRefused: unknown side or spacing, no knee found, or a region that reaches too far beyond the film.
    """
    sides = sides_to_use(radiograph, side)
    if radiograph.spacing is None:
        return (_assumed_crop(radiograph, sides, width_mm, assume_spacing),)
    height = radiograph.pixels.shape[0] * radiograph.spacing[0]
    width = radiograph.pixels.shape[1] * radiograph.spacing[1]
    low, high = WHOLE_IMAGE_WIDTHS
    if _roughly_square(height, width) and low * width_mm <= width <= high * width_mm:
        _check_one_knee(radiograph, sides)
        return (_whole_image(radiograph, sides[0], min(height, width), _size_remarks(width, width_mm)),)
    if width < low * width_mm:
        raise InputRefused(
            f"radiograph {radiograph.name}",
            f"must be at least {low * width_mm:.0f} mm wide",
            f"{width:.0f} mm",
            "Give the whole film, or correct its pixel spacing.",
        )
    knees = _assign(radiograph, _search(radiograph, width_mm), sides, width)
    return tuple(_cut(radiograph, one, knee, width_mm) for one, knee in knees.items())


def network_input(roi: KneeROI, size: int = NETWORK_SIZE) -> np.ndarray:
    """Turn a region into what the networks see: right-knee space, [1,1,size,size] float32 in [-1,1].

    Args:
        roi: a region.
        size: pixels per side.
    """
    return normalise_region(roi.pixels, mirrored=roi.side is Side.LEFT, size=size)[None, None]


def normalise_region(pixels: np.ndarray, mirrored: bool, size: int = NETWORK_SIZE) -> np.ndarray:
    """Mirror, resample and normalise a region; films and simulated crops go through this one function.

    The grey range between the percentiles 0.5 and 99.5 becomes [-1,1] and the rest is clipped, so that exposure and
    window do not matter.

    Args:
        pixels: [299,299] (or any square), bone bright, any grey range.
        mirrored: whether to mirror left and right, as for a left knee.
        size: pixels per side of the result.

    Returns:
        [size,size] float32 in [-1,1].
    """
    resized = resize(pixels[:, ::-1] if mirrored else pixels, (size, size))  # [size,size]
    low, high = np.percentile(resized, (0.5, 99.5))
    scaled = (resized - low) / max(float(high - low), 1e-6)
    return np.clip(2 * scaled - 1, -1, 1).astype(np.float32)


def _assumed_crop(radiograph: Radiograph, sides: tuple[Side, ...], width_mm: float, assume_spacing: bool) -> KneeROI:
    """Take a crop without pixel spacing as one region wide, if the user says so."""
    what = f"radiograph {radiograph.name}"
    if not assume_spacing:
        raise InputRefused(
            what,
            "needs a pixel spacing",
            "neither ImagerPixelSpacing nor PixelSpacing",
            f"For a single-knee crop of {width_mm:.0f} mm use the research option --assume-spacing.",
        )
    rows, columns = radiograph.pixels.shape
    if not _roughly_square(rows, columns):
        raise InputRefused(
            what, "must be a roughly square single-knee crop to assume its size", f"{columns} x {rows} pixels"
        )
    _check_one_knee(radiograph, sides)
    remark = f"pixel spacing assumed: {width_mm:.0f} mm over the image width; every size is assumed"
    return _whole_image(radiograph, sides[0], width_mm, (remark,))


def _whole_image(radiograph: Radiograph, side: Side, width_mm: float, remarks: tuple[str, ...]) -> KneeROI:
    """Take the largest central square of an image as the region."""
    rows, columns = radiograph.pixels.shape
    edge = min(rows, columns)
    box = Box((rows - edge) / 2, (columns - edge) / 2, edge, edge)
    return KneeROI(side, box, cut_box(radiograph.pixels, box), width_mm, "whole image", remarks)


def _roughly_square(height: float, width: float) -> bool:
    return max(height, width) <= SQUARE_RATIO * min(height, width)


def _size_remarks(width: float, width_mm: float) -> tuple[str, ...]:
    if abs(width - width_mm) <= 0.1 * width_mm:
        return ()
    return (f"the image is {width:.0f} mm wide, the networks know {width_mm:.0f} mm: sizes will be off",)


def _check_one_knee(radiograph: Radiograph, sides: tuple[Side, ...]) -> None:
    if len(radiograph.sides) == 2 or len(sides) == 2:
        raise InputRefused(
            f"radiograph {radiograph.name}",
            "is too small to show both knees",
            f"both sides by {radiograph.sides_source}",
            "Correct the side in the header, or give the whole film.",
        )


def _search(radiograph: Radiograph, width_mm: float) -> list[_Knee]:
    """Find the places that measure like a joint, best first."""
    height, width = _size_mm(radiograph)
    grid = resize(radiograph.pixels, (max(round(height / STEP), 1), max(round(width / STEP), 1)))
    response = joint_response(grid)
    knees = []
    for _ in range(CANDIDATES):
        row, column = (int(index) for index in np.unravel_index(int(response.argmax()), response.shape))
        if response[row, column] <= 0:
            break
        place = (row + 0.5) * height / grid.shape[0], (column + 0.5) * width / grid.shape[1]
        measures = measure_joint(cut_box(radiograph.pixels, _box_around(radiograph, place, width_mm)))
        if looks_like_a_joint(measures):
            knees.append(_Knee(*place, measures))
        reach = round(KNEES_APART_MM / 4 / STEP)
        response[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1] = -1
    return sorted(knees, key=lambda knee: -knee.measures.gap)


def _assign(radiograph: Radiograph, knees: list[_Knee], sides: tuple[Side, ...], width: float) -> dict[Side, _Knee]:
    """Tell which place is which knee."""
    if not knees:
        raise _not_found(radiograph, sides)
    best = knees[0]
    second = next((knee for knee in knees[1:] if abs(knee.column - best.column) >= KNEES_APART_MM), None)
    if radiograph.sides != BOTH:
        if second is not None:
            raise InputRefused(
                f"radiograph {radiograph.name}",
                f"must show the {sides[0].word} knee alone",
                "two knees in the image",
                "If it shows both, set Image Laterality (0020,0062) to B.",
            )
        return {sides[0]: best}
    if second is not None:
        right, left = sorted((best, second), key=lambda knee: knee.column)
        found = {Side.RIGHT: right, Side.LEFT: left}
    elif abs(best.column - width / 2) < MIDLINE_MM:
        raise _not_found(radiograph, sides)
    else:
        found = {Side.RIGHT if best.column < width / 2 else Side.LEFT: best}
    if missing := tuple(one for one in sides if one not in found):
        raise _not_found(radiograph, missing)
    return {one: found[one] for one in sides}


def _not_found(radiograph: Radiograph, sides: tuple[Side, ...]) -> InputRefused:
    which = " and the ".join(side.word for side in sides)
    return InputRefused(
        f"radiograph {radiograph.name}",
        f"must show the {which} knee from the front",
        "no knee joint where it should be",
        "Give a frontal (AP or PA) film of the knee; check that bone is bright when it is displayed.",
    )


def _size_mm(radiograph: Radiograph) -> tuple[float, float]:
    """(height, width) in mm of a film with known spacing."""
    row, column = radiograph.spacing or (1.0, 1.0)
    return radiograph.pixels.shape[0] * row, radiograph.pixels.shape[1] * column


def _box_around(radiograph: Radiograph, place: tuple[float, float], width_mm: float) -> Box:
    """Return the region whose joint line and middle lie at a place given in mm, in pixels."""
    row, column = radiograph.spacing or (1.0, 1.0)
    top, left = place[0] - JOINT_ROW * width_mm, place[1] - width_mm / 2
    return Box(top / row, left / column, width_mm / row, width_mm / column)


def _cut(radiograph: Radiograph, side: Side, knee: _Knee, width_mm: float) -> KneeROI:
    """Cut the region around a knee, if enough of it lies on the film."""
    box = _box_around(radiograph, (knee.row, knee.column), width_mm)
    rows, columns = radiograph.pixels.shape
    beyond_rows = max(-box.top, box.top + box.rows - rows, 0) / box.rows
    beyond = max(beyond_rows, max(-box.left, box.left + box.columns - columns, 0) / box.columns)
    if beyond > OVERHANG_REFUSED:
        raise InputRefused(
            f"radiograph {radiograph.name}",
            f"must show {width_mm:.0f} mm around the {side.word} knee joint",
            f"{100 * beyond:.0f} % of it beyond the film",
            "Give a film that is not cut off at the knee.",
        )
    remarks: tuple[str, ...] = ()
    if beyond > OVERHANG_REMARKED:
        remarks = (f"{100 * beyond:.0f} % of the {side.word} knee's region lie beyond the film and are dark",)
    return KneeROI(side, box, cut_box(radiograph.pixels, box), width_mm, "profile", remarks)
