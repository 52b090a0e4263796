"""Joint space width in mm, of each compartment, from a volume alone or from a label map."""

from __future__ import annotations

from typing import Final

import numpy as np

from monai_xray2mri.evaluation.crop import SIDES
from monai_xray2mri.evaluation.surfaces import JointReading, Surfaces, read_labels, read_volume, smooth_surface

MIDDLE_X_MM: Final = (14.0, 30.0)
MIDDLE_Y_MM: Final = (-12.0, 12.0)
"""Distance from the midline, and y, of the middle of a plateau: where the simulator measures its truth."""
_ROUND_MM = 2.0
"""What is fitted beyond the middle on every side."""
_ROUGH_ORDER, _FINE_ORDER = 2, 5
_ROUGH_MM = 2.0
"""How far a height may leave the rough fit; what lies beyond (a stray voxel, a hollow) is left out."""
_FEWEST = 60


def joint_space_from_volume(
    volume: np.ndarray, affine: np.ndarray, reading: JointReading | None = None
) -> dict[str, float]:
    """Joint space width of both compartments from the volume alone.

    Method: the joint surfaces that the segmenter finds (:func:`~.surfaces.read_volume`); of each, a polynomial of the
    fifth order over the middle of the plateau (16 x 24 mm and 2 mm around), with Tukey's weights, after heights more
    than 2 mm from a rougher fit were left out; the least distance of the two along z. Radiographs give the least width
    under load; this is that of the unloaded joint, as
    :attr:`~monai_xray2mri.simulation.truth.KneeTruth.joint_space_mm`.

    Args:
        volume: [S,H,W] of intensities 0 to 1 at OAI's spacing, slice 0 posterior.
        affine: [4,4] maps (column, row, slice) to LPS mm, origin near the joint's centre.
        reading: of this volume, where it was read already.

    Returns:
        ``"M"`` and ``"L"`` to mm; NaN where no joint is found.

    Raises:
        ValueError: the affine turns the axes, the spacing is another, or the volume misses the joint.
        WeightsError: the segmenter's weights are missing or damaged.
    """
    return _widths(reading or read_volume(volume, affine))


def joint_space_from_labels(labels: np.ndarray, affine: np.ndarray) -> dict[str, float]:
    """The same from a label map of :class:`~monai_xray2mri.simulation.mr.Tissue`: no noise, no doubt about tissues.

    Args:
        labels: [S,H,W] at OAI's spacing.
        affine: [4,4] maps (column, row, slice) to LPS mm.

    Returns:
        ``"M"`` and ``"L"`` to mm; NaN where femur or tibia is absent.

    Raises:
        ValueError: as :func:`joint_space_from_volume`.
        UsageError: SciPy is not installed.
    """
    return _widths(read_labels(labels, affine))


def _widths(reading: JointReading) -> dict[str, float]:
    return {side: _width(surfaces, SIDES[side]) for side, surfaces in reading.surfaces.items()}


def _width(surfaces: Surfaces, sign: float) -> float:
    """Least distance in mm along z of both surfaces over the plateau's middle; NaN where too few columns have it."""
    (low, high), (front, back) = MIDDLE_X_MM, MIDDLE_Y_MM
    across, along = sign * surfaces.x[None, :], surfaces.y[:, None]
    inside = (across >= low - _ROUND_MM) & (across <= high + _ROUND_MM)
    inside = inside & (along >= front - _ROUND_MM) & (along <= back + _ROUND_MM)
    usable = inside & np.isfinite(surfaces.femur + surfaces.tibia)
    if usable.sum() < _FEWEST:
        return float("nan")
    u, v = (each[usable] for each in np.broadcast_arrays(_scaled(across, MIDDLE_X_MM), _scaled(along, MIDDLE_Y_MM)))
    return _least_gap(u, v, np.stack([surfaces.femur[usable], surfaces.tibia[usable]]))


def _scaled(places: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    return (places - sum(limits) / 2) / ((limits[1] - limits[0]) / 2)


def _least_gap(u: np.ndarray, v: np.ndarray, heights: np.ndarray) -> float:
    """Least gap of [2,N] heights over places (u, v), after leaving out what strays from a rough fit."""
    rough = np.stack([smooth_surface(u, v, z, _ROUGH_ORDER) for z in heights])
    near = (np.abs(heights - rough) < _ROUGH_MM).all(axis=0)
    if near.sum() < _FEWEST:
        return float("nan")
    upper, lower = (smooth_surface(u[near], v[near], z[near], _FINE_ORDER) for z in heights)
    middle = (np.abs(u[near]) <= 1) & (np.abs(v[near]) <= 1)
    return max(0.0, float((upper - lower)[middle].min())) if middle.any() else float("nan")
