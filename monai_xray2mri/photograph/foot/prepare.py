"""The feet of a photograph, checked and brought into the frame of the networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from monai_xray2mri.errors import DoubtfulInput, InputRefused, UsageError
from monai_xray2mri.photograph.foot.checks import doubts, luma, no_foot, require_pixels, require_whole
from monai_xray2mri.photograph.foot.finding import FoundFoot, find_feet
from monai_xray2mri.photograph.foot.grid import GRID, corner_matrix
from monai_xray2mri.photograph.foot.sides import with_sides
from monai_xray2mri.photograph.reading import read_photograph
from monai_xray2mri.photograph.record import Photograph, PreparedFoot
from monai_xray2mri.photograph.scale import find_scale
from monai_xray2mri.simulation.foot.frame import BALL_SHARE
from monai_xray2mri.types import Side

PIXEL_MM: Final = (0.02, 5.0)
"""Sizes of a pixel of a photograph that can be: a foot of 250 mm has 12,500 to 50 of them."""
_LENGTH: Final = 1.18
"""Length of a mean foot over the side of its frame."""
_BALL_MM: Final = (60.0, 140.0)
"""Widths of the ball of a foot that can be, children included."""


def prepare_feet(
    path: Path | str,
    *,
    side: Side | str | None = None,
    pixel_mm: float | None = None,
    force: bool = False,
    name: str | None = None,
) -> tuple[PreparedFoot, ...]:
    """The feet of a photograph from above: PNG, JPEG or VL Photographic DICOM.

    Args:
        path: the file.
        side: of the foot: ``"R"`` or ``"L"``. Of a photograph of both feet it selects one.
        pixel_mm: size of a pixel of the photograph at the floor, in mm.
        force: take a picture that an automatic check doubts; what was doubted is recorded.
        name: how messages call the file; its own name if None.

    Returns:
        One foot or two, right before left.

    Raises:
        UsageError: there is no such file, or an argument is out of range.
        DoubtfulInput: a check doubts the picture, and ``force`` is not set.
        InputRefused: the picture cannot be read or used.
    """
    if pixel_mm is not None and not PIXEL_MM[0] <= pixel_mm <= PIXEL_MM[1]:
        raise UsageError("size of a pixel in mm", f"must lie in {PIXEL_MM[0]:g} to {PIXEL_MM[1]:g}", str(pixel_mm))
    if side is not None and str(side) not in ("R", "L"):
        raise UsageError("side of the foot", "must be R or L", str(side))
    photograph = read_photograph(path, name)
    return feet_of(photograph, side=Side(side) if side else None, pixel_mm=pixel_mm, force=force)


def feet_of(
    photograph: Photograph, *, side: Side | None = None, pixel_mm: float | None = None, force: bool = False
) -> tuple[PreparedFoot, ...]:
    """The feet of a photograph that was read; see :func:`prepare_feet`.

    Raises:
        DoubtfulInput: a check doubts the picture, and ``force`` is not set.
        InputRefused: the picture cannot be used.
    """
    found, limbs = find_feet(photograph)
    try:
        feet = with_sides(photograph, found, side, _reaches_border(limbs), force)
    except InputRefused:
        for each in found:  # what is wrong with the foot itself is told first
            _require_fit(photograph, each, "foot")
        raise
    ball = BALL_SHARE * float(np.median([each.lie.side for each, *_ in feet]))
    scale, scale_source = _scale(photograph, limbs, ball, pixel_mm)
    prepared: list[PreparedFoot] = []
    refusals: list[InputRefused] = []
    for each, foot_side, source, doubted in feet:
        try:
            prepared.append(_prepared(photograph, each, foot_side, source, doubted, (scale, scale_source), force))
        except InputRefused as error:
            refusals.append(error)
    if not prepared:
        raise refusals[0]
    told = tuple(f"one foot is not used: {error}" for error in refusals)
    prepared = [replace(foot, remarks=(*foot.remarks, *told)) for foot in prepared]
    return tuple(sorted(prepared, key=lambda foot: foot.side is Side.LEFT))


def _reaches_border(limbs: np.ndarray) -> bool:
    """Whether the border of a photograph cuts off a limb: [H,W] bool."""
    return bool(limbs[[0, -1]].any() or limbs[:, [0, -1]].any())


def _require_fit(photograph: Photograph, found: FoundFoot, foot: str) -> None:
    """Refuse what cannot be used whichever side it is."""
    require_pixels(photograph.name, foot, _LENGTH * found.lie.side * photograph.reduction)
    if not found.mask.any():
        raise no_foot(photograph.name, "nothing that looks like one")
    require_whole(photograph.name, foot, found.mask, found.on_picture)


def _scale(photograph: Photograph, limbs: np.ndarray, ball: float, pixel_mm: float | None) -> tuple[float | None, str]:
    """Size in mm of a pixel that is held, and how it is known."""
    if pixel_mm is not None:
        return pixel_mm * photograph.reduction, "given"
    found = find_scale(photograph.pixels, limbs, ball)
    return (found.pixel_mm, found.source) if found else (None, "none")


def _prepared(
    photograph: Photograph,
    found: FoundFoot,
    side: Side,
    source: str,
    doubted: tuple[str, ...],
    scale: tuple[float | None, str],
    force: bool,
) -> PreparedFoot:
    """The foot, if all checks are passed or overridden."""
    name, foot, mask = photograph.name, f"{side.word} foot", found.mask
    _require_fit(photograph, found, foot)
    raised = list(doubts(name, foot, found.kinds, found.color, mask))
    pixel_mm, scale_source = scale
    grid_mm = pixel_mm * found.lie.side / GRID if pixel_mm else None
    if grid_mm is not None and not _BALL_MM[0] <= grid_mm * GRID * BALL_SHARE <= _BALL_MM[1]:
        wide = grid_mm * GRID * BALL_SHARE
        rule = f"must be {_BALL_MM[0]:.0f} to {_BALL_MM[1]:.0f} mm wide at its ball"
        seen = f"{wide:.0f} mm by the scale ({scale_source})"
        raised.append(DoubtfulInput(f"{foot} of photograph {name}", rule, seen, "Check the size of a pixel."))
    if raised and not force:
        raise raised[0]
    color = np.rint(found.color * found.cover[..., None]).clip(0, 255).astype(np.uint8)
    gray = np.rint(luma(found.color) * found.cover).clip(0, 255).astype(np.uint8)
    matrix = np.diag([photograph.reduction, photograph.reduction, 1.0]) @ found.lie.matrix
    remarks = list(photograph.remarks)
    if side is Side.LEFT:
        remarks.append("a left foot: mirrored for the networks")
    if grid_mm is None:
        remarks.append("no scale is known: angles are told, lengths are not")
    return PreparedFoot(
        gray, color, mask, side, source, corner_matrix(matrix, GRID), grid_mm, scale_source, photograph,
        (*doubted, *map(str, raised)), tuple(remarks),
    )  # fmt: skip
