"""The frame of the networks on a photograph: sampling it, and its exact place by the outline of the foot."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from monai_xray2mri.simulation.foot.frame import BALL_SHARE, IMAGE_SIZE

GRID: Final = IMAGE_SIZE
"""Pixels per side of the prepared foot."""
FOREFOOT_SHARE: Final = 0.52
"""Of the frame's side: the toes and the ball, 0.45 of the length of a mean foot."""
_SUPERSAMPLED: Final = 2
_SEEN_BALL: Final = 1.053
"""Width of the ball as a camera sees it, over that by the simulator's rule, which measures on a lattice of 2 mm on the
floor: mean of 22 simulated feet, standard deviation 0.012."""
_SEEN_TOP: Final = 0.034
"""Margin above the longest toe that a camera sees, where the rule has 0.04; of the same feet."""


def corner_matrix(matrix: np.ndarray, shape: int) -> np.ndarray:
    """[3,3] from shares of a frame's side to corners of pixels, as one from pixels of a grid to middles of pixels."""
    pixel = np.array([[1 / shape, 0, 0.5 / shape], [0, 1 / shape, 0.5 / shape], [0, 0, 1]])
    back = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    return np.asarray(back @ matrix @ pixel)


def sample(pixels: np.ndarray, matrix: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Sample a frame of a photograph; the picture's border is repeated beyond it.

    Args:
        pixels: [H,W,3] uint8, or [H,W] of any type.
        matrix: [3,3] takes (row, column, 1) over the frame's side to corners of pixels.
        size: N.

    Returns:
        [N,N,3] or [N,N] float32, in the range of the pixels, anti-aliased, and [N,N] bool, what of it lies on the
        photograph.
    """
    step = math.sqrt(abs(float(np.linalg.det(matrix[:2, :2])))) / (size * _SUPERSAMPLED)
    reduced = max(math.floor(step), 1)
    picture = Image.fromarray(pixels if pixels.ndim == 3 else np.ascontiguousarray(pixels, dtype=np.float32))
    small = np.asarray(picture.reduce(reduced) if reduced > 1 else picture)
    height, width = (side / reduced for side in pixels.shape[:2])
    fine = size * _SUPERSAMPLED
    at = (np.arange(fine) + 0.5) / fine
    rows, columns = np.meshgrid(at, at, indexing="ij")
    places = (matrix / np.array([[reduced], [reduced], [1]])) @ np.stack(
        (rows.ravel(), columns.ravel(), np.ones(fine * fine))
    )
    row, column = places[0].reshape(fine, fine), places[1].reshape(fine, fine)
    grid = np.stack((2 * column / small.shape[1] - 1, 2 * row / small.shape[0] - 1), -1)
    values = np.atleast_3d(np.array(small, np.float32))
    tensor = torch.from_numpy(values).movedim(-1, 0)[None]
    sampled = F.grid_sample(
        tensor, torch.from_numpy(grid.astype(np.float32))[None], padding_mode="border", align_corners=False
    )
    on = ((row >= 0) & (row <= height) & (column >= 0) & (column <= width)).astype(np.float32)
    both = torch.cat((sampled[0], torch.from_numpy(on)[None]))[None]
    pooled = F.avg_pool2d(both, _SUPERSAMPLED)[0].numpy()
    shown = pooled[:-1].transpose(1, 2, 0)
    return shown if pixels.ndim == 3 else shown[..., 0], pooled[-1] > 0.5


def settled(matrix: np.ndarray, mask: np.ndarray, wider: float = 1.0) -> np.ndarray:
    """Move a frame so that the ball of the foot is 0.45 of its side and the longest toe is just below its upper edge.

    The rule is that of :func:`monai_xray2mri.simulation.foot.frame.frame_of`.

    Args:
        matrix: [3,3] takes (row, column, 1) over the frame's side to the photograph.
        mask: [N,N] bool, the foot in that frame.
        wider: side of that frame over that of the one that is wanted, about.
    """
    size = len(mask)
    tip = np.flatnonzero(mask.any(1))[0]
    rows = mask[tip : tip + round(FOREFOOT_SHARE / wider * size)]
    spans = [(np.flatnonzero(row)[0], np.flatnonzero(row)[-1] + 1) for row in rows if row.any()]
    low, high = max(spans, key=lambda span: span[1] - span[0])
    side = (high - low) / size / BALL_SHARE / _SEEN_BALL
    move = np.array(
        [[side, 0, tip / size - _SEEN_TOP * side], [0, side, (low + high) / 2 / size - side / 2], [0, 0, 1]]
    )
    return np.asarray(matrix @ move)
