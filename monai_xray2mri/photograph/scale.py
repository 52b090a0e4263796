"""The scale of a photograph from something of known size that lies beside the foot: a disc or a coded square.

The disc is 25 mm across and of one color that its surroundings do not have. The coded square is 40 mm wide; it is
black, with sixteen fields that are black or white (:func:`coded_square` draws it). Both lie on the floor. Nothing else
is taken for a scale: two discs, or a disc that is seen as a long ellipse, are none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import SimpleITK as sitk
from PIL import Image, ImageFilter

DISC_MM: Final = 25.0
SQUARE_MM: Final = 40.0
CODE: Final = np.array(((1, 0, 1, 1), (0, 1, 0, 0), (1, 1, 0, 1), (0, 0, 1, 0)), dtype=bool)
"""White fields of the coded square; no turn of it is equal to it, and at least six fields tell it from each of them."""
_FIELDS: Final = 6
"""Fields along a side, the black border included."""
_LOOKED_AT: Final = 500
"""Pixels of the longer side at which things are looked for."""
_ROUNDEST: Final = 0.80
"""Least ratio of the axes of the disc: beyond, the camera looks at the floor from too far aside."""
_FILLED: Final = 0.935
"""Least share of its ellipse that the disc covers, and of itself that lies in its ellipse."""
_LEAST_COVER: Final = 0.45
"""Least share of its box that the disc covers before its holes are filled; a full ellipse covers 0.78."""
_BALL_SHARES: Final = (0.15, 0.45)
"""Width of the disc over that of the ball of a foot, which is 75 to 120 mm, with allowance."""
_EVEN: Final = 0.09
"""Largest standard deviation of the disc's brightness."""
_DISTINCT: Final = 0.14
"""Least distance of the disc's color from that of its surroundings."""
_LEAST_RANGE: Final = 0.05
_CODE_CONTRAST: Final = 0.2
_WRONG_FIELDS: Final = 1


@dataclass(frozen=True)
class Scale:
    """A scale that was found.

    Attributes:
        pixel_mm: size of a pixel of the photograph at the floor.
        source: ``"disc"`` or ``"coded square"``.
        center: (row, column) in pixels.
    """

    pixel_mm: float
    source: str
    center: tuple[float, float]


