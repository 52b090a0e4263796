"""The part of a volume around the joint, and its position in LPS mm of right-knee space.

The origin lies within a few mm of the joint's center, as in
:class:`~monai_xray2mri.simulation.knee.knee.SimulatedKnee`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from monai_xray2mri.knee.data.arrays import PIXEL_MM, SLICE_MM

SPACING_MM: Final = (SLICE_MM, PIXEL_MM, PIXEL_MM)
"""Distance of voxel centers along (slice, row, column): that of OAI's series; measures accept no other."""
ROWS: Final = 64
COLUMNS: Final = 128
HALF_DEPTH_MM: Final = 22.5
"""Slices up to this distance in front of and behind the joint's center are measured."""
SIDES: Final[Mapping[str, float]] = {"M": 1.0, "L": -1.0}
"""Compartment to the sign of its x (+x is the patient's left: medial in a right knee)."""


@dataclass(frozen=True)
class JointCrop:
    """The part of a volume around the joint.

    Attributes:
        values: [S,64,128] intensities; 0 outside of the volume.
        x: [128] positions of the columns in LPS mm.
        y: [S] positions of the slices in LPS mm.
        z: [64] positions of the rows in LPS mm, falling.
        slices: indices of the slices in the volume.
    """

    values: np.ndarray
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    slices: tuple[int, ...]


def joint_crop(volume: np.ndarray, affine: np.ndarray, shift: tuple[int, int] = (0, 0)) -> JointCrop:
    """Cut 64 rows and 128 columns around the origin out of the slices near it.

    Args:
        volume: [S,H,W].
        affine: [4,4], maps (column, row, slice) to LPS mm in right-knee space without rotation; the origin lies within
            a few mm of the joint's center, as in :class:`~monai_xray2mri.simulation.knee.knee.SimulatedKnee`.
        shift: rows and columns by which the crop is moved, for training.

    Raises:
        ValueError: the affine rotates the axes, the spacing is not OAI's, or the volume does not reach the joint.
    """
    x, y, z = axes_mm(volume.shape, affine)
    steps = (y[1] - y[0], z[1] - z[0], x[1] - x[0]) if min(volume.shape) > 1 else (0.0, 0.0, 0.0)
    if not np.allclose(np.abs(steps), SPACING_MM, rtol=0.01) or steps[1] > 0 or steps[2] < 0:
        raise ValueError(f"needs voxels of {SPACING_MM} mm, rows downwards and columns to the left, got steps {steps}")
    slices = np.flatnonzero(np.abs(y) <= HALF_DEPTH_MM)
    if not len(slices) or np.abs(x).min() > 1 or np.abs(z).min() > 1:
        raise ValueError(f"the volume must reach over the joint's centre, got shape {volume.shape} and its affine")
    top = int(np.abs(z).argmin()) - ROWS // 2 + shift[0]
    left = int(np.abs(x).argmin()) - COLUMNS // 2 + shift[1]
    return JointCrop(
        _window(volume[slices], top, left),
        x[0] + steps[2] * (left + np.arange(COLUMNS)),
        y[slices],
        z[0] + steps[1] * (top + np.arange(ROWS)),
        tuple(slices.tolist()),
    )


def _window(slices: np.ndarray, top: int, left: int) -> np.ndarray:
    """64 rows and 128 columns of [S,H,W]; zeros beyond the border."""
    found = np.zeros((len(slices), ROWS, COLUMNS), slices.dtype)
    rows = slice(max(top, 0), min(top + ROWS, slices.shape[1]))
    columns = slice(max(left, 0), min(left + COLUMNS, slices.shape[2]))
    found[:, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = slices[:, rows, columns]
    return found


def axes_mm(shape: tuple[int, ...], affine: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions (x [W], y [S], z [H]) in LPS mm of the columns, slices and rows of a volume of shape (S, H, W).

    Raises:
        ValueError: the affine does not map columns to x, rows to z and slices to y.
    """
    matrix = np.asarray(affine)[:3, :3]
    used = np.abs(matrix) > 1e-6
    if len(shape) != 3 or used.sum() != 3 or not (used[0, 0] and used[2, 1] and used[1, 2]):
        raise ValueError("needs a volume [S,H,W] whose affine maps columns to x, rows to z and slices to y")
    x, z, y = (
        affine[axis, index] * np.arange(size) + affine[axis, 3]
        for axis, index, size in ((0, 0, shape[2]), (2, 1, shape[1]), (1, 2, shape[0]))
    )
    return x, y, z
