"""Surfaces of bones: lofted long bones and rounded blocks, each in a frame of its own.

Coordinates are in mm: x from medial to lateral, y from the floor upwards, z from heel to toes. Arrays are laid out
[Y,Z,X], so that rays run along the first axis and a film is [Z,X].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.simulation.tools.lattice import Points, Range
from monai_xray2mri.simulation.tools.primitives import ellipse, smooth_intersection, smooth_union

Vector = np.ndarray
Layers = tuple[Tensor, Tensor, Tensor]
"""Signed distance of a bone's surface in mm, negative inside; thickness of its cortex in mm; share of bone within."""
_LEAST_CAP: Final = 0.05
_BINS: Final = 512
_CORTEX_PLACES: Final = (0.0, 0.12, 0.35, 0.65, 0.88, 1.0)
_SPONGY_PLACES: Final = (0.0, 0.15, 0.38, 0.65, 0.85, 1.0)
_SHAFT_SHARE: Final = 0.25
"""Of a long bone's trabeculae: what is left in the middle of its shaft."""


@dataclass(frozen=True)
class Frame:
    """Where a bone lies.

    Attributes:
        origin: [3] (x, y, z) in mm.
        axes: [3,3] unit vectors across, up and along, in that order.
    """

    origin: Vector
    axes: Vector

    @classmethod
    def along(cls, start: Vector, end: Vector, roll_deg: float = 0.0) -> Frame:
        """The frame of a bone from ``start`` to ``end``; a positive roll turns its upper side medially."""
        along = (end - start) / np.linalg.norm(end - start)
        across = np.array((1.0, 0.0, 0.0)) - along[0] * along
        across /= np.linalg.norm(across)
        up = np.array((0.0, 1.0, 0.0))
        up = up - (up @ along) * along - (up @ across) * across
        up /= np.linalg.norm(up)
        roll = np.radians(roll_deg)
        turned = np.cos(roll) * across + np.sin(roll) * up, np.cos(roll) * up - np.sin(roll) * across
        return cls(start, np.stack((*turned, along)))

    def local(self, points: Points) -> Points:
        """Points in the frame: x across, y up, z along."""
        x, y, z = points.x - float(self.origin[0]), points.y - float(self.origin[1]), points.z - float(self.origin[2])
        rows = [[float(number) for number in axis] for axis in self.axes]
        return Points(*(a * x + b * y + c * z for a, b, c in rows))

    def world(self, across: float, up: float, along: float) -> Vector:
        """A point of the frame, [3] (x, y, z)."""
        place: Vector = self.origin + np.array((across, up, along)) @ self.axes
        return place


