"""Which foot an outline is and how it lies, by the mean outline of simulated feet.

A foot from above is not symmetric: the toes end on a slope from the hallux to the fifth, and the ball of the hallux
lies further ahead than that of the fifth toe. So the outline alone tells the direction of the toes and the side of the
body, with or without a leg behind the foot.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import SimpleITK as sitk

from monai_xray2mri.photograph.foot.grid import sample, settled

TEMPLATE_SIZE: Final = 64
"""Pixels per side of the mean outline."""
ROWS: Final = 0.75
"""Share of the frame's height, from above, in which outlines are compared: below, the leg hides the foot."""
_COARSE_DEG: Final = range(-24, 25, 8)
_FINE_DEG: Final = (-6.0, -3.0, 3.0, 6.0)
_TOES: Final = 0.42
"""Share of the frame's height in which gaps between toes are looked for."""


@dataclass(frozen=True)
class Lie:
    """How a foot may lie on a picture.

    Attributes:
        matrix: [3,3] takes (row, column, 1) over the side of the frame, 0 to 1, to those of the picture, in pixels,
            with (0, 0) at the corner of the first pixel.
        likeness: Dice coefficient of its outline and the mean one.
        angle: of the toes from the upper side of the picture, clockwise, in radians.
    """

    matrix: np.ndarray
    likeness: float
    angle: float

    @property
    def is_right(self) -> bool:
        """Whether it is a right foot, seen from above."""
        return float(np.linalg.det(self.matrix[:2, :2])) > 0

    @property
    def side(self) -> float:
        """Side of the frame in pixels of the picture."""
        return float(math.sqrt(abs(np.linalg.det(self.matrix[:2, :2]))))


@dataclass(frozen=True)
class Reading:
    """What an outline says.

    Attributes:
        best: how the foot lies most likely.
        other_side: how it would lie as one of the other side of the body.
        reversed: how it would lie with its toes where its heel is.
    """

    best: Lie
    other_side: Lie
    reversed: Lie


MIRROR: Final = np.array([[1.0, 0, 0], [0, -1, 1], [0, 0, 1]])
"""Takes a frame to that of the mirrored foot."""


def likeness(outline: np.ndarray, template: np.ndarray) -> float:
    """Dice coefficient of an outline and the mean one, [64,64] in [0,1] each, in the upper three quarters."""
    rows = round(ROWS * len(template))
    a, b = outline[:rows], template[:rows]
    return float(2 * np.minimum(a, b).sum() / max(float(a.sum() + b.sum()), 1e-6))


def read_outline(mask: np.ndarray, template: np.ndarray) -> Reading:
    """Which foot a mask [H,W] bool is and how it lies; ``template`` [64,64] is a right foot with its toes up."""
    found = sorted(_candidates(mask, template), key=lambda lie: -lie.likeness)
    best = found[0]
    other = next(lie for lie in found if lie.is_right != best.is_right and math.cos(lie.angle - best.angle) > 0)
    turned = next(lie for lie in found if math.cos(lie.angle - best.angle) <= 0)
    return Reading(*(_refined(mask, template, lie) for lie in (best, other, turned)))


def _candidates(mask: np.ndarray, template: np.ndarray) -> Iterator[Lie]:
    """Both directions of the long axis, a little turned either way, as a right and as a left foot."""
    rows, columns = np.nonzero(mask)
    points = np.stack((rows, columns), -1) + 0.5
    axis = np.linalg.eigh(np.cov((points - points.mean(0)).T))[1][:, 1]
    along = math.atan2(axis[1], -axis[0])
    for half in (0.0, math.pi):
        for turn in _COARSE_DEG:
            yield from _both_sides(mask, template, points, along + half + math.radians(turn))


def _refined(mask: np.ndarray, template: np.ndarray, lie: Lie) -> Lie:
    """The lie, turned by some degrees more if that fits better."""
    rows, columns = np.nonzero(mask)
    points = np.stack((rows, columns), -1) + 0.5
    turned = (_both_sides(mask, template, points, lie.angle + math.radians(turn)) for turn in _FINE_DEG)
    same = [each for pair in turned for each in pair if each.is_right == lie.is_right]
    return max([lie, *same], key=lambda each: each.likeness)


