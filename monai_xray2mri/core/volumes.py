"""Volumes on regular grids: their affine, their mean and their spread."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monai_xray2mri.types import Volume


def volume_affine(columns: int, rows: int, slices: int, pixel_mm: float, slice_mm: float) -> np.ndarray:
    """[4,4], (column, row, slice) to LPS mm: coronal, centred on the joint, slice 0 anterior, right-handed."""
    affine = np.diag([pixel_mm, 0.0, 0.0, 1.0])
    affine[2, 1], affine[1, 2] = -pixel_mm, slice_mm
    centre = np.array([columns - 1, rows - 1, slices - 1]) / 2
    affine[:3, 3] = -affine[:3, :3] @ centre
    return affine


def mean_and_spread(samples: Sequence[Volume]) -> tuple[Volume, Volume | None]:
    """Voxel-wise mean and, of two samples or more, sample standard deviation; slice by slice, without copies of all."""
    first = samples[0]
    mean, spread = np.empty_like(first.voxels), np.empty_like(first.voxels)
    for index in range(len(first.voxels)):
        stack = np.stack([sample.voxels[index] for sample in samples])  # [N,H,W]
        mean[index] = stack.mean(axis=0)
        if len(samples) > 1:
            spread[index] = stack.std(axis=0, ddof=1)
    volume = Volume(mean, first.affine)
    return volume, Volume(spread, first.affine) if len(samples) > 1 else None
