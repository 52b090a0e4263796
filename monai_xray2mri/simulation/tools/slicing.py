"""Fields and smooth noise that are read one slice of an image at a time.

A slice is computed from the grid and its own number alone, never from its neighbors in memory: it has the same bits
whether the whole volume is made or this slice only. One slice also fits into the cache of a processor, which makes a
volume faster slice by slice than at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.simulation.tools.lattice import Field, Grid, Lattice, Window, cubic_weights
from monai_xray2mri.simulation.tools.noise import NOISE_GAIN, spline_weights

Box = tuple[slice, slice]
"""Rows and columns of a slice."""
_TAPS: Final = 4
"""Knots along one axis that both kinds of interpolation read for one point."""


@dataclass(frozen=True)
class Layout:
    """How the points of a coarse lattice carry their values onto the grid of an image.

    Attributes:
        size: n_z and n_x of the lattice.
        first: for each slice the index along y of the first of the values that it reads.
        along_y: for each slice the weights [1,4] of these values.
        along_z: [Z,n_z] weights of the rows.
        along_x: [n_x,X] weights of the columns.
        window: index box of the grid inside which the values are known.
        ends: for rows and columns, before which of them each point of the lattice lies, from -1 to n; int [n+2].
    """

    size: tuple[int, int]
    first: tuple[int, ...]
    along_y: tuple[Tensor, ...]
    along_z: Tensor
    along_x: Tensor
    window: Window
    ends: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(cls, weights: Sequence[Tensor], places: Sequence[Tensor], window: Window, device: torch.device) -> Layout:
        """A layout from weights.

        Args:
            weights: [Y,n_y], [Z,n_z] and [X,n_x].
            places: rows [Z] and columns [X] in steps of the lattice.
            window: see above.
            device: where they shall be.
        """
        count = weights[0].shape[1]
        taps = min(_TAPS, count)
        first = (weights[0] != 0).int().argmax(1).clamp(max=count - taps)
        along_y = weights[0].gather(1, first[:, None] + torch.arange(taps))
        return cls(
            size=(weights[1].shape[1], weights[2].shape[1]),
            first=tuple(first.tolist()),
            along_y=along_y[:, None].to(device).unbind(0),
            along_z=weights[1].to(device),
            along_x=weights[2].T.contiguous().to(device),
            window=window,
            ends=(_ends(places[0].numpy(), weights[1].shape[1]), _ends(places[1].numpy(), weights[2].shape[1])),
        )


class Slicer:
    """Lays fields and noise onto the slices of one image.

    Args:
        grid: the image.
        device: where values shall be.
    """

    def __init__(self, grid: Grid, device: torch.device) -> None:
        self._grid, self._device = grid, device
        self._layouts: dict[Lattice, Layout] = {}

    def field(self, field: Field) -> SlicedField:
        """A field, interpolated by cubic convolution as :meth:`Field.at` does."""
        if field.lattice not in self._layouts:
            self._layouts[field.lattice] = self._layout(field.lattice)
        return SlicedField(field.values.flatten(1).contiguous(), self._layouts[field.lattice])

    def _layout(self, lattice: Lattice) -> Layout:
        grid = self._grid
        weights = [cubic_weights(axis, lattice, n) for axis, n in ((grid.y, 1), (grid.z, 2), (grid.x, 0))]
        places = [(axis - lattice.low[n]) / lattice.step for axis, n in ((grid.z, 2), (grid.x, 0))]
        return Layout.of(weights, places, grid.window(*lattice.ranges), self._device)

    def noise(self, knots: Tensor, knot_mm: tuple[float, float, float]) -> SlicedField:
        """Smooth noise of knots [K,K,K], about standard normal, as :func:`smooth_noise` makes it.

        Args:
            knots: standard normal numbers.
            knot_mm: distance of the knots along (y, z, x).
        """
        middle = (knots.shape[-1] - 1) / 2
        axes = self._grid.y, self._grid.z, self._grid.x
        positions = [axis / step + middle for axis, step in zip(axes, knot_mm, strict=True)]
        weights = [spline_weights(position, knots.shape[-1]) for position in positions]
        used = [_used(weight) for weight in weights]
        layout = Layout.of(
            [weight[:, part] for weight, part in zip(weights, used, strict=True)],
            [position - part.start for position, part in zip(positions[1:], used[1:], strict=True)],
            (slice(0, len(axes[0])), slice(0, len(axes[1])), slice(0, len(axes[2]))),
            self._device,
        )
        values = NOISE_GAIN * knots[used[0], used[1], used[2]].to(self._device)
        return SlicedField(values.flatten(1).contiguous(), layout)


@dataclass(frozen=True)
class SlicedField:
    """Values on a coarse lattice that are read slice by slice.

    Attributes:
        values: [n_y,n_z*n_x].
        layout: how they lie in the image.
    """

    values: Tensor
    layout: Layout

    def plane(self, number: int) -> Tensor:
        """Values [n_z,n_x] in the plane of a slice, on the lattice."""
        start, weights = self.layout.first[number], self.layout.along_y[number]
        return (weights @ self.values[start : start + weights.shape[1]]).view(self.layout.size)

    def slope(self, number: int) -> Tensor:
        """By how much the values [n_z,n_x] around the plane of a slice change from one lattice point to the next."""
        middle = self.layout.first[number] + self.layout.along_y[number].shape[1] // 2
        return (self.values[middle] - self.values[middle - 1]).abs_().view(self.layout.size)

    def read(self, number: int, box: Box) -> Tensor:
        """Values [1,rows,columns] of a slice inside a box of it."""
        return self.shown(self.plane(number), box)

    def shown(self, plane: Tensor, box: Box) -> Tensor:
        """What :meth:`plane` gave, or a function of it, inside a box of the image: [1,rows,columns]."""
        return (self.layout.along_z[box[0]] @ plane @ self.layout.along_x[:, box[1]])[None]

    def box(self, number: int, columns: slice) -> Box | None:
        """Rows and columns of a slice where the field is known, of some columns only; None if there are none."""
        if not self.layout.window[0].start <= number < self.layout.window[0].stop:
            return None
        return _nonempty(self.layout.window[1], _common(self.layout.window[2], columns))

    def near(self, plane: Tensor, box: Box, reach: float) -> Box | None:
        """The part of a box outside which no value lies below ``reach``; None if there is none.

        Args:
            plane: what :meth:`plane` gave: signed distances.
            box: what :meth:`box` gave.
            reach: in the unit of the values.
        """
        low = (plane < reach).cpu().numpy()
        found = []
        for along, ends, part in ((low.any(1), self.layout.ends[0], box[0]), (low.any(0), self.layout.ends[1], box[1])):
            hit = np.flatnonzero(along)
            if not len(hit):
                return None
            found.append(_common(_spanned(ends, hit[0], hit[-1]), part))
        return _nonempty(*found)


def _spanned(ends: np.ndarray, first: int, last: int) -> slice:
    """Points of the grid between the neighbors of two points of the lattice, the outer ones left out."""
    one, other = ends[first], ends[last + 2]
    return slice(int(one), int(other)) if one <= other else slice(int(other), int(one))


def _ends(place: np.ndarray, count: int) -> np.ndarray:
    """Before which point [count+2] of a grid each point of the lattice lies, from -1 to ``count``."""
    lattice = np.arange(-1, count + 1)
    rising = place[-1] >= place[0]
    return np.searchsorted(place, lattice) if rising else len(place) - np.searchsorted(place[::-1], lattice)


def _used(weights: Tensor) -> slice:
    """The knots that any point reads."""
    found = torch.nonzero((weights != 0).any(0)).flatten()
    return slice(int(found[0]), int(found[-1]) + 1)


def _common(one: slice, other: slice) -> slice:
    return slice(max(one.start, other.start), min(one.stop, other.stop))


def _nonempty(rows: slice, columns: slice) -> Box | None:
    return None if rows.stop <= rows.start or columns.stop <= columns.start else (rows, columns)
