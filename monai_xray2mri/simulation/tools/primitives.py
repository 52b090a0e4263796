"""Signed distances of simple shapes, and their unions and intersections; negative inside, in reference mm."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from monai_xray2mri.simulation.tools.lattice import Points

_CENTER = 1e-8
"""Avoids 0 / 0 in the middle of an ellipse, where value over gradient has the limit minus one semi-axis."""


def smooth_union(first: Tensor, second: Tensor, radius: float) -> Tensor:
    """Signed distance of the union of two shapes; the seam is filled over ``radius`` mm (polynomial smooth minimum)."""
    blend = (radius - (first - second).abs()).clamp_(min=0)
    return torch.minimum(first, second) - blend.square_().mul_(0.25 / radius)


def smooth_intersection(first: Tensor, second: Tensor, radius: float) -> Tensor:
    """Signed distance of the intersection of two shapes; the edge is rounded over ``radius`` mm."""
    blend = (radius - (first - second).abs()).clamp_(min=0)
    return torch.maximum(first, second) + blend.square_().mul_(0.25 / radius)


def ellipse(first: Tensor, second: Tensor, semi: tuple[float | Tensor, float | Tensor]) -> Tensor:
    """Approximate signed distance of an ellipse about the origin: its value over its gradient, correct to first order.

    Args:
        first: coordinate along the first semi-axis.
        second: coordinate along the second semi-axis.
        semi: both semi-axes in mm.
    """
    u, v = first / semi[0], second / semi[1]
    value = (u * u + v * v + _CENTER).sqrt_()
    slope = (u / semi[0]).square() + (v / semi[1]).square() + _CENTER / _least(semi) ** 2
    return value * (value - 1) / slope.sqrt_()


def ellipsoid(points: Points, center: Sequence[float | Tensor], semi: Sequence[float | Tensor]) -> Tensor:
    """Approximate signed distance of an ellipsoid; ``center`` and ``semi`` (semi-axes) are (x, y, z) in mm."""
    u, v, w = (points.x - center[0]) / semi[0], (points.y - center[1]) / semi[1], (points.z - center[2]) / semi[2]
    value = (u * u + v * v + w * w + _CENTER).sqrt_()
    slope = (u / semi[0]).square() + (v / semi[1]).square() + (w / semi[2]).square() + _CENTER / _least(semi) ** 2
    return value * (value - 1) / slope.sqrt_()


def _least(semi: Sequence[float | Tensor]) -> float | Tensor:
    """The shortest semi-axis; elementwise where they are tensors."""
    least: float | Tensor = semi[0]
    for other in semi[1:]:
        if isinstance(least, Tensor):
            least = torch.minimum(least, torch.as_tensor(other, device=least.device))
        elif isinstance(other, Tensor):
            least = other.clamp(max=least)
        else:
            least = min(least, other)
    return least


def band(points: Points, start: Sequence[float], end: Sequence[float], semi: tuple[float, float]) -> Tensor:
    """Signed distance of a straight band of elliptical section, mainly along z.

    Args:
        points: points in reference mm.
        start: (x, y, z) of the middle of one end.
        end: (x, y, z) of the middle of the other end.
        semi: semi-axes (x, y) of the section in mm.
    """
    along = ((points.z - start[2]) / (end[2] - start[2])).clamp(0, 1)
    flat = ellipse(
        points.x - start[0] - along * (end[0] - start[0]), points.y - start[1] - along * (end[1] - start[1]), semi
    )
    low, high = min(start[2], end[2]), max(start[2], end[2])
    return torch.maximum(flat, torch.maximum(low - points.z, points.z - high))


def capsule(
    points: Points, start: Sequence[float | Tensor], end: Sequence[float | Tensor], radius: float | Tensor
) -> Tensor:
    """Signed distance of a round cord from ``start`` to ``end`` (x, y, z), with rounded ends; ``radius`` in mm."""
    axis = [b - a for a, b in zip(start, end, strict=True)]
    length = axis[0] * axis[0] + axis[1] * axis[1] + axis[2] * axis[2]
    px, py, pz = points.x - start[0], points.y - start[1], points.z - start[2]
    along = ((px * axis[0] + py * axis[1] + pz * axis[2]) / length).clamp_(0, 1)
    squares = (px - along * axis[0]).square() + (py - along * axis[1]).square() + (pz - along * axis[2]).square()
    return squares.sqrt_() - radius


def table(z: Tensor, knots: Sequence[float], values: Sequence[float]) -> Tensor:
    """Piecewise linear interpolation of ``values`` at rising ``knots``; constant beyond the ends."""
    heights, levels = (torch.tensor(numbers, dtype=torch.float32, device=z.device) for numbers in (knots, values))
    upper = torch.searchsorted(heights, z.contiguous()).clamp(1, len(knots) - 1)
    low, high = heights[upper - 1], heights[upper]
    weight = ((z - low) / (high - low)).clamp(0, 1)
    return levels[upper - 1] + weight * (levels[upper] - levels[upper - 1])


def smoothstep(value: Tensor, low: float, high: float) -> Tensor:
    """0 below ``low``, 1 above ``high``, smooth between them. With ``low > high`` it falls instead of rising."""
    t = ((value - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def occupancy(distance: Tensor, width: float | Tensor) -> Tensor:
    """Share of each voxel inside a surface, 0 to 1: a linear ramp of the signed distance, ``width`` mm wide."""
    return (0.5 - distance / width).clamp_(0, 1)
