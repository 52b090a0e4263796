"""The cube: a volume as networks see it, and where its voxels lie in the patient.

The cube's axes are those of the series, turned by quarter turns so that columns run to the patient's left, rows to the
feet and slices to the back, as near as a series comes to it. Nothing is interpolated for that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.types import Volume


@dataclass(frozen=True)
class Cube:
    """A volume in a cube.

    Attributes:
        voxels: [D,D,D] float32; axes: slices, rows, columns. The first voxel beyond what was acquired repeats the edge,
            the others are 0.
        acquired: [2,3], lowest and highest (x, y, z) of what was acquired, in halves of the side.
        affine: [4,4] float64, maps (column, row, slice) to LPS mm.
    """

    voxels: np.ndarray
    acquired: np.ndarray
    affine: np.ndarray


def to_cube(volume: Volume, side_mm: float, size: int) -> Cube:
    """A volume in the cube around its middle, along its own axes.

    Each axis is resampled with a triangle as wide as the coarser of both spacings: where the cube is coarser its voxels
    are means, elsewhere they are interpolated.

    Args:
        volume: [S,H,W] with its affine; the order of its axes stays.
        side_mm: side of the cube.
        size: D.
    """
    voxels = torch.from_numpy(np.ascontiguousarray(volume.voxels, np.float32))
    spacing = volume.spacing  # column, row, slice
    target = side_mm / size
    resampled = voxels
    for axis, step in zip((0, 1, 2), reversed(spacing), strict=True):
        matrix = axis_weights(voxels.shape[axis], step, size, target)
        resampled = torch.tensordot(matrix, resampled, dims=([1], [axis])).movedim(0, axis)
    extent = np.array([count * step for count, step in zip(reversed(volume.voxels.shape), spacing, strict=True)])
    high = np.minimum(extent / side_mm, 1.0)
    affine = volume.affine.copy()
    affine[:3, :3] *= target / np.array(spacing)
    middle = volume.affine @ np.array([*((np.array(volume.voxels.shape)[::-1] - 1) / 2), 1.0])
    affine[:3, 3] = middle[:3] - affine[:3, :3] @ np.full(3, (size - 1) / 2)
    return Cube(resampled.contiguous().numpy(), np.stack([-high, high]), affine)


def axis_weights(count: int, step: float, size: int, target: float, offset: float = 0.0) -> Tensor:
    """Weights [size,count] that resample an axis of ``count`` samples at ``step`` mm to ``size`` at ``target`` mm.

    The middle of the samples lies ``offset`` mm behind that of the target. A row sums to 1 where its voxel was acquired
    or is next to one that was: sections are interpolated up to the border. Others are 0.
    """
    source = (torch.arange(count, dtype=torch.float64) - (count - 1) / 2) * step
    wanted = (torch.arange(size, dtype=torch.float64) - (size - 1) / 2) * target - offset
    inside = wanted.abs() < count * step / 2 + target
    within = wanted.clamp(source[0], source[-1])  # between the last center and its edge the last value holds
    weights = (1 - (within[:, None] - source).abs() / max(step, target)).clamp(min=0)
    return (weights / weights.sum(dim=1, keepdim=True) * inside[:, None]).float()
