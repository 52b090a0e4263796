"""Photograph and radiograph of one foot brought onto each other, by their outlines.

Wan 2025 (section 3) registers its pairs and does not say how. Here both outlines are brought into the frame of the
simulator first, which leaves little, and then turned, scaled and moved until they cover each other best.
"""

from __future__ import annotations

import itertools
import math
from typing import Final

import numpy as np
import SimpleITK as sitk

from monai_xray2mri.photograph.foot.grid import sample, settled
from monai_xray2mri.photograph.foot.outline import ROWS

_SIZE: Final = 128
_ROUNDS: Final = 5
_FIRST: Final = (math.radians(4), 0.04, 0.03, 0.03)
"""First steps: turn in radians, relative size, shift down and across in shares of the frame's side."""


def film_outline(film: np.ndarray) -> np.ndarray:
    """What the foot covers of a radiograph [H,W] in [0,1], bone bright: [H,W] bool.

    Grey values fall into air, soft tissue and bone (Otsu, IEEE TSMC 9:62, 1979, with two thresholds).
    """
    image = sitk.GetImageFromArray(np.ascontiguousarray(film, dtype=np.float32))
    classes = sitk.GetArrayFromImage(sitk.OtsuMultipleThresholds(image, numberOfThresholds=2))
    parts = sitk.ConnectedComponent(sitk.GetImageFromArray((classes > 0).astype(np.uint8)))
    largest = sitk.RelabelComponent(parts) == 1
    return np.asarray(sitk.GetArrayFromImage(sitk.BinaryFillhole(largest)) > 0)


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Dice coefficient of two outlines [N,N] in the upper three quarters of their frame."""
    rows = round(ROWS * len(first))
    a, b = first[:rows], second[:rows]
    return 2 * int(np.count_nonzero(a & b)) / max(int(np.count_nonzero(a)) + int(np.count_nonzero(b)), 1)


def frame_of_outline(outline: np.ndarray) -> np.ndarray:
    """The frame of a foot whose toes are up: [3,3] takes (row, column, 1) over its side to corners of pixels.

    Args:
        outline: [H,W] bool.
    """
    side = float(max(outline.shape))
    matrix = np.array([[side, 0, 0], [0, side, (outline.shape[1] - side) / 2], [0, 0, 1]])
    for _ in range(3):  # how large the forefoot is follows from the frame, and the frame from the forefoot
        view, on = sample(outline.astype(np.float32), matrix, 2 * _SIZE)
        matrix = settled(matrix, (view > 0.5) & on)
    return matrix


def registered(film: np.ndarray, frame: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, float]:
    """The frame on a radiograph in which its outline covers that of a photograph best.

    Args:
        film: [H,W] bool, the outline on the radiograph.
        frame: [3,3] a frame on it to begin with.
        mask: [N,N] bool, the foot on the photograph in its own frame.

    Returns:
        The frame, and the overlap that it reaches.
    """
    wanted = _small(mask)
    pixels = film.astype(np.float32)

    def reached(change: tuple[float, ...]) -> float:
        return overlap(_seen(pixels, frame @ _matrix(change)), wanted)

    best: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    steps = np.array(_FIRST)
    value = reached(best)
    for _ in range(_ROUNDS):
        for axis, sign in itertools.product(range(4), (-1, 1)):
            while True:
                trial = tuple(
                    old + sign * step if place == axis else old
                    for place, (old, step) in enumerate(zip(best, steps, strict=True))
                )
                if (found := reached(trial)) <= value + 1e-6:
                    break
                best, value = trial, found
        steps /= 2
    return frame @ _matrix(best), value


def _small(mask: np.ndarray) -> np.ndarray:
    step = len(mask) // _SIZE
    return mask[step // 2 :: step, step // 2 :: step]


def _seen(pixels: np.ndarray, frame: np.ndarray) -> np.ndarray:
    values, on = sample(pixels, frame, _SIZE)
    return np.asarray((values > 0.5) & on)


def _matrix(change: tuple[float, ...]) -> np.ndarray:
    """A change of a frame about its middle."""
    turn, larger, down, across = change
    cosine, sine = (1 + larger) * math.cos(turn), (1 + larger) * math.sin(turn)
    middle = 0.5 * (1 - cosine - sine), 0.5 * (1 - cosine + sine)
    return np.array([[cosine, sine, middle[0] + down], [-sine, cosine, middle[1] + across], [0, 0, 1]])
