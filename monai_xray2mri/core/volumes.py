"""Volumes on regular grids: their affine, their mean and their spread."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monai_xray2mri.types import Volume


def volume_affine(
    columns: int,
    rows: int,
    slices: int,
    pixel_mm: float,
    slice_mm: float,
    *,
    center: tuple[float, float, float] = (0.0, 0.0, 0.0),
    posterior_first: bool = False,
) -> np.ndarray:
    """Where coronal slices lie: row 0 the most superior, column 0 at the patient's right.

    Args:
        columns: of a slice.
        rows: of a slice.
        slices: of the volume.
        pixel_mm: distance of the centres of columns and of rows.
        slice_mm: distance of the slices.
        center: LPS mm of the volume's centre; the origin is the centre of the joint.
        posterior_first: slice 0 is the most posterior one, as networks and simulators count; otherwise the most
            anterior one, as a result counts, which makes the affine right-handed.

    Returns:
        [4,4] float64, maps (column, row, slice) to LPS mm.

    Example:
        >>> volume_affine(3, 3, 5, 0.5, 1.5)[:3, 3].tolist()  # column 0, row 0, slice 0: right, anterior, superior
        [-0.5, -3.0, 0.5]
    """
    affine = np.diag([pixel_mm, 0.0, 0.0, 1.0])
    affine[2, 1], affine[1, 2] = -pixel_mm, -slice_mm if posterior_first else slice_mm
    middle = np.array([columns - 1, rows - 1, slices - 1]) / 2
    affine[:3, 3] = np.array(center) - affine[:3, :3] @ middle
    return affine


def to_patient_space(voxels: np.ndarray, pixel_mm: float, slice_mm: float, *, mirrored: bool) -> Volume:
    """A network's output as a result.

    Args:
        voxels: [S,H,W] in [-1,1], slice 0 posterior. Networks see right sides only.
        pixel_mm: distance of columns and of rows.
        slice_mm: distance of the slices.
        mirrored: the side is a left one, which was mirrored for the network and is mirrored back.

    Returns:
        Float32 in [0,1], slice 0 anterior, centred on the joint.
    """
    voxels = (voxels[::-1] + 1) / 2
    if mirrored:
        voxels = voxels[:, :, ::-1]
    slices, rows, columns = voxels.shape
    affine = volume_affine(columns, rows, slices, pixel_mm, slice_mm)
    return Volume(np.ascontiguousarray(voxels, dtype=np.float32), affine)


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