@dataclass(frozen=True)
class LongBone:
    """A bone with a shaft.

    Attributes:
        name: its name.
        frame: begins at its base; along its length.
        length: in mm.
        places: rising positions along it as shares of its length.
        across: half widths at these places in mm.
        up: half heights at these places in mm.
        caps: lengths over which base and head are rounded, in mm.
        bend: by how much the middle of the shaft lies up, in mm.
        knob: (across, up, along, radius) of a tuberosity in mm, or None.
        cortex: thickness of the cortex at its ends and in its middle, in mm.
        spongy: share of bone in its spongy ends.
    """

    name: str
    frame: Frame
    length: float
    places: Sequence[float]
    across: Sequence[float]
    up: Sequence[float]
    caps: tuple[float, float]
    bend: float = 0.0
    knob: tuple[float, float, float, float] | None = None
    cortex: tuple[float, float] = (0.45, 2.2)
    spongy: float = 0.13

    @property
    def reach(self) -> tuple[Vector, Vector]:
        """Corners (low, high) of a box around it, [3] each."""
        half = max(*self.across, *self.up) + abs(self.bend) + 1.0
        ends = np.stack((self.frame.origin, self.frame.world(0, 0, self.length)))
        more = self.knob[3] + 3 if self.knob else 0.0
        return ends.min(0) - half - more, ends.max(0) + half + more

    def layers(self, points: Points) -> Layers:
        """Signed distance, cortex and spongy bone at points."""
        own = self.frame.local(points)
        share = own.z / self.length
        wide, high, cortex, spongy = self._profiles[:, (share * _BINS).round_().clamp_(0, _BINS).long()]
        first, last = self.caps
        cap = _cap(own.z, first) * _cap(self.length - own.z, last)
        arc = self.bend * (4 * share * (1 - share)).clamp(min=0)
        side = ellipse(own.x, own.y - arc, (wide * cap, high * cap))
        found = smooth_intersection(side, torch.maximum(-own.z, own.z - self.length), 0.6)
        if self.knob:
            across, up, along, radius = self.knob
            ball = ((own.x - across).square() + (own.y - up).square() + (own.z - along).square()).sqrt() - radius
            found = smooth_union(found, ball, 4.0)
        return found, cortex, spongy

    @property
    def _profiles(self) -> Tensor:
        """Half width, half height, cortex and spongy bone [4,N] at evenly spaced places along the bone."""
        places = np.linspace(0, 1, _BINS + 1)
        ends, middle = self.cortex
        thickness = np.interp(places, _CORTEX_PLACES, (ends, 1.3 * ends, middle, middle, 1.3 * ends, ends))
        full, sparse = self.spongy, _SHAFT_SHARE * self.spongy
        share = np.interp(places, _SPONGY_PLACES, (full, full, sparse, sparse, full, full))
        rows = np.interp(places, self.places, self.across), np.interp(places, self.places, self.up), thickness, share
        return torch.tensor(np.stack(rows), dtype=torch.float32)


@dataclass(frozen=True)
class ShortBone:
    """A rounded block.

    Attributes:
        name: its name.
        frame: begins in its middle.
        semi: half sizes (across, up, along) in mm.
        corner: radius of its edges in mm.
        hollow: by how much its distal face is hollow (positive) or bulges (negative) across its width, in mm.
        back: the same of its proximal face; positive bulges.
        cortex: thickness in mm.
        spongy: share of bone inside.
    """

    name: str
    frame: Frame
    semi: tuple[float, float, float]
    corner: float
    hollow: float = 0.0
    back: float = 0.0
    cortex: float = 0.55
    spongy: float = 0.14

    @property
    def reach(self) -> tuple[Vector, Vector]:
        """Corners (low, high) of a box around it, [3] each."""
        half = np.abs(self.frame.axes.T) @ np.array(self.semi) + 1.0 + abs(self.hollow) + abs(self.back)
        return self.frame.origin - half, self.frame.origin + half

    def layers(self, points: Points) -> Layers:
        """Signed distance, cortex and spongy bone at points."""
        own = self.frame.local(points)
        off = 1 - (own.x / self.semi[0]).square()
        face = torch.where(own.z > 0, -self.hollow * off, -self.back * off).clamp(-8, 8)
        along = torch.where(own.z > 0, own.z - face, face - own.z)
        edges = [
            axis - (half - self.corner) for axis, half in zip((own.x.abs(), own.y.abs(), along), self.semi, strict=True)
        ]
        outside = sum((edge.clamp(min=0).square() for edge in edges[1:]), edges[0].clamp(min=0).square()).sqrt()
        inside = torch.maximum(torch.maximum(edges[0], edges[1]), edges[2]).clamp(max=0)
        return outside + inside - self.corner, torch.tensor(self.cortex), torch.tensor(self.spongy)


FootBone = LongBone | ShortBone


def box_of(bone: FootBone) -> tuple[Range, Range, Range]:
    """Ranges (x, y, z) in mm that hold a bone."""
    low, high = bone.reach
    return tuple((float(a), float(b)) for a, b in zip(low, high, strict=True))  # type: ignore[return-value]


def _cap(depth: Tensor, length: float) -> Tensor:
    """Factor on the half widths near an end, ``depth`` mm from it: half an ellipse of that length."""
    if length <= 0:
        return torch.ones((1, 1, 1))
    rest = (1 - depth / length).clamp(0, 1)
    return (1 - rest.square()).clamp(min=_LEAST_CAP**2).sqrt()
