"""Exact path lengths of X-rays through simple convex bodies.

Each body is the intersection of slabs and quadrics (ray casting of solid models: Roth, Comput Graph Image Process
18:109, 1982). A ray is inside the body after it has entered all parts and until it leaves the first one. Coordinates
(x, y, z) are in mm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

Vector = tuple[float, float, float]
Vectors = tuple[Tensor, Tensor, Tensor]
"""Components (x, y, z), each [H,W]."""
_FAR: Final = 1e4


@dataclass(frozen=True)
class Rays:
    """Rays from a point source through points of the plane y = 0.

    Attributes:
        source: the focal spot (x, y, z); y is its distance from the plane.
        x: [W] x of the points in the plane.
        z: [H] z of the points in the plane.
    """

    source: Vector
    x: Tensor
    z: Tensor

    def directions(self) -> Vectors:
        """Unit vectors from the source, (x, y, z) each [H,W]."""
        across = (self.x - self.source[0])[None].expand(len(self.z), -1)
        up = (self.z - self.source[2])[:, None].expand(-1, len(self.x))
        length = (across.square() + up.square() + self.source[1] ** 2).sqrt()
        return across / length, -self.source[1] / length, up / length

    def offsets(self, center: Vector) -> Vectors:
        """Vectors from a point to where the rays meet the plane, (x, y, z) each [H,W]."""
        across = (self.x - center[0])[None].expand(len(self.z), -1)
        up = (self.z - center[2])[:, None].expand(-1, len(self.x))
        return across, torch.full_like(across, -center[1]), up

    def crop(self, rows: slice, columns: slice) -> Rays:
        """The rays of a part of the image."""
        return Rays(self.source, self.x[columns], self.z[rows])

    def window(self, center: Vector, radius: float) -> tuple[slice, slice] | None:
        """Rows and columns of the rays that can hit a ball; None if no ray can."""
        magnified = self.source[1] / (self.source[1] - center[1])
        reach = 1.02 * radius * self.source[1] / (self.source[1] - center[1] - radius)
        x = self.source[0] + (center[0] - self.source[0]) * magnified
        z = self.source[2] + (center[2] - self.source[2]) * magnified
        rows, columns = _between(self.z, z, reach), _between(self.x, x, reach)
        return (rows, columns) if rows and columns else None


def _between(places: Tensor, middle: float, reach: float) -> slice | None:
    found = ((places - middle).abs() <= reach).nonzero().flatten()
    return slice(int(found[0]), int(found[-1]) + 1) if len(found) else None


@dataclass(frozen=True)
class Slab:
    """The space between two parallel planes.

    Attributes:
        point: a point half-way between the planes.
        normal: unit normal of the planes.
        half: half the distance between the planes.
    """

    point: Vector
    normal: Vector
    half: float


@dataclass(frozen=True)
class Quadric:
    """Ellipsoid, or infinite cylinder with a circular or elliptical section.

    Attributes:
        center: center of the quadric.
        axes: three orthogonal unit vectors.
        semi: semi-axis along each of ``axes``; infinite along the axis of a cylinder.
        thread: (pitch, depth) of a screw thread around the third axis; (0, 0) for a smooth surface.
    """

    center: Vector
    axes: tuple[Vector, Vector, Vector]
    semi: Vector
    thread: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Body:
    """A convex body, perhaps with a convex hollow.

    Attributes:
        parts: slabs and quadrics; the body is their intersection.
        center: center of a ball that encloses the body.
        radius: radius of that ball.
        attenuation: linear attenuation coefficient of the material in 1/mm.
        hollow: slabs and quadrics whose intersection is removed from the body; it must lie inside.
    """

    parts: tuple[Slab | Quadric, ...]
    center: Vector
    radius: float
    attenuation: float
    hollow: tuple[Slab | Quadric, ...] = ()


def line_integrals(bodies: Sequence[Body], rays: Rays) -> Tensor:
    """Line integrals [H,W] of attenuation along the rays through all bodies, without unit."""
    total = torch.zeros(len(rays.z), len(rays.x))
    for body in bodies:
        window = rays.window(body.center, body.radius)
        if window is None:
            continue
        part = rays.crop(*window)
        low, high = _interval(body.parts, part)
        path = (high - low).clamp(min=0)
        if body.hollow:
            inner_low, inner_high = _interval((*body.parts, *body.hollow), part)
            path = path - (inner_high - inner_low).clamp(min=0)
        total[window] += body.attenuation * path
    return total


def _interval(parts: Sequence[Slab | Quadric], rays: Rays) -> tuple[Tensor, Tensor]:
    """Positions in mm along each ray [H,W] where the intersection of the parts begins and ends.

    A ray that misses the intersection gets an end before its beginning.
    """
    directions = rays.directions()
    low, high = torch.full_like(directions[0], -_FAR), torch.full_like(directions[0], _FAR)
    for part in parts:
        enters, leaves = _slab(part, rays, directions) if isinstance(part, Slab) else _quadric(part, rays, directions)
        low, high = torch.maximum(low, enters), torch.minimum(high, leaves)
    return low, high


def _slab(slab: Slab, rays: Rays, directions: Vectors) -> tuple[Tensor, Tensor]:
    along = sum_of(directions, slab.normal)
    steady = torch.where(along.abs() < 1e-9, torch.full_like(along, 1e-9), along)
    distance = -sum_of(rays.offsets(slab.point), slab.normal)
    first, second = (distance - slab.half) / steady, (distance + slab.half) / steady
    return torch.minimum(first, second), torch.maximum(first, second)


def _quadric(one: Quadric, rays: Rays, directions: Vectors) -> tuple[Tensor, Tensor]:
    """Solve |(p + t d - c) / semi| = 1 for t.

    t is measured from the plane y = 0; measured from the distant tube, float32 would lose digits.
    """
    offsets = rays.offsets(one.center)
    a = b = torch.zeros_like(directions[0])
    c = torch.full_like(directions[0], -1.0)
    for axis, semi in zip(one.axes, one.semi, strict=True):
        if math.isinf(semi):
            continue
        along, start = sum_of(directions, axis) / semi, sum_of(offsets, axis) / semi
        a, b, c = a + along * along, b + along * start, c + start * start
    a = a.clamp(min=1e-12)
    nearest = -b / a
    if one.thread[1]:
        # With a thread the surface is where the quadratic form is room^2 instead of 1.
        room = 1 + _ridges(one, offsets, directions, nearest)
        c = c + 1 - room * room
    root = b * b - a * c
    half = torch.where(root > 0, root.clamp(min=0).sqrt() / a, torch.full_like(a, -_FAR))
    return nearest - half, nearest + half


def _ridges(one: Quadric, offsets: Vectors, directions: Vectors, nearest: Tensor) -> Tensor:
    """Share [H,W] by which the thread widens the cylinder at the height where the ray is nearest to its axis."""
    pitch, depth = one.thread
    along = sum_of(offsets, one.axes[2]) + nearest * sum_of(directions, one.axes[2])
    saw = (along / pitch).remainder(1.0)
    return depth / one.semi[0] * (1 - 2 * (saw - 0.5).abs())


def sum_of(vectors: Vectors, axis: Vector) -> Tensor:
    """Scalar products [H,W] of vectors with one vector."""
    return vectors[0] * axis[0] + vectors[1] * axis[1] + vectors[2] * axis[2]


def frame_along(direction: Vector) -> tuple[Vector, Vector, Vector]:
    """Three orthogonal unit vectors; the third is along ``direction``."""
    third = torch.nn.functional.normalize(torch.tensor(direction, dtype=torch.float64), dim=0)
    helper = torch.tensor((0.0, 1.0, 0.0) if abs(float(third[1])) < 0.9 else (1.0, 0.0, 0.0), dtype=torch.float64)
    first = torch.nn.functional.normalize(torch.linalg.cross(helper, third), dim=0)
    second = torch.linalg.cross(third, first)
    vectors = [tuple(vector.tolist()) for vector in (first, second, third)]
    return vectors[0], vectors[1], vectors[2]


def rod(
    start: Vector, end: Vector, radius: float, attenuation: float, thread: tuple[float, float] = (0.0, 0.0)
) -> Body:
    """A round rod.

    Args:
        start: middle of one end.
        end: middle of the other end.
        radius: radius of the rod, or of the core of a screw.
        attenuation: linear attenuation coefficient in 1/mm.
        thread: (pitch, depth) of a screw thread in mm; (0, 0) for a smooth rod.
    """
    middle, direction, length = _between_points(start, end)
    axes = frame_along(direction)
    side = Quadric(middle, axes, (radius, radius, math.inf), thread)
    ball = math.hypot(length / 2, radius + thread[1])
    return Body((side, Slab(middle, axes[2], length / 2)), middle, ball, attenuation)


def block(center: Vector, axes: tuple[Vector, Vector, Vector], half: Vector, attenuation: float) -> Body:
    """A cuboid; ``half`` are its half edges in mm along the three orthogonal unit vectors ``axes``."""
    sides = tuple(Slab(center, axis, edge) for axis, edge in zip(axes, half, strict=True))
    return Body(sides, center, math.hypot(*half), attenuation)


def ellipsoid(center: Vector, semi: Vector) -> Quadric:
    """An ellipsoid with its axes along x, y and z; ``semi`` are the semi-axes in mm."""
    return Quadric(center, UPRIGHT, semi)


UPRIGHT: Final[tuple[Vector, Vector, Vector]] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def _between_points(start: Vector, end: Vector) -> tuple[Vector, Vector, float]:
    """Middle, direction and distance of two points."""
    difference = tuple(b - a for a, b in zip(start, end, strict=True))
    length = math.hypot(*difference)
    middle = tuple((a + b) / 2 for a, b in zip(start, end, strict=True))
    return (  # type: ignore[return-value]
        (middle[0], middle[1], middle[2]),
        tuple(part / length for part in difference),
        length,
    )