def _both_sides(mask: np.ndarray, template: np.ndarray, points: np.ndarray, angle: float) -> Iterator[Lie]:
    """A right and a left foot whose toes point along an angle."""
    up, right = np.array((-math.cos(angle), math.sin(angle))), np.array((math.sin(angle), math.cos(angle)))
    ahead, across = points @ up, points @ right
    side = 1.25 * float(np.ptp(ahead))
    corner = up * (ahead.max() + 0.06 * side) + right * ((across.max() + across.min()) / 2 - side / 2)
    matrix = np.eye(3)
    matrix[:2, 0], matrix[:2, 1], matrix[:2, 2] = -up * side, right * side, corner
    values = mask.astype(np.float32)
    for _ in range(2):
        view = sample(values, matrix, TEMPLATE_SIZE)[0] > 0.5
        if not view.any():
            return
        matrix = settled(matrix, view)
    seen = sample(values, matrix, TEMPLATE_SIZE)[0]
    yield Lie(matrix, likeness(seen, template), angle)
    yield Lie(matrix @ MIRROR, likeness(seen[:, ::-1], template), angle)


def toe_gaps(mask: np.ndarray) -> float:
    """How much of the upper part of a frame [N,N] lies between toes: what closing adds there, over the foot."""
    size = len(mask)
    reach = max(round(0.035 * size), 1)
    padded = np.pad(mask, reach).astype(np.uint8)
    closed = sitk.GetArrayFromImage(sitk.BinaryMorphologicalClosing(sitk.GetImageFromArray(padded), [reach, reach]))
    rows = round(_TOES * size)
    added = (closed[reach:-reach, reach:-reach] > 0)[:rows] & ~mask[:rows]
    return float(added.sum() / max(int(mask[:rows].sum()), 1))


def nearest_foot(feet: Sequence[Lie], shape: tuple[int, int]) -> np.ndarray:
    """Number [H,W] of the foot whose axis, from the heel to the toes, is nearest to a pixel."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float64)
    distances = []
    for lie in feet:
        (r0, c0), (r1, c1) = ((lie.matrix @ (*place, 1.0))[:2] for place in ((0.15, 0.47), (1.2, 0.52)))
        along, across = r1 - r0, c1 - c0
        share = ((rows + 0.5 - r0) * along + (columns + 0.5 - c0) * across) / (along**2 + across**2)
        share = share.clip(0, 1.6)  # the leg belongs to its foot
        distances.append(np.hypot(rows + 0.5 - r0 - share * along, columns + 0.5 - c0 - share * across) / lie.side)
    return np.asarray(np.argmin(distances, axis=0))


def split_in_two(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two halves of a mask [H,W] of two feet that touch, on either side of a line (two means, Lloyd 1982)."""
    rows, columns = np.nonzero(mask)
    points = np.stack((rows, columns), -1).astype(np.float64)
    axis = np.linalg.eigh(np.cov((points - points.mean(0)).T))[1]
    best: tuple[float, np.ndarray] | None = None
    for direction in axis.T:
        along = points @ direction
        low, high = np.percentile(along, (25, 75))
        for _ in range(12):
            first = np.abs(along - low) < np.abs(along - high)
            low, high = along[first].mean(), along[~first].mean()
        spread = sum(
            float(np.linalg.eigvalsh(np.cov(points[part].T))[1] / np.linalg.eigvalsh(np.cov(points[part].T))[0])
            for part in (first, ~first)
        )
        if best is None or spread > best[0]:  # two long halves are two feet
            best = spread, first
    halves = []
    for part in (best[1], ~best[1]) if best else ():
        half = np.zeros_like(mask)
        half[rows[part], columns[part]] = True
        halves.append(half)
    return halves[0], halves[1]
