"""Joint space width in mm, of each compartment, from a volume alone or from a label map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from monai_xray2mri.evaluation.surfaces import (
    GOOD_MISFIT,
    SIDES,
    Surfaces,
    polynomial_terms,
    smooth_surface,
    surfaces_from_labels,
    surfaces_from_volume,
)

MIDDLE_X_MM: Final = (14.0, 30.0)
MIDDLE_Y_MM: Final = (-12.0, 12.0)
"""Distance from the midline, and y, of the middle of a plateau: where the simulator measures its truth."""
_ROUND_MM = 2.0
"""What is fitted beyond the middle on every side."""
_ROUGH_ORDER, _FINE_ORDER = 2, 4
_ROUGH_MM = 1.5
"""How far the surface may leave the rough fit; what lies beyond (a cyst, attrition) is left out."""
_TRUSTED_MISFIT = 0.12
_FEWEST = 40


def joint_space_from_volume(
    volume: np.ndarray, affine: np.ndarray, surfaces: Mapping[str, Surfaces] | None = None
) -> dict[str, float]:
    """Joint space width of both compartments from the volume alone.

    Method: the joint surfaces of :func:`~.surfaces.surfaces_from_volume`; of each, a polynomial of the fourth order fitted
    over the middle of the plateau (16 x 24 mm and 2 mm around) with Tukey's weights, after points more than 1.5 mm from
    a rougher fit were left out; the least distance of the two fitted surfaces along z. Radiographs give the least width
    under load; this is the least width of the unloaded joint over the middle, as
    :attr:`~monai_xray2mri.simulation.truth.KneeTruth.joint_space_mm`.

    Args:
        volume: [S,H,W] fat-suppressed coronal gradient echo, cartilage bright.
        affine: [4,4] maps (column, row, slice) to LPS mm, origin near the joint's centre.
        surfaces: of this volume, where they are known already.

    Returns:
        ``"M"`` and ``"L"`` to mm; NaN where no joint is found.

    Raises:
        ValueError: the affine turns the axes, or the volume does not reach over the joint.
    """
    found = surfaces or surfaces_from_volume(volume, affine)
    return {side: _width(each, SIDES[side]) for side, each in found.items()}


def joint_space_from_labels(labels: np.ndarray, affine: np.ndarray) -> dict[str, float]:
    """The same from a label map of :class:`~monai_xray2mri.simulation.mr.Tissue`: no noise, no doubt about tissues.

    Args:
        labels: [S,H,W].
        affine: [4,4] maps (column, row, slice) to LPS mm.

    Returns:
        ``"M"`` and ``"L"`` to mm; NaN where femur or tibia is absent.

    Raises:
        ValueError: the affine turns the axes, or the volume does not reach over the joint.
    """
    found = surfaces_from_labels(labels, affine)
    return {side: _width(each, SIDES[side]) for side, each in found.items()}


def _width(surfaces: Surfaces, sign: float) -> float:
    """Least distance in mm along z of both surfaces over the middle of the plateau; NaN where too few profiles fit."""
    (low, high), (front, back) = MIDDLE_X_MM, MIDDLE_Y_MM
    across, along = sign * surfaces.x[None, :], surfaces.y[:, None]
    inside = (across >= low - _ROUND_MM) & (across <= high + _ROUND_MM)
    inside = inside & (along >= front - _ROUND_MM) & (along <= back + _ROUND_MM)
    usable = inside & np.isfinite(surfaces.femur + surfaces.tibia) & (surfaces.misfit < GOOD_MISFIT)
    if usable.sum() < _FEWEST:
        return float("nan")
    u, v = (each[usable] for each in np.broadcast_arrays(_scaled(across, MIDDLE_X_MM), _scaled(along, MIDDLE_Y_MM)))
    heights = np.stack([surfaces.femur[usable], surfaces.tibia[usable]])
    trust = np.exp(-np.square(surfaces.misfit[usable] / _TRUSTED_MISFIT))
    return _least_gap(u, v, heights, trust)


def _scaled(places: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    return (places - sum(limits) / 2) / ((limits[1] - limits[0]) / 2)


def _least_gap(u: np.ndarray, v: np.ndarray, heights: np.ndarray, trust: np.ndarray) -> float:
    """Least gap of [2,N] heights over places (u, v), after leaving out what strays from a rough fit."""
    rough = [polynomial_terms(u, v, _ROUGH_ORDER) @ smooth_surface(u, v, z, trust, _ROUGH_ORDER) for z in heights]
    near = (np.abs(heights - np.stack(rough)) < _ROUGH_MM).all(axis=0)
    if near.sum() < _FEWEST:
        return float("nan")
    u, v, heights, trust = u[near], v[near], heights[:, near], trust[near]
    terms = polynomial_terms(u, v, _FINE_ORDER)
    upper, lower = (terms @ smooth_surface(u, v, z, trust, _FINE_ORDER) for z in heights)
    middle = (np.abs(u) <= 1) & (np.abs(v) <= 1)
    return max(0.0, float((upper - lower)[middle].min()))
