"""The feet of a photograph, checked and brought into the frame of the networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import SimpleITK as sitk
from PIL import Image

from monai_xray2mri.errors import DoubtfulInput, InputRefused, UsageError
from monai_xray2mri.photograph.foot.checks import (
    doubts,
    kind_of,
    luma,
    no_foot,
    require_pixels,
    require_whole,
    word_of,
)
from monai_xray2mri.photograph.foot.grid import GRID, corner_matrix, sample, settled
from monai_xray2mri.photograph.foot.instances import Lie, feet_of_points, fit, nearest_foot, peaks
from monai_xray2mri.photograph.foot.segmenter import VIEW, Seen, look
from monai_xray2mri.photograph.reading import read_photograph
from monai_xray2mri.photograph.record import Photograph, PreparedFoot
from monai_xray2mri.photograph.scale import find_scale
from monai_xray2mri.simulation.foot.frame import BALL_SHARE
from monai_xray2mri.types import Side

MOST_FEET: Final = 2
PIXEL_MM: Final = (0.02, 5.0)
"""Sizes of a pixel of a photograph that can be: a foot of 250 mm has 12,500 to 50 of them."""
SURE_SIDE: Final = 1.35
"""How many times better one side must fit than the other."""
SMALLEST_SHARE: Final = 0.006
"""Share of the photograph that limbs must cover."""
_WIDE: Final = 1.6
"""Side of the second look over that of the frame; heel and ankle lie in it."""
_ABOVE: Final = 0.12
"""Share of the frame's side between the upper edges of both."""
_LENGTH: Final = 1.18
"""Length of a mean foot over the side of its frame."""
_SOFT: Final = (0.35, 0.65)
"""Probabilities between which the edge of the cut foot is soft."""
_BALL_MM: Final = (60.0, 140.0)
"""Widths of the ball of a foot that can be, children included."""


@dataclass(frozen=True)
class _Found:
    """A foot on a photograph: its frame, and what the networks see in it."""

    lie: Lie
    kinds: np.ndarray
    color: np.ndarray
    cover: np.ndarray
    on_picture: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        return np.asarray(self.cover >= 0.5)


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
    found, limbs = _find(photograph)
    feet = _with_sides(photograph, found, side, force)
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


def _find(photograph: Photograph) -> tuple[list[_Found], np.ndarray]:
    """The feet of a photograph, and [H,W] bool where it shows limbs."""
    pixels, name = photograph.pixels, photograph.name
    view, (top, left), times = _whole_view(pixels)
    seen = look(view)
    limb = _large_parts(seen.limb >= 0.5, SMALLEST_SHARE)
    if not limb.any():
        raise no_foot(name, "nothing that looks like one")
    lies = [lie for lie in feet_of_points(seen.points) if _share_on_limb(lie, limb) >= 0.5]
    if not lies:
        word = word_of(kind_of(seen.kinds, limb))
        raise no_foot(name, f"what looks like {word}" if word else "a part of a foot, without the toes or the ball")
    if len(lies) > MOST_FEET:
        raise InputRefused(
            f"photograph {name}", "must show one foot or both feet of one person", f"{len(lies)} feet",
            "Photograph one or two feet.",
        )  # fmt: skip
    moved = np.array([[times, 0, -top * times], [0, times, -left * times], [0, 0, 1]])
    owner = nearest_foot(lies, limb.shape)
    found = []
    for number, lie in enumerate(lies):
        kinds = kind_of(seen.kinds, limb & (owner == number))
        others = [replace(other, matrix=moved @ other.matrix) for other in lies if other is not lie]
        found.append(_look_closer(pixels, replace(lie, matrix=moved @ lie.matrix), others, kinds))
    rows, columns = (np.arange(side) / times for side in pixels.shape[:2])
    at = np.ix_((rows + top).astype(int).clip(0, VIEW - 1), (columns + left).astype(int).clip(0, VIEW - 1))
    return found, limb[at]


