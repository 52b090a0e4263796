"""Coarse lattices, fields of values on them, and the fine grids of images.

Arrays are laid out [Y,Z,X] (slice, row, column of a coronal volume). Signed distances are negative inside, in reference
millimetres. Shapes are computed on a coarse :class:`Lattice`, where warps and rotations are cheap. Three matrix
products then interpolate a :class:`Field` onto the fine :class:`Grid` of an image. A signed distance is smooth even
where its shape has an edge, so this is accurate, and a knee takes a fraction of a second.

Coordinates of grids and lattices stay on the CPU, so computing index boxes needs no synchronization with a GPU. Values
stay on the device where they were computed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Window = tuple[slice, slice, slice]
Range = tuple[float, float]
Place = tuple[float, float, float]
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Grid:
    """Coordinates of the sample points of an image in reference mm, on the CPU, evenly spaced on each axis.

    Attributes:
        y: [Y].
        z: [Z]; [Y,Z] for diverging rays, one row for each depth.
        x: [X]; [Y,X] for diverging rays.
    """

    y: Tensor
    z: Tensor
    x: Tensor

    @property
    def shape(self) -> tuple[int, int, int]:
        """Sizes (Y, Z, X)."""
        return len(self.y), self.z.shape[-1], self.x.shape[-1]

    @property
    def z_range(self) -> Range:
        """Lowest and highest z in mm."""
        return float(self.z.min()), float(self.z.max())

    def window(self, x: Range, y: Range, z: Range) -> Window:
        """Slices (y, z, x) of the sample points inside the given ranges in mm."""
        rows = _covered(self.y, y)
        inner = self.crop((rows, slice(None), slice(None)))
        return rows, _covered(inner.z, z), _covered(inner.x, x)

    def crop(self, window: Window) -> Grid:
        """The grid restricted to an index box."""
        rows, columns = ((axis if axis.dim() == 1 else axis[window[0]]) for axis in (self.z, self.x))
        return Grid(self.y[window[0]], rows[..., window[1]], columns[..., window[2]])

    def points(self, device: torch.device = CPU) -> Points:
        """Coordinates of the grid on a device, which broadcast to [Y,Z,X]."""
        z, x = (axis if axis.dim() == 2 else axis[None] for axis in (self.z, self.x))
        return Points(x[:, None, :].to(device), self.y[:, None, None].to(device), z[:, :, None].to(device))


@dataclass(frozen=True)
class Points:
    """Coordinates ``x``, ``y``, ``z`` in reference mm that broadcast to [Y,Z,X]."""

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

    def rolled(self, angle: float, pivot_x: float, pivot_y: float) -> Points:
        """Coordinates in a frame turned about a z-axis; a positive angle carries +x of that frame towards +y."""
        if angle == 0.0:
            return self
        cosine, sine = float(torch.cos(torch.tensor(angle))), float(torch.sin(torch.tensor(angle)))
        x, y = self.x - pivot_x, self.y - pivot_y
        return Points(cosine * x + sine * y + pivot_x, cosine * y - sine * x + pivot_y, self.z)

    def moved(self, x: Tensor | float = 0.0, y: Tensor | float = 0.0, z: Tensor | float = 0.0) -> Points:
        """Coordinates in a frame displaced by (x, y, z) mm."""
        return Points(self.x - x, self.y - y, self.z - z)


@dataclass(frozen=True)
class Lattice:
    """Coarse regular lattice.

    Attributes:
        low: position (x, y, z) of the first point in reference mm.
        step: distance between points in mm, the same on all axes.
        size: number of points (X, Y, Z).
    """

    low: Place
    step: float
    size: tuple[int, int, int]

    @classmethod
    def covering(cls, x: Range, y: Range, z: Range, step: float) -> Lattice:
        """The lattice that covers ranges in mm. Its points are multiples of ``step``, so lattices of one step match."""
        first = [round(low / step) for low, _ in (x, y, z)]
        last = [-(-high // step) for _, high in (x, y, z)]
        size = tuple(int(b - a) + 1 for a, b in zip(first, last, strict=True))
        return cls(tuple(step * a for a in first), step, size)  # type: ignore[arg-type]

    @property
    def ranges(self) -> tuple[Range, Range, Range]:
        """Ranges in mm along x, y and z."""
        ends = [low + self.step * (n - 1) for low, n in zip(self.low, self.size, strict=True)]
        return tuple(zip(self.low, ends, strict=True))  # type: ignore[return-value]

    def axis(self, number: int) -> Tensor:
        """Coordinates along x (0), y (1) or z (2), on the CPU."""
        return self.low[number] + self.step * torch.arange(self.size[number], dtype=torch.float32)

    def points(self, device: torch.device = CPU) -> Points:
        """Coordinates of the lattice on a device, which broadcast to [Y,Z,X]."""
        return Grid(self.axis(1), self.axis(2), self.axis(0)).points(device)


@dataclass(frozen=True)
class Field:
    """Values [Y,Z,X] on a lattice."""

    lattice: Lattice
    values: Tensor

    def window(self, grid: Grid) -> Window:
        """Index box of the points of a grid at which the field is defined."""
        return grid.window(*self.lattice.ranges)

    def at(self, grid: Grid) -> Tensor:
        """Values [Y,Z,X] at the points of a grid (usually one cropped to :meth:`window`), by cubic convolution."""
        device = self.values.device
        along_y, along_z, along_x = (
            cubic_weights(axis, self.lattice, number).to(device)
            for axis, number in ((grid.y, 1), (grid.z, 2), (grid.x, 0))
        )
        planes = (along_y @ self.values.flatten(1)).unflatten(1, self.values.shape[1:])  # [Y,z,x]
        return torch.matmul(torch.matmul(along_z, planes), along_x.transpose(-1, -2))


def cubic_weights(axis: Tensor, lattice: Lattice, number: int) -> Tensor:
    """Weights [...,N,n] of cubic convolution (Keys, IEEE Trans ASSP 29:1153, 1981).

    It interpolates, and its first derivative is continuous.
    """
    count = lattice.size[number]
    position = ((axis - lattice.low[number]) / lattice.step).clamp(0, count - 1)
    d = (position[..., None] - torch.arange(count, dtype=torch.float32)).abs()
    near = (1.5 * d - 2.5) * d * d + 1
    far = ((-0.5 * d + 2.5) * d - 4) * d + 2
    weights = torch.where(d < 1, near, torch.where(d < 2, far, 0.0))
    return weights / weights.sum(-1, keepdim=True)


def _covered(axis: Tensor, limits: Range) -> slice:
    inside = (axis >= limits[0]) & (axis <= limits[1])
    if inside.dim() == 2:
        inside = inside.any(0)
    found = torch.nonzero(inside).flatten()
    return slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0, 0)


@dataclass(frozen=True)
class HeightMap:
    """Heights [Y,X] of a surface over the points of a lattice seen from above, in reference mm."""

    lattice: Lattice
    values: Tensor

    def at(self, x: float, y: float) -> Tensor:
        """Height [] at one point, bilinear; the tensor stays on its device."""
        column = (x - self.lattice.low[0]) / self.lattice.step
        row = (y - self.lattice.low[1]) / self.lattice.step
        j = min(max(int(column), 0), self.lattice.size[0] - 2)
        i = min(max(int(row), 0), self.lattice.size[1] - 2)
        u, v = column - j, row - i
        part = self.values[i : i + 2, j : j + 2]
        upper = part[0, 0] * (1 - u) + part[0, 1] * u
        lower = part[1, 0] * (1 - u) + part[1, 1] * u
        return upper * (1 - v) + lower * v

    def window(self, x: Range, y: Range) -> tuple[slice, slice]:
        """Slices (y, x) of the points inside the given ranges in mm."""
        return _covered(self.lattice.axis(1), y), _covered(self.lattice.axis(0), x)


def upper_surface(distance: Field, otherwise: float) -> HeightMap:
    """Height of the highest point of a shape at each (y, x) of its lattice; ``otherwise`` where it has none."""
    flipped = _first_crossing(distance.values.flip(1), distance.lattice.step)
    top = distance.lattice.ranges[2][1]
    return HeightMap(distance.lattice, torch.where(torch.isinf(flipped), otherwise, top - flipped))


def lower_surface(distance: Field, otherwise: float) -> HeightMap:
    """Height of the lowest point of a shape at each (y, x) of its lattice; ``otherwise`` where it has none."""
    rise = _first_crossing(distance.values, distance.lattice.step)
    return HeightMap(distance.lattice, torch.where(torch.isinf(rise), otherwise, distance.lattice.low[2] + rise))


def _first_crossing(values: Tensor, step: float) -> Tensor:
    """Distance [Y,X] from row 0 to where values [Y,Z,X] first fall below 0 along z; infinite if they never do."""
    inside = values < 0
    first = inside.int().argmax(1, keepdim=True)
    before = (first - 1).clamp(min=0)
    low, high = values.gather(1, before), values.gather(1, first)
    share = torch.where(first > 0, low / (low - high).clamp(min=1e-6), 0.0)
    found = step * (before + share)
    return torch.where(inside.any(1, keepdim=True), found, torch.inf)[:, 0]