def coded_square(pixels: int = 480) -> np.ndarray:
    """The coded square to print, [N,N] uint8, N a multiple of 6; its width is 40 mm, a white margin belongs around it.

    Example:
        >>> coded_square(12)[2:4].tolist()[0]
        [0, 0, 255, 255, 0, 0, 255, 255, 255, 255, 0, 0]
    """
    fields = np.pad(CODE, 1).astype(np.uint8) * 255
    return np.kron(fields, np.ones((pixels // _FIELDS, pixels // _FIELDS), np.uint8))


def find_scale(pixels: np.ndarray, limbs: np.ndarray, ball_pixels: float) -> Scale | None:
    """Find a coded square, else a disc.

    Args:
        pixels: [H,W,3] uint8.
        limbs: [H,W] bool, what is foot or leg: nothing is looked for there.
        ball_pixels: width of the ball of the foot, which tells how large a disc may be.

    Returns:
        The scale; None where there is nothing, or more than one disc.
    """
    step = max(math.ceil(max(pixels.shape[:2]) / _LOOKED_AT), 1)
    shape = [side // step for side in pixels.shape[:2]]
    picture = Image.fromarray(pixels[: shape[0] * step, : shape[1] * step]).reduce(step)
    color = np.asarray(picture.filter(ImageFilter.MedianFilter(3)), np.float32) / 255
    covered = limbs[: shape[0] * step, : shape[1] * step][step // 2 :: step, step // 2 :: step]
    found = _square(color, covered, ball_pixels / step) or _disc(color, covered, ball_pixels / step)
    if found is None:
        return None
    wide, source, (row, column) = found
    real = SQUARE_MM if source == "coded square" else DISC_MM
    middle = (row + 0.5) * step - 0.5, (column + 0.5) * step - 0.5
    return Scale(real / (wide * step), source, middle)


Found = tuple[float, str, tuple[float, float]]
"""Width in pixels, source, (row, column)."""


def _disc(color: np.ndarray, covered: np.ndarray, ball: float) -> Found | None:
    """The one disc of a picture."""
    seen: list[list[Found]] = []  # one list for each place
    for mask in _areas(color, covered):
        for labels, number, box, size in _components(mask, (_BALL_SHARES[0] * ball, _BALL_SHARES[1] * ball)):
            region = labels[box] == number
            ellipse = _ellipse(region, box)
            if ellipse is None or not _is_even(color, region, box, size):
                continue
            wide, middle = ellipse
            near = [place for place in seen if math.dist(middle, place[0][2]) <= wide / 2]
            if near:
                near[0].append((wide, "disc", middle))
            else:
                seen.append([(wide, "disc", middle)])
    return _middle_one(seen[0]) if len(seen) == 1 else None


def _middle_one(found: Sequence[Found]) -> Found:
    """The one of middle width: a low threshold makes a thing larger, a high one smaller."""
    return sorted(found)[len(found) // 2]


def _areas(color: np.ndarray, covered: np.ndarray) -> Iterator[np.ndarray]:
    """Masks of what differs from its surroundings, in brightness and in color, brighter or darker."""
    luma = color @ np.array((0.299, 0.587, 0.114), np.float32)
    channels = [luma, color[..., 0] - luma, color[..., 2] - luma]
    outside = ~covered
    for channel in channels:
        values = np.where(outside, channel, np.median(channel[outside]))
        low, high, least, most = np.percentile(values[outside], (1, 99, 0.02, 99.98))
        if most - least < _LEAST_RANGE:
            continue
        # a disc is a small part of a picture, and may be all that lies beyond the grey values of the floor
        for threshold in (*np.linspace(least, most, 7)[1:-1], *np.linspace(low, high, 5)[1:-1]):
            yield (values > threshold) & outside
            yield (values <= threshold) & outside


def _components(
    mask: np.ndarray, widths: tuple[float, float]
) -> Iterator[tuple[np.ndarray, int, tuple[slice, slice], int]]:
    """Connected parts of a mask whose box has sides within limits: labels, number, box, pixels."""
    low, high = 0.7 * widths[0], 1.4 * widths[1]
    parts = sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8)))
    image = sitk.RelabelComponent(parts, minimumObjectSize=max(int(0.3 * low**2), 16))  # grain is left out here
    shapes = sitk.LabelShapeStatisticsImageFilter()
    shapes.Execute(image)
    labels = sitk.GetArrayViewFromImage(image)
    for number in shapes.GetLabels():
        left, top, columns, rows = shapes.GetBoundingBox(number)
        inner = left > 0 and top > 0 and left + columns < mask.shape[1] and top + rows < mask.shape[0]
        if inner and low <= min(columns, rows) and max(columns, rows) <= high:
            box = slice(top, top + rows), slice(left, left + columns)
            yield labels, number, box, int(shapes.GetNumberOfPixels(number))


def _ellipse(region: np.ndarray, box: tuple[slice, slice]) -> tuple[float, tuple[float, float]] | None:
    """Mean diameter and middle of a region that is nearly a round ellipse, holes filled."""
    short, long = sorted(region.shape)
    if short + 1 < _ROUNDEST * (long - 1) or np.count_nonzero(region) < _LEAST_COVER * region.size:
        return None  # most regions end here, before anything that costs time
    filled = _filled(region)
    rows, columns = np.nonzero(filled)
    middle = rows.mean(), columns.mean()
    spread = np.cov(np.stack((rows - middle[0], columns - middle[1]))) + np.eye(2) / 12
    values, vectors = np.linalg.eigh(spread)
    minor, major = 2 * np.sqrt(values)  # half axes
    if minor / major < _ROUNDEST or minor < 4:
        return None
    grid = np.moveaxis(np.mgrid[0 : filled.shape[0], 0 : filled.shape[1]], 0, -1) - np.array(middle)
    inside = (((grid @ vectors) / np.array((minor, major))) ** 2).sum(-1) <= 1
    both = np.count_nonzero(inside & filled)
    if both < _FILLED * np.count_nonzero(inside) or both < _FILLED * np.count_nonzero(filled):
        return None
    return float(2 * math.sqrt(minor * major)), (middle[0] + box[0].start, middle[1] + box[1].start)


def _filled(region: np.ndarray) -> np.ndarray:
    image = sitk.BinaryFillhole(sitk.GetImageFromArray(region.astype(np.uint8)))
    return np.asarray(sitk.GetArrayFromImage(image) > 0)


def _is_even(color: np.ndarray, region: np.ndarray, box: tuple[slice, slice], size: int) -> bool:
    """Whether a region has one color, which its surroundings have not."""
    inner = _shrunk(region, max(round(0.08 * math.sqrt(size)), 1))
    rows, columns = box
    reach = max(round(0.25 * math.sqrt(size)), 2)
    around = (
        slice(max(rows.start - reach, 0), rows.stop + reach),
        slice(max(columns.start - reach, 0), columns.stop + reach),
    )
    ring = np.ones((around[0].stop - around[0].start, around[1].stop - around[1].start), bool)
    ring[rows.start - around[0].start :, columns.start - around[1].start :][: region.shape[0], : region.shape[1]] = (
        False
    )
    own, other = color[box][inner], color[around]
    other = other[ring[: other.shape[0], : other.shape[1]]]
    if len(own) < 12 or len(other) < 12:
        return False
    distinct = float(np.linalg.norm(np.median(own, 0) - np.median(other, 0)))
    return distinct >= _DISTINCT and float(own.std(0).max()) <= _EVEN


def _shrunk(region: np.ndarray, reach: int) -> np.ndarray:
    padded = np.pad(region, reach).astype(np.uint8)
    image = sitk.BinaryErode(sitk.GetImageFromArray(padded), [reach, reach])
    return np.asarray(sitk.GetArrayFromImage(image)[reach:-reach, reach:-reach] > 0)


def _square(color: np.ndarray, covered: np.ndarray, ball: float) -> Found | None:
    """The coded square, in any turn, seen a little from aside."""
    luma = color @ np.array((0.299, 0.587, 0.114), np.float32)
    outside = ~covered
    low, high = np.percentile(luma[outside], (0.5, 99.5))
    seen: list[Found] = []
    for threshold in np.linspace(low, high, 8)[1:-1]:
        mask = (luma < threshold) & outside
        for labels, number, box, _ in _components(mask, (0.25 * ball, 0.75 * ball)):
            corners = _corners(_filled(labels[box] == number))
            if corners is None:
                continue
            corners = corners + np.array((box[0].start, box[1].start))
            sides = np.linalg.norm(corners - np.roll(corners, 1, 0), axis=1)
            if sides.min() / sides.max() >= _ROUNDEST and _reads(luma, corners):
                center = float(corners[:, 0].mean()), float(corners[:, 1].mean())
                seen.append((float(np.sqrt(_area(corners))), "coded square", center))
    return _middle_one(seen) if seen else None


def _area(corners: np.ndarray) -> float:
    r, c = corners.T
    return float(abs(np.dot(r, np.roll(c, 1)) - np.dot(c, np.roll(r, 1))) / 2)


def _corners(region: np.ndarray) -> np.ndarray | None:
    """Corners [4,2] (row, column) in pixels, in turn, of a region that is nearly a four-sided figure."""
    rows, columns = np.nonzero(region)
    if len(rows) < 100:
        return None
    points = np.stack((rows, columns), -1).astype(np.float64)
    first = points[np.argmax(((points - points.mean(0)) ** 2).sum(1))]
    second = points[np.argmax(((points - first) ** 2).sum(1))]
    across = np.array((-(second - first)[1], (second - first)[0]))
    aside = (points - first) @ across
    found = np.array((first, points[aside.argmax()], second, points[aside.argmin()]))
    center = found.mean(0)
    found = (
        found + (found - center) / np.linalg.norm(found - center, axis=1, keepdims=True) * 0.7
    )  # pixels have a width
    area = _area(found)
    return found if area > 0 and 0.93 <= len(rows) / area <= 1.07 else None


def _reads(luma: np.ndarray, corners: np.ndarray) -> bool:
    """Whether the fields between four corners are those of the code, in any turn, and not mirrored."""
    at = (np.arange(_FIELDS) + 0.5) / _FIELDS
    v, u = np.meshgrid(at, at, indexing="ij")
    matrix = _projection(corners)
    projected = np.stack((u.ravel(), v.ravel(), np.ones(u.size))).T @ matrix.T
    places = projected[:, :2] / projected[:, 2:]
    rows = places[:, 1].round().astype(int).clip(0, luma.shape[0] - 1)
    columns = places[:, 0].round().astype(int).clip(0, luma.shape[1] - 1)
    values = luma[rows, columns].reshape(_FIELDS, _FIELDS)
    if np.ptp(values) < _CODE_CONTRAST:
        return False
    white = values > (values.min() + values.max()) / 2
    if white[[0, -1]].any() or white[:, [0, -1]].any():
        return False
    inner = white[1:-1, 1:-1]
    views = [np.rot90(view, turn) for view in (inner, inner.T) for turn in range(4)]  # the corners run either way
    return any(np.count_nonzero(view != CODE) <= _WRONG_FIELDS for view in views)


def _projection(corners: np.ndarray) -> np.ndarray:
    """[3,3] that takes (u, v, 1) of the unit square to (column, row) of its four corners, in turn."""
    square = ((0, 0), (1, 0), (1, 1), (0, 1))
    rows, right = [], []
    for (u, v), (row, column) in zip(square, corners, strict=True):
        rows += [[u, v, 1, 0, 0, 0, -u * column, -v * column], [0, 0, 0, u, v, 1, -u * row, -v * row]]
        right += [column, row]
    return np.append(np.linalg.solve(np.array(rows), np.array(right)), 1.0).reshape(3, 3)