def _whole_view(pixels: np.ndarray) -> tuple[np.ndarray, tuple[int, int], float]:
    """The photograph on a square [128,128,3], (row, column) of its corner there, and pixels of it per pixel there."""
    height, width = pixels.shape[:2]
    times = max(height, width) / VIEW
    shape = max(round(height / times), 1), max(round(width / times), 1)
    small = Image.fromarray(pixels).resize((shape[1], shape[0]), Image.Resampling.BILINEAR, reducing_gap=2.0)
    top, left = ((VIEW - side) // 2 for side in shape)
    margins = ((top, VIEW - shape[0] - top), (left, VIEW - shape[1] - left), (0, 0))
    return np.pad(np.asarray(small), margins, mode="edge"), (top, left), times


def _large_parts(mask: np.ndarray, share: float) -> np.ndarray:
    """The connected parts of a mask that cover a share of it or more."""
    image = sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8)))
    kept = sitk.RelabelComponent(image, minimumObjectSize=max(round(share * mask.size), 1))
    return np.asarray(sitk.GetArrayFromImage(kept) > 0)


def _share_on_limb(lie: Lie, limb: np.ndarray) -> float:
    """Share of the points of a foot that lie on limbs."""
    points = lie.points[np.isfinite(lie.points[:, 0])]
    rows, columns = (points[:, axis].astype(int).clip(0, limb.shape[axis] - 1) for axis in (0, 1))
    return float(limb[rows, columns].mean())


def _wide(matrix: np.ndarray) -> np.ndarray:
    """The frame of the second look around a frame."""
    return np.asarray(matrix @ np.array([[_WIDE, 0, -_ABOVE], [0, _WIDE, 0.5 - _WIDE / 2], [0, 0, 1]]))


def _look_closer(pixels: np.ndarray, lie: Lie, others: Sequence[Lie], kinds: np.ndarray) -> _Found:
    """Look at one foot from nearer by, twice: where its points are, then at its outline."""
    right = lie.is_right
    for _ in range(2):
        wide = _wide(lie.matrix)
        view, _ = sample(pixels, wide, VIEW)
        seen = look(np.rint(view).astype(np.uint8))
        lie = _refined(lie, wide, seen, right)
    wide = _wide(lie.matrix)
    view, _ = sample(pixels, wide, VIEW)
    seen = look(np.rint(view).astype(np.uint8))
    own = _own_part(seen.limb >= 0.5, wide, lie, others)
    if own.any():
        kinds = (kinds + kind_of(seen.kinds, own)) / 2
        lie = replace(lie, matrix=settled(wide, own))
        for _ in range(2):  # the outline is finer there, and moves the frame a little
            color, _ = sample(pixels, lie.matrix, GRID)
            cover = look(np.rint(color).astype(np.uint8)).limb
            own = _own_part(cover >= 0.5, lie.matrix, lie, others)
            if own.any():
                lie = replace(lie, matrix=settled(lie.matrix, own))
    color, on_picture = sample(pixels, lie.matrix, GRID)
    cover = look(np.rint(color).astype(np.uint8)).limb
    own = _own_part((cover >= 0.5) & on_picture, lie.matrix, lie, others)
    near = np.asarray(sitk.GetArrayFromImage(sitk.BinaryDilate(sitk.GetImageFromArray(own.astype(np.uint8)), [2, 2])))
    soft = ((cover - _SOFT[0]) / (_SOFT[1] - _SOFT[0])).clip(0, 1) * (near > 0) * on_picture
    filled = _filled(own)
    soft = np.where(filled & (cover < 0.5), 1.0, soft)
    return _Found(lie, kinds, color, soft.astype(np.float32), on_picture)


def _refined(lie: Lie, wide: np.ndarray, seen: Seen, right: bool) -> Lie:
    """The lie by the highest peaks of the second look, if they fit."""
    best = [peaks(field)[:1] for field in seen.points]
    if not all(best[:3]):
        return lie
    points = np.array([each[0][:2] if each else (np.nan, np.nan) for each in best]) * 2
    homogeneous = np.concatenate((points / VIEW, np.ones((len(points), 1))), 1) @ wide.T
    again = fit(homogeneous[:, :2], right=None)
    return again if again.is_right == right and again.misfit <= max(lie.misfit, 1.5) + 0.3 else lie


def _own_part(mask: np.ndarray, matrix: np.ndarray, lie: Lie, others: Sequence[Lie]) -> np.ndarray:
    """The connected part of a mask of a frame that belongs to its own foot, holes filled."""
    size = len(mask)
    if others:
        to_frame = np.diag([size, size, 1.0]) @ np.linalg.inv(matrix)
        own = nearest_foot([replace(each, matrix=to_frame @ each.matrix) for each in (lie, *others)], mask.shape) == 0
        mask = mask & own
    parts = sitk.GetArrayFromImage(
        sitk.RelabelComponent(sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8))))
    )
    return np.asarray(parts == 1)


