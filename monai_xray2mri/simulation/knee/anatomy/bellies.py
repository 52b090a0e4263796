"""Bellies: tapering bands of oval cross-sections. Muscles, flat tendons and ligaments are described as such."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from monai_xray2mri.simulation.knee.anatomy.body import smooth_table
from monai_xray2mri.simulation.tools.lattice import Points
from monai_xray2mri.simulation.tools.primitives import ellipse

_TIP_MM: Final = 14.0
_FULL_MM: Final = 6.0
_ENDLESS_MM: Final = 100.0


@dataclass(frozen=True)
class Muscle:
    """One muscle belly.

    Attributes:
        name: anatomical name.
        course: rows (z, x, y, a, b, turn) by rising z: center (x, y), half width a across and b along. ``turn`` is
            the rotation of a in degrees, from medial to posterior. The belly ends with the rows.
        bend: curvature of the long side of a section in 1/mm; a positive one bends both ends to posterior or medial.
        tip_mm: length over which an end tapers.
    """

    name: str
    course: tuple[tuple[float, float, float, float, float, float], ...]
    bend: float = 0.0
    tip_mm: float = _TIP_MM


@dataclass(frozen=True)
class Ovals:
    """Cross-sections of a belly at some heights.

    Attributes:
        x, y: [1,Z,1] center in mm, in the leg's frame.
        across, along: [1,Z,1] half widths in mm.
        cosine, sine: [1,Z,1] of the turn of ``across`` from medial to posterior.
        beyond: [1,Z,1] mm by which a height lies above or below the belly, negative inside.
        bend: [1/mm] curvature of the long side.
        wide: whether ``across`` is the long side.
    """

    x: Tensor
    y: Tensor
    across: Tensor
    along: Tensor
    cosine: Tensor
    sine: Tensor
    beyond: Tensor
    bend: float
    wide: bool

    def distance(self, points: Points) -> Tensor:
        """Signed distance [Y,Z,X] in mm of the belly at points of the same heights, in the leg's frame."""
        u, v = points.x - self.x, points.y - self.y
        u, v = u * self.cosine + v * self.sine, v * self.cosine - u * self.sine
        if self.wide:
            v = v - self.bend * (u * u - 0.4 * self.across * self.across)
        else:
            u = u - self.bend * (v * v - 0.4 * self.along * self.along)
        return torch.maximum(ellipse(u, v, (self.across, self.along)), self.beyond)


def ovals(muscle: Muscle, z: Tensor, factor: float = 1.0, growth: Tensor | float = 0.0) -> Ovals:
    """The cross-sections of one belly.

    Args:
        muscle: the belly; an end within the image tapers to a tip.
        z: [1,Z,1] heights in reference mm.
        factor: factor on the half widths.
        growth: mm by which the belly grows where it is not thin.
    """
    heights = [row[0] for row in muscle.course]
    rows = smooth_table(z, heights, torch.tensor(muscle.course, device=z.device)[:, 1:])
    x, y, across, along, turn = rows.unbind(-1)
    tip = torch.ones_like(z)
    for beyond, end in ((z - heights[0], heights[0]), (heights[-1] - z, heights[-1])):
        if abs(end) < _ENDLESS_MM:
            tip = torch.minimum(tip, (beyond / muscle.tip_mm).clamp(0, 1).pow(0.65))
    across, along = (tip * (factor * half + growth * (half / _FULL_MM).clamp(max=1)) + 0.05 for half in (across, along))
    angle = torch.deg2rad(turn)
    beyond = torch.maximum(heights[0] - z, z - heights[-1])
    wide = sum(row[3] for row in muscle.course) >= sum(row[4] for row in muscle.course)
    return Ovals(x, y, across, along, angle.cos(), angle.sin(), beyond, muscle.bend, wide)
