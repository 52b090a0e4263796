"""Finds the feet of a photograph: where limbs are, which of them are feet, how they lie, what a closer look shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import SimpleITK as sitk
from PIL import Image

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.photograph.foot.checks import brightened, kind_of, no_foot, require_something, word_of
from monai_xray2mri.photograph.foot.grid import GRID, sample, settled
from monai_xray2mri.photograph.foot.masks import large_parts, parts_of, smoothed, without_small_holes
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
from monai_xray2mri.photograph.record import Photograph

MOST_FEET: Final = 2
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
_SOFT: Final = (0.35, 0.65)
"""Probabilities between which the edge of the cut foot is soft."""


@dataclass(frozen=True)
class FoundFoot:
    """A foot on a photograph: its frame, by how much its side is surer than the other, what the network sees in it.

    Attributes:
        lie: how it lies on the photograph.
        surer: by how much its outline is more like that of its side than that of the other.
        kinds: [6] probabilities of its kinds.
        color: [N,N,3] float32, 0 to 255, its frame.
        cover: [N,N] float32, how much of a pixel it covers.
        on_picture: [N,N] bool, what of the frame lies on the photograph.
    """

    lie: Lie
    surer: float
    kinds: np.ndarray
    color: np.ndarray
    cover: np.ndarray
    on_picture: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        """[N,N] bool, the foot."""
        return np.asarray(self.cover >= 0.5)


def find_feet(photograph: Photograph) -> tuple[list[FoundFoot], np.ndarray]:
    """The feet of a photograph, and [H,W] bool where it shows limbs.

    Raises:
        InputRefused: it shows no foot from above, or more than two limbs.
    """
    name = photograph.name
    require_something(name, photograph.pixels)
    pixels = brightened(photograph.pixels)
    view, (top, left), times = _whole_view(pixels)
    seen = look(view)
    limb = large_parts(seen.limb >= 0.5, SMALLEST_SHARE)
    if not limb.any():
        raise no_foot(name, "nothing that looks like one")
    large = np.array([[times, 0, -top * times], [0, times, -left * times], [0, 0, 1]])
    near = limb
    if (span := _span(limb)) is not None:  # the limbs are small on the photograph
        large = large @ span
        view = np.rint(sample(pixels, large @ np.diag([VIEW, VIEW, 1.0]), VIEW)[0]).astype(np.uint8)
        seen = look(view)
        near = large_parts(seen.limb >= 0.5, SMALLEST_SHARE)
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
        closer = _look_closer(pixels, lie, others, kind_of(seen.kinds, part), surer)
        if pixels is not photograph.pixels:
            closer = replace(closer, color=sample(photograph.pixels, closer.lie.matrix, GRID)[0])
        found.append(closer)
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
    parts = parts_of(limb)
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


def _look_closer(pixels: np.ndarray, lie: Lie, others: Sequence[Lie], kinds: np.ndarray, surer: float) -> FoundFoot:
    """Look at one foot in its frame, where the outline is finer, and settle the frame by it."""
    wide = lie.matrix @ _WIDE
    view = np.rint(sample(pixels, wide, GRID)[0]).astype(np.uint8)
    own = _own_part(smoothed(look(view).limb) >= 0.5, wide, lie, others)
    if own.any():
        lie = replace(lie, matrix=settled(wide, own, _WIDER))
    color, on_picture = sample(pixels, lie.matrix, GRID)
    seen = look(np.rint(color).astype(np.uint8))
    cover = smoothed(seen.limb)
    own = _own_part((cover >= 0.5) & on_picture, lie.matrix, lie, others)
    if own.any():
        kinds = (kinds + kind_of(seen.kinds, own)) / 2
    near = sitk.GetArrayFromImage(sitk.BinaryDilate(sitk.GetImageFromArray(own.astype(np.uint8)), [2, 2])) > 0
    soft = ((cover - _SOFT[0]) / (_SOFT[1] - _SOFT[0])).clip(0, 1) * near * on_picture
    soft = np.where(without_small_holes(own) & (cover < 0.5), 1.0, soft)
    return FoundFoot(lie, surer, kinds, color, soft.astype(np.float32), on_picture)


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
