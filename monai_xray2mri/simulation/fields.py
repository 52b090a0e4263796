"""Signed distances and smooth random fields on a regular grid: the tools that the anatomy is made with.

Arrays are laid out [Y,Z,X] (slice, row, column of a coronal volume). Distances are negative inside, in reference
millimetres. Shapes are evaluated inside index boxes only, with coordinates that broadcast, which is what makes a
knee take a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Window = tuple[slice, slice, slice]
Range = tuple[float, float]
_NOISE_KNOT_MM = 16.0
_NOISE_KNOTS = 20


@dataclass(frozen=True)
class Grid:
    """Coordinates of sample points: ``y`` [Y], ``z`` [Z], ``x`` [X] in reference mm, each evenly spaced.

    ``row_shift`` [Z] moves the samples of a row along y: a projection that sums over y thereby samples each ray at
    other depths than its neighbours, which hides the steps of a coarse y.
    """

    y: Tensor
    z: Tensor
    x: Tensor
    row_shift: Tensor | None = None

    def window(self, x: Range, y: Range, z: Range) -> Window:
        """Index box [Y,Z,X] that covers the given ranges of mm."""
        return _covered(self.y, y), _covered(self.z, z), _covered(self.x, x)

    def crop(self, window: Window) -> Grid:
        """The grid restricted to an index box."""
        shift = None if self.row_shift is None else self.row_shift[window[1]]
        return Grid(self.y[window[0]], self.z[window[1]], self.x[window[2]], shift)

    def points(self) -> Points:
        """Broadcastable coordinates of the grid."""
        y = self.y[:, None, None]
        if self.row_shift is not None:
            y = y + self.row_shift[None, :, None]
        return Points(self.x[None, None, :], y, self.z[None, :, None])


@dataclass(frozen=True)
class Points:
    """Broadcastable coordinates: ``x`` [1,1|Z,X], ``y`` [Y,1|Z,1], ``z`` [1|Y,Z,1] in reference mm."""

    x: Tensor
    y: Tensor
    z: Tensor

    def turned(self, angle: float, pivot_y: float, pivot_z: float) -> Points:
        """Coordinates in a frame turned about an x-axis; a positive angle carries +z of that frame towards +y."""
        if angle == 0.0:
            return self
        cosine, sine = float(torch.cos(torch.tensor(angle))), float(torch.sin(torch.tensor(angle)))
        y, z = self.y - pivot_y, self.z - pivot_z
        return Points(self.x, cosine * y - sine * z + pivot_y, sine * y + cosine * z + pivot_z)

    def near(self, x: Range, y: Range, z: Range) -> Window:
        """Index box of the points inside the given ranges of mm in this frame."""
        inside = (self.y >= y[0]) & (self.y <= y[1]) & (self.z >= z[0]) & (self.z <= z[1])
        columns = (self.x >= x[0]) & (self.x <= x[1])
        return (
            _extent(inside.any(1).flatten()),
            _extent(inside.any(0).flatten()),
            _extent(columns.any(1).flatten()),
        )

    def crop(self, window: Window) -> Points:
        """The coordinates of an index box."""
        return Points(*(_cropped(axis, window) for axis in (self.x, self.y, self.z)))


def _extent(inside: Tensor) -> slice:
    found = torch.nonzero(inside).flatten()
    return slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0, 0)


def _cropped(axis: Tensor, window: Window) -> Tensor:
    return axis[tuple(part if size > 1 else slice(None) for part, size in zip(window, axis.shape, strict=True))]


def _covered(axis: Tensor, limits: Range) -> slice:
    return _extent((axis >= limits[0]) & (axis <= limits[1]))


def smooth_union(first: Tensor, second: Tensor, radius: float) -> Tensor:
    """Distance of the union of two shapes with the seam filled over ``radius`` mm (polynomial smooth minimum)."""
    blend = (radius - (first - second).abs()).clamp_(min=0)
    return torch.minimum(first, second) - blend.square_().mul_(0.25 / radius)


def smooth_intersection(first: Tensor, second: Tensor, radius: float) -> Tensor:
    """Distance of the intersection of two shapes with the edge rounded over ``radius`` mm."""
    blend = (radius - (first - second).abs()).clamp_(min=0)
    return torch.maximum(first, second) + blend.square_().mul_(0.25 / radius)


def rounded_extrusion(profile: Tensor, slab: Tensor, radius: float) -> Tensor:
    """Distance of a profile extruded through a slab, its edges rounded with a quarter circle of ``radius`` mm."""
    outside = ((profile + radius).clamp(min=0).square() + (slab + radius).clamp(min=0).square()).sqrt_()
    return outside - radius + torch.maximum(profile + radius, slab + radius).clamp(max=0)


def ellipse(first: Tensor, second: Tensor, semi: tuple[float | Tensor, float | Tensor]) -> Tensor:
    """Approximate signed distance of an ellipse in two coordinates (first-order: value over gradient)."""
    u, v = first / semi[0], second / semi[1]
    value = (u * u + v * v).sqrt_()
    slope = ((u / semi[0]).square() + (v / semi[1]).square()).sqrt_().clamp_(min=1e-4)
    return value * (value - 1) / slope


def ellipsoid(points: Points, centre: Sequence[float], semi: Sequence[float]) -> Tensor:
    """Approximate signed distance of an ellipsoid; ``centre`` and ``semi`` are (x, y, z)."""
    u, v, w = (points.x - centre[0]) / semi[0], (points.y - centre[1]) / semi[1], (points.z - centre[2]) / semi[2]
    value = (u * u + v * v + w * w).sqrt_()
    slope = ((u / semi[0]).square() + (v / semi[1]).square() + (w / semi[2]).square()).sqrt_().clamp_(min=1e-4)
    return value * (value - 1) / slope


def add_ellipsoid(
    distance: Tensor, points: Points, centre: Sequence[float], semi: Sequence[float], radius: float
) -> None:
    """Unite an ellipsoid with a shape in place, seam filled over ``radius`` mm; only its surroundings are computed."""
    x, y, z = ((c - s - radius - 2, c + s + radius + 2) for c, s in zip(centre, semi, strict=True))
    window = points.near(x, y, z)
    distance[window] = smooth_union(distance[window], ellipsoid(points.crop(window), centre, semi), radius)


def band(points: Points, start: Sequence[float], end: Sequence[float], semi: tuple[float, float]) -> Tensor:
    """Distance of a straight band from start to end (x, y, z) that runs mainly along z; ``semi`` is (x, y)."""
    along = ((points.z - start[2]) / (end[2] - start[2])).clamp(0, 1)
    flat = ellipse(
        points.x - start[0] - along * (end[0] - start[0]), points.y - start[1] - along * (end[1] - start[1]), semi
    )
    low, high = min(start[2], end[2]), max(start[2], end[2])
    return torch.maximum(flat, torch.maximum(low - points.z, points.z - high))


def capsule(points: Points, start: Sequence[float], end: Sequence[float], radius: float) -> Tensor:
    """Distance of a round cord from start to end (x, y, z)."""
    axis = torch.tensor(end, dtype=torch.float32) - torch.tensor(start, dtype=torch.float32)
    px, py, pz = points.x - start[0], points.y - start[1], points.z - start[2]
    along = ((px * axis[0] + py * axis[1] + pz * axis[2]) / axis.square().sum()).clamp_(0, 1)
    squares = (px - along * axis[0]).square() + (py - along * axis[1]).square() + (pz - along * axis[2]).square()
    return squares.sqrt_() - radius


def table(z: Tensor, knots: Sequence[float], values: Sequence[float]) -> Tensor:
    """Piecewise linear interpolation of ``values`` given at rising ``knots``, held constant beyond the ends."""
    heights, levels = torch.tensor(knots, dtype=torch.float32), torch.tensor(values, dtype=torch.float32)
    upper = torch.searchsorted(heights, z.contiguous()).clamp(1, len(knots) - 1)
    low, high = heights[upper - 1], heights[upper]
    weight = ((z - low) / (high - low)).clamp(0, 1)
    return levels[upper - 1] + weight * (levels[upper] - levels[upper - 1])


def smoothstep(value: Tensor, low: float, high: float) -> Tensor:
    """0 below ``low``, 1 above ``high``, smooth in between; falls instead of rising where ``low > high``."""
    t = ((value - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def occupancy(distance: Tensor, width: float) -> Tensor:
    """Share of a voxel that lies inside a surface: a linear ramp of ``width`` mm over the distance."""
    return (0.5 - distance / width).clamp_(0, 1)


def noise_knots(generator: torch.Generator, count: int = _NOISE_KNOTS) -> Tensor:
    """Knots [count,count,count] of a smooth random field, standard normal."""
    return torch.randn((count,) * 3, generator=generator)


def smooth_noise(knots: Tensor, grid: Grid, knot_mm: float = _NOISE_KNOT_MM) -> Tensor:
    """Smooth random field [Y,Z,X] of about unit size: cubic B-spline of ``knots`` that lie ``knot_mm`` apart."""
    low = -knot_mm * (len(knots) - 1) / 2
    weights = [_spline_weights((axis - low) / knot_mm, len(knots)) for axis in (grid.y, grid.z, grid.x)]
    rows = torch.einsum("ya,abc->ybc", weights[0], knots)
    planes = torch.einsum("zb,ybc->yzc", weights[1], rows)
    return planes @ weights[2].T * 2.0


def _spline_weights(position: Tensor, count: int) -> Tensor:
    distance = (position[:, None] - torch.arange(count)[None, :]).abs()
    near, far = 2 / 3 - distance**2 + distance**3 / 2, (2 - distance).clamp(min=0) ** 3 / 6
    return torch.where(distance < 1, near, far)


def blurred(image: Tensor, sigma_rows: float, sigma_columns: float) -> Tensor:
    """Gaussian blur of [H,W] with mirrored borders; written as shifts so that threads cannot change the result."""
    return _blurred_along(_blurred_along(image, sigma_rows, 0), sigma_columns, 1)


def _blurred_along(image: Tensor, sigma: float, dim: int) -> Tensor:
    if sigma <= 0:
        return image
    reach = min(max(1, int(3 * sigma + 0.5)), image.shape[dim] - 1)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    ends = image.flip(dim).narrow(dim, image.shape[dim] - 1 - reach, reach), image.flip(dim).narrow(dim, 1, reach)
    padded = torch.cat((ends[0], image, ends[1]), dim)
    total = torch.zeros_like(image)
    for offset, weight in enumerate(kernel.tolist()):
        total.add_(padded.narrow(dim, offset, image.shape[dim]), alpha=weight)
    return total
