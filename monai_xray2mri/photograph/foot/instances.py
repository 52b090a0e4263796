"""Which points belong to one foot, which foot it is, and how it lies: the frame of the networks on a photograph."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

TEMPLATE: Final = np.array(((0.381, 0.330), (0.501, 0.677), (0.090, 0.392), (1.243, 0.528)))
"""Where the segmenter's points lie in the frame, (row, column) over its side: mean of 176 simulated right feet."""
SPREAD: Final = np.array((0.027, 0.041, 0.056, 0.083))
"""How far they lie from there, standard deviation."""
LEAST_PEAK: Final = 0.30
"""Least probability of a point."""
LARGEST_MISFIT: Final = 2.6
"""Root mean square distance from the template, in standard deviations, above which points are not those of one foot."""
_PEAKS: Final = 5
_APART: Final = 4
_HIDDEN_HEEL: Final = 1.0
"""Misfit that a heel that is not seen counts for."""


@dataclass(frozen=True)
class Lie:
    """How a foot lies on a picture.

    Attributes:
        matrix: [3,3] takes (row, column, 1) over the side of the frame, 0 to 1, to those of the picture, in pixels,
            with (0, 0) at the corner of the first pixel.
        misfit: root mean square distance of its points from the template, in standard deviations.
        mirrored: the misfit that the points of the other foot would have.
        points: [4,2] (row, column) in pixels; NaN where a point was not seen.
    """

    matrix: np.ndarray
    misfit: float
    mirrored: float
    points: np.ndarray

    @property
    def is_right(self) -> bool:
        """Whether it is a right foot, seen from above."""
        return float(np.linalg.det(self.matrix[:2, :2])) > 0

    @property
    def side(self) -> float:
        """Side of the frame in pixels of the picture."""
        return float(math.sqrt(abs(np.linalg.det(self.matrix[:2, :2]))))


def peaks(field: np.ndarray, least: float = LEAST_PEAK) -> list[tuple[float, float, float]]:
    """The highest maxima of a map [H,W]: (row, column, value) in cells, each apart from the others."""
    rest, found = field.astype(np.float64).copy(), []
    for _ in range(_PEAKS):
        row, column = np.unravel_index(int(rest.argmax()), rest.shape)
        value = float(rest[row, column])
        if value < least:
            break
        top, left = max(int(row) - 2, 0), max(int(column) - 2, 0)
        around = field[top : int(row) + 3, left : int(column) + 3].astype(np.float64)
        rows, columns = np.mgrid[0 : around.shape[0], 0 : around.shape[1]]
        weight = around**2
        found.append(
            (
                top + float((weight * rows).sum() / weight.sum()) + 0.5,
                left + float((weight * columns).sum() / weight.sum()) + 0.5,
                value,
            )
        )
        rest[
            max(int(row) - _APART, 0) : int(row) + _APART + 1, max(int(column) - _APART, 0) : int(column) + _APART + 1
        ] = 0
    return found


def feet_of_points(maps: np.ndarray) -> list[Lie]:
    """The feet whose points lie on maps [4,H,W], the surest first; the picture has twice as many pixels a side."""
    found = [peaks(field) for field in maps]
    heels: list[tuple[float, float, float] | None] = [*found[3], None]
    candidates = []
    for first, fifth, tip in itertools.product(*found[:3]):
        for heel in heels:
            points = np.array([each[:2] if each else (np.nan, np.nan) for each in (first, fifth, tip, heel)]) * 2
            lie = fit(points)
            if lie.misfit <= LARGEST_MISFIT and lie.side > 8:
                votes = first[2] + fifth[2] + tip[2] + (heel[2] if heel else 0)
                candidates.append((lie.misfit - 0.8 * votes, lie))
    feet: list[Lie] = []
    for _, lie in sorted(candidates, key=lambda each: each[0]):
        if all(_are_apart(lie, other) for other in feet):
            feet.append(lie)
    return feet


def _are_apart(first: Lie, second: Lie) -> bool:
    """Whether two feet share no point: a heel may be hidden in both."""
    apart = np.hypot(*(first.points - second.points).T)
    return not bool((apart < 2 * _APART).any())


def fit(points: np.ndarray, right: bool | None = None) -> Lie:
    """How the foot with these points lies.

    Args:
        points: [4,2] (row, column) in pixels; NaN where one was not seen.
        right: whether it is known to be a right foot; None takes what fits better.
    """
    options = {side: _similarity(points, side) for side in (True, False)}
    side = right if right is not None else options[True][1] <= options[False][1]
    return Lie(options[side][0], options[side][1], options[not side][1], points)


def _similarity(points: np.ndarray, right: bool) -> tuple[np.ndarray, float]:
    """Weighted similarity from the template to points (Umeyama, IEEE TPAMI 13:376, 1991), and its misfit."""
    seen = np.isfinite(points[:, 0])
    source = TEMPLATE[seen] * ((1, 1) if right else (1, -1))
    target, weight = points[seen], SPREAD[seen] ** -2
    weight = weight / weight.sum()
    a, b = source - weight @ source, target - weight @ target
    u, singular, v = np.linalg.svd((b * weight[:, None]).T @ a)
    sign = np.array((1.0, np.sign(np.linalg.det(u @ v))))
    turn = u @ np.diag(sign) @ v
    scale = float((singular * sign).sum() / (weight @ (a**2).sum(1)))
    linear = scale * turn @ np.diag((1.0, 1.0 if right else -1.0))
    shift = weight @ target - linear @ (weight @ TEMPLATE[seen])
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = linear, shift
    if scale <= 0:
        return matrix, math.inf
    back = np.linalg.solve(linear, (target - shift).T).T
    misfit = (((back - TEMPLATE[seen]) / SPREAD[seen, None]) ** 2).sum(1)
    hidden = _HIDDEN_HEEL**2 * (~seen).sum()
    return matrix, float(np.sqrt((misfit.sum() + hidden) / len(TEMPLATE)))


def nearest_foot(feet: Sequence[Lie], shape: tuple[int, int]) -> np.ndarray:
    """Number [H,W] of the foot whose axis, from the heel to the toes, is nearest to a pixel."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float64)
    distances = []
    for lie in feet:
        (r0, c0), (r1, c1) = (_at(lie, place) for place in ((0.15, 0.47), (1.2, 0.52)))
        along, across = r1 - r0, c1 - c0
        share = ((rows + 0.5 - r0) * along + (columns + 0.5 - c0) * across) / (along**2 + across**2)
        share = share.clip(0, 1.6)  # the leg belongs to its foot
        distances.append(np.hypot(rows + 0.5 - r0 - share * along, columns + 0.5 - c0 - share * across) / lie.side)
    return np.asarray(np.argmin(distances, axis=0))


def _at(lie: Lie, place: tuple[float, float]) -> np.ndarray:
    return np.asarray((lie.matrix @ (*place, 1.0))[:2])
