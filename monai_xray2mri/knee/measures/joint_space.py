"""Joint space width in mm, of each compartment, from a volume alone or from a label map."""

from __future__ import annotations

from typing import Final

import numpy as np

from monai_xray2mri.knee.measures.crop import SIDES, SPACING_MM
from monai_xray2mri.knee.measures.surfaces import (
    JointReading,
    Surfaces,
    bone_probabilities,
    read_labels,
    read_volume,
    smooth_surface,
)

MIDDLE_X_MM: Final = (14.0, 30.0)
MIDDLE_Y_MM: Final = (-12.0, 12.0)
"""Ranges of the distance from the midline and of y in mm, for a knee of size 1: the middle of a plateau.

The simulator measures the true joint space over the same ranges.
"""
_TIBIA_MM = (67.1, (-19.0, -13.0))
_FEMUR_MM = (69.0, (12.0, 19.0))
"""Width of a bone in mm in a knee of size 1, and the range of heights over which it is measured, beyond osteophytes and
joint surfaces."""
_ROUND_MM = 2.0
"""Margin around the middle that is also used in the fit."""
_ROUGH_ORDER, _FINE_ORDER = 2, 6
_ROUGH_MM = 2.0
"""Heights farther than this from a first, coarse fit (a stray voxel, a hole) are left out."""
_FEWEST = 60


def joint_space(reading: JointReading) -> dict[str, float]:
    """Joint space width of both compartments, from the reading of a volume.

    It is the least distance along z of two polynomials of the sixth order, which are fitted with Tukey's weights to the
    joint surfaces of the segmenter (:func:`~.surfaces.read_volume`). The fit covers the middle of the plateau (16 x 24
    mm times :func:`knee_size`) and a margin of 2 mm. Heights more than 2 mm from a first, coarse fit are left out.

    The joint is not loaded here, as in
    :attr:`~monai_xray2mri.simulation.knee.anatomy.truth.KneeTruth.joint_space_mm`; radiographs show it under load.

    Returns:
        ``"M"`` and ``"L"`` to the width in mm; NaN where no joint is found.
    """
    size = knee_size(reading)
    return {side: _width(surfaces, SIDES[side], size) for side, surfaces in reading.surfaces.items()}


def joint_space_from_volume(volume: np.ndarray, affine: np.ndarray) -> dict[str, float]:
    """Joint space width of both compartments of a volume (:func:`joint_space`), from its intensities.

    Args:
        volume: [S,H,W] of intensities 0 to 1 at OAI's spacing, slice 0 posterior.
        affine: [4,4], maps (column, row, slice) to LPS mm, origin near the joint's center.

    Returns:
        ``"M"`` and ``"L"`` to the width in mm; NaN where no joint is found.

    Raises:
        ValueError: the affine rotates the axes, the spacing is not OAI's, or the volume does not reach the joint.
        WeightsError: the segmenter's weights are missing or damaged.
    """
    return joint_space(read_volume(volume, affine))


def joint_space_from_labels(labels: np.ndarray, affine: np.ndarray) -> dict[str, float]:
    """Joint space width of both compartments (:func:`joint_space`), from a label map.

    Args:
        labels: [S,H,W] of :class:`~monai_xray2mri.simulation.knee.mri.mr.Tissue`, at OAI's spacing.
        affine: [4,4], maps (column, row, slice) to LPS mm.

    Returns:
        ``"M"`` and ``"L"`` to mm; NaN where femur or tibia is absent.

    Raises:
        ValueError: as :func:`joint_space_from_volume`.
        UsageError: SciPy is not installed.
    """
    return joint_space(read_labels(labels, affine))


def knee_size(reading: JointReading) -> float:
    """Size of a knee as a factor on the simulator's reference knee, from the widths of tibia and femur.

    The range over which the joint space is measured grows with this size. Over 60 simulated knees the error has a
    standard deviation of 3 %.

    Returns:
        1 for the reference knee; NaN where a bone is absent.
    """
    found = []
    for bone, (usual, (low, high)) in zip(bone_probabilities(reading.parts), (_FEMUR_MM, _TIBIA_MM), strict=True):
        rows = (reading.crop.z >= low) & (reading.crop.z <= high)
        lines = (bone[:, rows] > 0.5).reshape(-1, bone.shape[2])
        lines = lines[lines.any(axis=1)]
        if not len(lines):
            return float("nan")
        widths = lines.shape[1] - lines.argmax(axis=1) - lines[:, ::-1].argmax(axis=1)
        found.append(SPACING_MM[2] * float(np.percentile(widths, 95)) / usual)
    return sum(found) / len(found)


def _width(surfaces: Surfaces, sign: float, size: float) -> float:
    """Least distance in mm along z of both surfaces over the plateau's middle; NaN if too few columns have both."""
    reach = _ROUND_MM / size
    across, along = sign * surfaces.x[None, :] / size, surfaces.y[:, None] / size
    inside = (across >= MIDDLE_X_MM[0] - reach) & (across <= MIDDLE_X_MM[1] + reach)
    inside = inside & (along >= MIDDLE_Y_MM[0] - reach) & (along <= MIDDLE_Y_MM[1] + reach)
    usable = inside & np.isfinite(surfaces.femur + surfaces.tibia)
    if usable.sum() < _FEWEST:
        return float("nan")
    u, v = (each[usable] for each in np.broadcast_arrays(_scaled(across, MIDDLE_X_MM), _scaled(along, MIDDLE_Y_MM)))
    return _least_gap(u, v, np.stack([surfaces.femur[usable], surfaces.tibia[usable]]))


def _scaled(places: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    return (places - sum(limits) / 2) / ((limits[1] - limits[0]) / 2)


def _least_gap(u: np.ndarray, v: np.ndarray, heights: np.ndarray) -> float:
    """Least gap of heights [2,N] (femur, tibia) at positions (u, v), without heights far from a coarse fit."""
    rough = np.stack([smooth_surface(u, v, z, _ROUGH_ORDER) for z in heights])
    near = (np.abs(heights - rough) < _ROUGH_MM).all(axis=0)
    if near.sum() < _FEWEST:
        return float("nan")
    upper, lower = (smooth_surface(u[near], v[near], z[near], _FINE_ORDER) for z in heights)
    middle = (np.abs(u[near]) <= 1) & (np.abs(v[near]) <= 1)
    return max(0.0, float((upper - lower)[middle].min())) if middle.any() else float("nan")
