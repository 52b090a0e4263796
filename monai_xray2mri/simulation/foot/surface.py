"""The surface of a foot as a camera above it sees it: positions, normals, shade."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from monai_xray2mri.simulation.foot.frame import CAMERA_MM, FootFrame
from monai_xray2mri.simulation.tools.lattice import Field
from monai_xray2mri.simulation.tools.primitives import smoothstep

_STEPS: Final = 32
_FINE_STEPS: Final = 9
_LIFT_MM: Final = 1.5
_SHARE_OF_STEP: Final = 0.9
_SHADOW_STEPS: Final = 7
_SHADOW_MM: Final = 9.0


@dataclass(frozen=True)
class SeenSurface:
    """What each pixel of a photograph sees.

    Attributes:
        position: [N,N,3] (x, y, z) in mm; on the floor, y is 0.
        normal: [N,N,3] unit vectors; up on the floor.
        foot: [N,N] share of the pixel that the foot covers, 0 to 1.
        openness: [N,N] how much of the light from all sides arrives, 0 to 1.
    """

    position: Tensor
    normal: Tensor
    foot: Tensor
    openness: Tensor


class SurfaceReader:
    """A signed distance that is read at any point.

    Args:
        field: in mm, negative inside.
    """

    def __init__(self, field: Field) -> None:
        values = field.values  # [Y,Z,X]
        slopes = torch.gradient(values, spacing=field.lattice.step)  # along y, z, x
        self._values = torch.stack((values, slopes[2], slopes[0], slopes[1]))[None]
        self._low = torch.tensor(field.lattice.low)
        self._span = torch.tensor([high - low for low, high in field.lattice.ranges])

    def at(self, points: Tensor, channels: slice = slice(0, 1)) -> Tensor:
        """Values [C,N,M] at points [N,M,3] (x, y, z): distance (0), slopes along x, y, z (1 to 3)."""
        place = 2 * (points - self._low) / self._span - 1  # x, y, z
        order = place[..., (0, 2, 1)]  # of grid_sample over [Y,Z,X]
        found = F.grid_sample(
            self._values[:, channels], order[None, None], mode="bilinear", padding_mode="border", align_corners=True
        )
        return found[0, :, 0]


def see_surface(field: Field, frame: FootFrame, finer: int = 1) -> SeenSurface:
    """Follow the rays of a camera down to a surface or to the floor.

    Args:
        field: signed distance in mm.
        frame: of the photograph.
        finer: pixels for each pixel of the frame, along rows and columns.
    """
    reader = SurfaceReader(field)
    top = field.lattice.ranges[1][1]
    coarse = torch.full((frame.size, frame.size), top)
    height = _descend(reader, frame, 1, coarse, _STEPS)[..., 1]
    # A finer ray begins a little above what its neighbors found, so that it misses no edge.
    start = F.max_pool2d(height[None], 3, stride=1, padding=1)[0] + _LIFT_MM
    start = F.interpolate(start[None, None], scale_factor=finer, mode="nearest")[0, 0].clamp(max=top)
    position = _descend(reader, frame, finer, start, _FINE_STEPS)
    slopes = reader.at(position, slice(0, 4))
    distance, normal = slopes[0], F.normalize(slopes[1:].movedim(0, -1), dim=-1)
    near = ((1.6 - distance) / 1.0).clamp(0, 1) * (position[..., 1] > 0.3)
    foot = torch.maximum(near, smoothstep(position[..., 1], 3.0, 6.0))  # a ray that grazes the leg stops short of it
    normal = torch.lerp(torch.tensor((0.0, 1.0, 0.0)).expand_as(normal), normal, foot[..., None])
    return SeenSurface(position, normal, foot, _coarsely(_openness, reader, position, normal))


def _descend(reader: SurfaceReader, frame: FootFrame, finer: int, start: Tensor, steps: int) -> Tensor:
    """Positions [N,N,3] where rays from heights ``start`` [N,N] meet the surface or the floor."""
    heights = torch.tensor((0.0, CAMERA_MM / 2))
    grid = frame.camera_grid(heights, finer)
    floor = torch.stack(torch.broadcast_tensors(grid.x[0][None], torch.zeros(()), grid.z[0][:, None]), -1)
    above = torch.stack(torch.broadcast_tensors(grid.x[1][None], heights[1], grid.z[1][:, None]), -1)
    down = F.normalize(floor - above, dim=-1)
    position = floor + (above - floor) * (start / heights[1])[..., None]
    for _ in range(steps):
        position = position + (_SHARE_OF_STEP * reader.at(position)[0])[..., None] * down
        position = torch.where(position[..., 1:2] < 0, floor, position)
    return position


def lit(field: Field, seen: SeenSurface, light: Tensor) -> Tensor:
    """Share [N,N] of a light that arrives past the foot: soft shadows.

    Args:
        field: signed distance in mm.
        seen: what the pixels see.
        light: [3] unit vector towards the light.
    """

    def arriving(reader: SurfaceReader, position: Tensor, normal: Tensor) -> Tensor:
        arrives = torch.ones(position.shape[:2])
        for step in range(1, _SHADOW_STEPS + 1):
            way = step * _SHADOW_MM
            distance = reader.at(position + normal * 1.5 + way * light)[0]
            arrives = torch.minimum(arrives, (0.5 + distance / (0.35 * way)).clamp(0, 1))
        return arrives

    return _coarsely(arriving, SurfaceReader(field), seen.position, seen.normal)


def _coarsely(
    shade: Callable[[SurfaceReader, Tensor, Tensor], Tensor], reader: SurfaceReader, position: Tensor, normal: Tensor
) -> Tensor:
    """A soft shade [N,N] of positions and normals [N,N,3], computed for every second pixel along rows and columns."""
    small = shade(reader, position[::2, ::2], normal[::2, ::2])
    return F.interpolate(small[None, None], position.shape[:2], mode="bilinear", align_corners=False)[0, 0]


def _openness(reader: SurfaceReader, position: Tensor, normal: Tensor) -> Tensor:
    """How open the surroundings are: the distance of the surface from points above it, over their height."""
    closed = torch.zeros(position.shape[:2])
    for height, weight in ((3.0, 0.5), (8.0, 0.35), (18.0, 0.25)):
        distance = reader.at(position + height * normal)[0]
        closed = closed + weight * (1 - distance / height).clamp(0, 1)
    return (1 - closed).clamp(0.08, 1)
