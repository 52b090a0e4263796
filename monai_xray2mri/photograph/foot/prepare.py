"""The feet of a photograph, checked and brought into the frame of the networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import SimpleITK as sitk
import torch
from PIL import Image
from torch.nn import functional as F

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
from monai_xray2mri.photograph.foot.outline import (
    MIRROR,
    TEMPLATE_SIZE,
    Lie,
    Reading,
    likeness,
    nearest_foot,
    read_outline,
    split_in_two,
    toe_gaps,
)
from monai_xray2mri.photograph.foot.segmenter import VIEW, look, shipped_segmenter
from monai_xray2mri.photograph.reading import read_photograph
from monai_xray2mri.photograph.record import Photograph, PreparedFoot
from monai_xray2mri.photograph.scale import find_scale
from monai_xray2mri.simulation.foot.frame import BALL_SHARE
from monai_xray2mri.types import Side

MOST_FEET: Final = 2
PIXEL_MM: Final = (0.02, 5.0)
"""Sizes of a pixel of a photograph that can be: a foot of 250 mm has 12,500 to 50 of them."""
SURE_SIDE: Final = 0.012
"""By how much one side must be more like the mean outline than the other."""
LEAST_LIKENESS: Final = 0.80
"""Likeness to the mean outline below which a limb is no foot from above."""
SMALLEST_SHARE: Final = 0.006
"""Share of the photograph that limbs must cover."""
_LARGE_PART: Final = 0.25
"""Share of the largest limb that another one must have to count as a foot."""
_ROOM: Final = 1.3
"""Side of the view over the extent of the limbs on it."""
_SMALL: Final = 0.8
"""Share of the view below which it is taken again from nearer by."""
_ONE_FOOT: Final = 0.88
"""Likeness to the mean outline from which on a limb is one foot."""
_BETTER: Final = 0.03
"""By how much both halves of a limb must be more like it to be two feet that touch."""
_WIDER: Final = 1.25
_WIDE: Final = np.array([[_WIDER, 0, -0.08], [0, _WIDER, (1 - _WIDER) / 2], [0, 0, 1]])
"""The frame of the closer look over that of the first."""
_LENGTH: Final = 1.18
"""Length of a mean foot over the side of its frame."""
_SOFT: Final = (0.35, 0.65)
"""Probabilities between which the edge of the cut foot is soft."""
_BALL_MM: Final = (60.0, 140.0)
"""Widths of the ball of a foot that can be, children included."""


@dataclass(frozen=True)
class _Found:
    """A foot on a photograph: its frame, by how much its side is surer than the other, what the network sees in it."""

    lie: Lie
    surer: float
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
    large = np.array([[times, 0, -top * times], [0, times, -left * times], [0, 0, 1]])
    near = limb
    if (span := _span(limb)) is not None:  # the limbs are small on the photograph
        large = large @ span
        view = np.rint(sample(pixels, large @ np.diag([VIEW, VIEW, 1.0]), VIEW)[0]).astype(np.uint8)
        seen = look(view)
        near = _large_parts(seen.limb >= 0.5, SMALLEST_SHARE)
        if not near.any():
            raise no_foot(name, "nothing that looks like one")
    parts = _feet_apart(near, name)
    template = shipped_segmenter().template.numpy()
    readings = [_read(part, template, pixels, large) for part in parts]
    if readings[0].best.likeness < LEAST_LIKENESS:
        word = word_of(kind_of(seen.kinds, near))
        raise no_foot(name, f"what looks like {word}" if word else "a limb of another shape")
    lies = [replace(reading.best, matrix=large @ reading.best.matrix) for reading in readings]
    found = []
    for part, reading, lie in zip(parts, readings, lies, strict=True):
        others = [other for other in lies if other is not lie]
        surer = reading.best.likeness - reading.other_side.likeness
        found.append(_look_closer(pixels, lie, others, kind_of(seen.kinds, part), surer))
    rows, columns = (np.arange(side) / times for side in pixels.shape[:2])
    at = np.ix_((rows + top).astype(int).clip(0, VIEW - 1), (columns + left).astype(int).clip(0, VIEW - 1))
    return found, limb[at]


def _span(limb: np.ndarray) -> np.ndarray | None:
    """[3,3] from pixels of a closer view to those of this one, if limbs take up little of it; else None."""
    rows, columns = np.nonzero(limb)
    high, wide = np.ptp(rows) + 1, np.ptp(columns) + 1
    times = _ROOM * max(high, wide) / VIEW
    if times > _SMALL:
        return None
    top, left = rows.min() + high / 2 - times * VIEW / 2, columns.min() + wide / 2 - times * VIEW / 2
    return np.array([[times, 0, top], [0, times, left], [0, 0, 1]])


def _feet_apart(limb: np.ndarray, name: str) -> list[np.ndarray]:
    """The limbs of a view, two feet that touch taken apart.

    Raises:
        InputRefused: there are more than two.
    """
    parts = _parts(limb)
    parts = [part for part in parts if part.sum() >= _LARGE_PART * parts[0].sum()]
    if len(parts) > MOST_FEET:
        raise InputRefused(
            f"photograph {name}", "must show one foot or both feet of one person", f"{len(parts)} feet or other limbs",
            "Photograph one or two feet.",
        )  # fmt: skip
    if len(parts) > 1:
        return parts
    template = shipped_segmenter().template.numpy()
    whole = read_outline(parts[0], template).best.likeness
    if whole < _ONE_FOOT:
        halves = split_in_two(parts[0])
        if min(read_outline(half, template).best.likeness for half in halves) > whole + _BETTER:
            return list(halves)
    return parts


def _parts(mask: np.ndarray) -> list[np.ndarray]:
    """The connected parts of a mask, the largest first."""
    image = sitk.RelabelComponent(sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8))))
    labels = sitk.GetArrayFromImage(image)
    return [labels == number for number in range(1, int(labels.max()) + 1)]


def _read(part: np.ndarray, template: np.ndarray, pixels: np.ndarray, large: np.ndarray) -> Reading:
    """What an outline says; gaps between toes on a closer look speak for a direction, too."""
    reading = read_outline(part, template)
    scores = []
    for lie in (reading.best, reading.reversed):
        view = np.rint(sample(pixels, large @ lie.matrix, GRID)[0]).astype(np.uint8)
        scores.append(lie.likeness + toe_gaps(look(view).limb >= 0.5))
    if scores[0] >= scores[1]:
        return reading
    turned = reading.reversed
    mirrored = replace(turned, matrix=turned.matrix @ MIRROR)
    rows = [(likeness(_outline(part, each), template), each) for each in (turned, mirrored)]
    rows.sort(key=lambda row: -row[0])
    best, other = (replace(each, likeness=value) for value, each in rows)
    return Reading(best, other, reading.best)


def _outline(part: np.ndarray, lie: Lie) -> np.ndarray:
    """A mask in the frame of a lie, as likeness compares it."""
    return sample(part.astype(np.float32), lie.matrix, TEMPLATE_SIZE)[0]


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


def _look_closer(pixels: np.ndarray, lie: Lie, others: Sequence[Lie], kinds: np.ndarray, surer: float) -> _Found:
    """Look at one foot in its frame, where the outline is finer, and settle the frame by it."""
    wide = lie.matrix @ _WIDE
    view = np.rint(sample(pixels, wide, GRID)[0]).astype(np.uint8)
    own = _own_part(_smooth(look(view).limb) >= 0.5, wide, lie, others)
    if own.any():
        lie = replace(lie, matrix=settled(wide, own, _WIDER))
    color, on_picture = sample(pixels, lie.matrix, GRID)
    seen = look(np.rint(color).astype(np.uint8))
    cover = _smooth(seen.limb)
    own = _own_part((cover >= 0.5) & on_picture, lie.matrix, lie, others)
    if own.any():
        kinds = (kinds + kind_of(seen.kinds, own)) / 2
    near = sitk.GetArrayFromImage(sitk.BinaryDilate(sitk.GetImageFromArray(own.astype(np.uint8)), [2, 2])) > 0
    soft = ((cover - _SOFT[0]) / (_SOFT[1] - _SOFT[0])).clip(0, 1) * near * on_picture
    soft = np.where(_filled(own) & (cover < 0.5), 1.0, soft)
    return _Found(lie, surer, kinds, color, soft.astype(np.float32), on_picture)


def _smooth(cover: np.ndarray) -> np.ndarray:
    """A cover [N,N] without the steps of the network's places of 4 x 4 pixels."""
    value = torch.from_numpy(cover)[None, None]
    for _ in range(2):
        value = F.avg_pool2d(F.pad(value, (2, 2, 2, 2), mode="replicate"), 5, 1)
    smooth: np.ndarray = value[0, 0].numpy()
    return smooth


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
    if len(told) != 1:
        if each.surer < SURE_SIDE:
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
    if each.surer < SURE_SIDE:
        return [(_turned_over(photograph, each), told[0], source, ())]
    if not force:
        raise doubt
    return [(_turned_over(photograph, each), told[0], source, (str(doubt),))]


def _turned_over(photograph: Photograph, found: _Found) -> _Found:
    """The foot as one of the other side: its frame is mirrored, as its photograph then is."""
    lie = replace(found.lie, matrix=found.lie.matrix @ MIRROR)
    flipped = (np.ascontiguousarray(value[:, ::-1]) for value in (found.color, found.cover, found.on_picture))
    return _Found(lie, found.surer, found.kinds, *flipped)


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
