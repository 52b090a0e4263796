"""Letters as strokes, for lead markers and burned-in text at any pixel size, independent of installed fonts."""

from __future__ import annotations

import itertools
import math
from typing import Final

import torch
from torch import Tensor

HEIGHT: Final = 6.0
"""Height of a letter in units of its grid; the width is 4."""
_ADVANCE: Final = 6.0
_STROKES: Final = {
    "A": ("06 20 46", "14 34"),
    "B": ("00 30 41 42 33 03", "33 44 45 36 06 00"),
    "D": ("00 20 42 44 26 06 00",),
    "E": ("40 00 06 46", "03 33"),
    "F": ("40 00 06", "03 33"),
    "G": ("41 30 10 01 05 16 36 45 43 23",),
    "H": ("00 06", "40 46", "03 43"),
    "I": ("20 26",),
    "J": ("40 45 36 16 05",),
    "K": ("00 06", "40 03 46"),
    "L": ("00 06 46",),
    "M": ("06 00 23 40 46",),
    "N": ("06 00 46 40",),
    "O": ("10 30 41 45 36 16 05 01 10",),
    "P": ("06 00 30 41 42 33 03",),
    "R": ("06 00 30 41 42 33 03", "23 46"),
    "S": ("41 30 10 01 02 13 33 44 45 36 16 05",),
    "T": ("00 40", "20 26"),
    "W": ("00 16 23 36 40",),
    "X": ("00 46", "40 06"),
    "0": ("10 30 41 45 36 16 05 01 10",),
    "1": ("11 20 26",),
}
"""Polylines of each letter; "xy" is a point in column x (0 to 4) and row y (0 to 6), counted from the upper left."""
LETTERS: Final = frozenset(_STROKES) | {" "}


def word_strokes(word: str, height: float, middle: tuple[float, float], tilt_deg: float = 0.0) -> Tensor:
    """Strokes of a word.

    Args:
        word: text of ``LETTERS``.
        height: height of the letters, in any unit of length.
        middle: (row, column) of the middle of the word, in the same unit.
        tilt_deg: clockwise rotation in degrees.

    Returns:
        [N,4] straight strokes: (row, column) of one end, (row, column) of the other.
    """
    unit = height / HEIGHT
    width = _ADVANCE * len(word) - 2.0
    strokes = []
    for place, letter in enumerate(word):
        for line in _STROKES.get(letter, ()):
            points = [(float(point[1]), float(point[0]) + _ADVANCE * place) for point in line.split()]
            strokes += [(*start, *end) for start, end in itertools.pairwise(points)]
    lines = torch.tensor(strokes).reshape(-1, 2, 2) - torch.tensor((HEIGHT / 2, width / 2))
    turned = lines @ _rotation(tilt_deg) * unit + torch.tensor(middle)
    return turned.reshape(-1, 4)


def _rotation(tilt_deg: float) -> Tensor:
    """Matrix [2,2] that turns (row, column) clockwise when multiplied from the right."""
    sine, cosine = math.sin(math.radians(tilt_deg)), math.cos(math.radians(tilt_deg))
    return torch.tensor(((cosine, -sine), (sine, cosine)))


def polygon_strokes(corners: list[tuple[float, float]], middle: tuple[float, float], tilt_deg: float = 0.0) -> Tensor:
    """Strokes [N,4] of a closed polygon whose corners (row, column) are given relative to its middle."""
    points = torch.tensor(corners) @ _rotation(tilt_deg) + torch.tensor(middle)
    return torch.cat((points, points.roll(-1, 0)), 1)


def stroke_distance(strokes: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Distance [h,w] of points to the nearest stroke.

    Args:
        strokes: [N,4].
        rows: [h] rows of the points, in the unit of the strokes.
        columns: [w] columns of the points.
    """
    nearest = torch.full((len(rows), len(columns)), math.inf)
    for top, left, bottom, right in strokes.tolist():
        down, across = bottom - top, right - left
        square = max(down * down + across * across, 1e-12)
        y, x = (rows - top)[:, None], (columns - left)[None]
        share = ((y * down + x * across) / square).clamp(0, 1)
        nearest = torch.minimum(nearest, (y - share * down).square() + (x - share * across).square())
    return nearest.sqrt()


def coverage(distance: Tensor, half_width: float, pixel: float) -> Tensor:
    """Share [h,w] of each pixel that a stroke covers: 1 nearer than ``half_width``, with a ramp one pixel wide."""
    return ((half_width - distance) / pixel + 0.5).clamp(0, 1)
