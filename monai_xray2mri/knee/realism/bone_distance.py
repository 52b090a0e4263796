"""Distances between the surfaces of two bones, and the alignment of one with the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from monai_xray2mri.knee.realism.morphometry import KneeMasks, View, knee_grid
from monai_xray2mri.runtime.optional import optional_library
from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import KneeAnatomy

_BORDER_MM: Final = 3.0
"""Surface points nearer than this to the end of the field of view are left out: they may have no counterpart."""
_ROUNDS: Final = 25
_SAMPLES: Final = 2500
_BLUR_VOXELS: Final = 0.7


@dataclass(frozen=True)
class Surface:
    """A bone's surface as points.

    Attributes:
        points: [N,3] (z, y, x) in mm, dense enough to take the nearest one for the surface.
    """

    points: np.ndarray


@dataclass(frozen=True)
class Distance:
    """Symmetric distance of two surfaces in mm: median and 95th percentile over the points of both."""

    median: float
    p95: float


def real_surface(knee: KneeMasks, bone: str) -> Surface:
    """Surface of a bone of a label map, smoothed by less than a voxel; open where the field of view cuts it."""
    mask = knee.masks[bone].astype(np.float32)
    smooth = optional_library("scipy.ndimage").gaussian_filter(mask, _BLUR_VOXELS, mode="nearest")
    return _surface(0.5 - smooth, knee.view)


def simulated_surface(anatomy: KneeAnatomy, bone: str, view: View) -> Surface:
    """Surface of a simulated bone within a view."""
    field = next(each for each in anatomy.bones if each.name == bone).distance
    grid = knee_grid(anatomy, view)
    window = field.window(grid)
    first = tuple(
        f + s * w.start for f, s, w in zip(view.first, view.spacing, (window[1], window[0], window[2]), strict=True)
    )
    values = field.at(grid.crop(window)).transpose(0, 1).numpy()
    return _surface(values, View(first, view.spacing, values.shape))


def _surface(values: np.ndarray, view: View) -> Surface:
    vertices, faces, _, _ = optional_library("skimage.measure").marching_cubes(values, 0.0, spacing=view.spacing)
    dense = np.concatenate((vertices, vertices[faces].mean(1)))
    return Surface(dense + np.asarray(view.first))


def surface_distance(first: Surface, second: Surface, view: View) -> Distance:
    """Distance of two surfaces, taken in both directions, without the parts near or beyond the end of the view."""
    there = np.concatenate((_nearest(first, second, view), _nearest(second, first, view)))
    return Distance(float(np.median(there)), float(np.percentile(there, 95)))


def _nearest(source: Surface, target: Surface, view: View) -> np.ndarray:
    inside = np.ones(len(source.points), bool)
    for number in range(3):
        axis = view.axis(number)
        place = source.points[:, number]
        inside &= (place > axis[0] + _BORDER_MM) & (place < axis[-1] - _BORDER_MM)
    tree = optional_library("scipy.spatial").cKDTree(target.points)
    return np.asarray(tree.query(source.points[inside])[0])


def align(moving: Surface, fixed: Surface, scaled: bool) -> Surface:
    """The first surface, aligned with the second by iterated closest points: rigid, or a similarity if ``scaled``.

    There are two starts: the given positions, and both centers at one point. The result is the nearer of the two.
    """
    tree = optional_library("scipy.spatial").cKDTree(moving.points)
    rng = np.random.default_rng(0)
    kept = fixed.points[rng.permutation(len(fixed.points))[:_SAMPLES]]
    tried = []
    for start in (np.zeros(3), moving.points.mean(0) - fixed.points.mean(0)):
        # The fixed points are moved instead: the moving surface may reach beyond the fixed one, but not vice versa.
        targets = kept + start
        for _ in range(_ROUNDS):
            partners = moving.points[tree.query(targets)[1]]
            matrix, shift = _similarity(kept, partners, scaled)
            targets = kept @ matrix.T + shift
        size = float(np.cbrt(np.linalg.det(matrix)))  # without it, a bone shrunk to a point would be nearest
        tried.append((float(tree.query(targets)[0].mean()) / size, matrix, shift))
    _, matrix, shift = min(tried, key=lambda each: each[0])
    return Surface((moving.points - shift) @ np.linalg.inv(matrix).T)


def _similarity(source: np.ndarray, target: np.ndarray, scaled: bool) -> tuple[np.ndarray, np.ndarray]:
    """Matrix [3,3] and shift [3] of the least-squares fit of points to others (Umeyama, IEEE PAMI 1991;13:376)."""
    means = source.mean(0), target.mean(0)
    a, b = source - means[0], target - means[1]
    u, singular, vt = np.linalg.svd(b.T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    factor = float((singular * sign).sum() / np.square(a).sum()) if scaled else 1.0
    matrix = factor * (u * sign) @ vt
    return matrix, means[1] - matrix @ means[0]