def _filled(mask: np.ndarray) -> np.ndarray:
    """A mask without holes that are too small to be floor between toes."""
    holes = sitk.GetArrayFromImage(sitk.BinaryFillhole(sitk.GetImageFromArray(mask.astype(np.uint8)))) > 0
    small = _large_parts(holes & ~mask, 0.0012)
    return np.asarray(holes & ~small)


def _with_sides(
    photograph: Photograph, found: Sequence[_Found], side: Side | None, force: bool
) -> list[tuple[_Found, Side, str, tuple[str, ...]]]:
    """Each foot with its side, how it is known, and what was doubted.

    Raises:
        InputRefused: a side is not known, or the side that is asked for is not there.
    """
    what = f"photograph {photograph.name}"
    told, source = ((side,), "given") if side else (photograph.sides, photograph.sides_source)
    if side and photograph.sides and side not in photograph.sides:
        raise InputRefused(
            what, f"must show the {side.word} foot that was asked for",
            f"{photograph.sides_source} says {photograph.sides[0].word}", "Correct the header, or leave out the side.",
        )  # fmt: skip
    seen = [Side.RIGHT if each.lie.is_right else Side.LEFT for each in found]
    if len(found) == 2:
        if seen[0] is seen[1]:
            raise InputRefused(
                what, "must show one right and one left foot", f"two {seen[0].word} feet",
                "Photograph one foot, or both feet of one person.",
            )  # fmt: skip
        wanted = [side] if side else list(told or Side)
        return [
            (each, one, "given" if side else "hallux", ())
            for each, one in zip(found, seen, strict=True)
            if one in wanted
        ]
    each, looks = found[0], seen[0]
    ratio = each.lie.mirrored / max(each.lie.misfit, 0.3)
    if len(told) != 1:
        if ratio < SURE_SIDE:
            raise InputRefused(
                what, "must show which foot it is", "toes of which either end may be the hallux",
                "Tell the side of the foot (R or L).",
            )  # fmt: skip
        return [(each, looks, "hallux", ())]
    if told[0] is looks:
        return [(each, told[0], source, ())]
    doubt = DoubtfulInput(
        what, f"must look like a {told[0].word} foot", f"a hallux at the side of a {looks.word} one",
        "Check the side; the picture may be mirrored.",
    )  # fmt: skip
    if ratio < SURE_SIDE:
        return [(_turned_over(photograph, each), told[0], source, ())]
    if not force:
        raise doubt
    return [(_turned_over(photograph, each), told[0], source, (str(doubt),))]


def _turned_over(photograph: Photograph, found: _Found) -> _Found:
    """The foot as one of the other side: its frame is mirrored, as its photograph then is."""
    mirror = np.array([[1, 0, 0], [0, -1, 1], [0, 0, 1.0]])
    lie = replace(found.lie, matrix=found.lie.matrix @ mirror)
    flipped = (np.ascontiguousarray(value[:, ::-1]) for value in (found.color, found.cover, found.on_picture))
    return _Found(lie, found.kinds, *flipped)


def _scale(photograph: Photograph, limbs: np.ndarray, ball: float, pixel_mm: float | None) -> tuple[float | None, str]:
    """Size in mm of a pixel that is held, and how it is known."""
    if pixel_mm is not None:
        return pixel_mm * photograph.reduction, "given"
    found = find_scale(photograph.pixels, limbs, ball)
    return (found.pixel_mm, found.source) if found else (None, "none")


def _prepared(
    photograph: Photograph,
    found: _Found,
    side: Side,
    source: str,
    doubted: tuple[str, ...],
    scale: tuple[float | None, str],
    force: bool,
) -> PreparedFoot:
    """The foot, if all checks are passed or overridden."""
    name, foot = photograph.name, f"{side.word} foot"
    require_pixels(name, foot, _LENGTH * found.lie.side * photograph.reduction)
    mask = found.mask
    if not mask.any():
        raise no_foot(name, "nothing that looks like one")
    require_whole(name, foot, mask, found.on_picture)
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
