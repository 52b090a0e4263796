"""Rotations and planes, and the numbers that tell a network of them (X-Diffusion, section 3.2).

The frame is the cube's: x along columns, y along rows, z along slices, origin in its middle, and lengths in halves of
its side, so that the cube is [-1,1]^3. Depth d of a section is a length as well. A rotation R turns the volume: section
d of R X holds, at column x and row y, the value of X at R^T (x, y, d).

A *place* is the plane of a section, ten numbers: R row by row, and d. A *pose* is the place of a slice that is given,
and a one behind it; eleven zeros stand for no slice.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import torch
from torch import Tensor

PLACE_NUMBERS: Final = 10
POSE_NUMBERS: Final = PLACE_NUMBERS + 1

AXES: Final = ("slices", "rows", "columns")
"""The three planes of the paper by the axis of the volume [S,H,W] that they are counted along: coronal, axial, sagittal
for a coronal series."""


def random_rotations(count: int, rng: np.random.Generator) -> Tensor:
    """Rotations [count,3,3], uniform on SO(3): from normal quaternions (X-Diffusion, Eq. 2)."""
    w, x, y, z = torch.nn.functional.normalize(torch.from_numpy(rng.normal(size=(4, count))), dim=0)
    entries = [
        1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
        2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(entries, dim=1).reshape(count, 3, 3).float()


def azimuth(degrees: float) -> Tensor:
    """Rotation [3,3] about the vertical axis (0,1,0), R_azim of section 3.2; quarter turns are exact."""
    cos, sin = _exact(degrees)
    return torch.tensor([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])


def plane_rotation(axis: int) -> Tensor:
    """The rotation [3,3] whose sections are counted along an axis of the volume [S,H,W]: 0, 1 or 2.

    Section d is then the volume's at index d of that axis, for axes 1 and 2 with one side mirrored, because a rotation
    cannot exchange two axes alone.
    """
    cos, sin = _exact(90)
    return (
        torch.eye(3),
        torch.tensor([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]]),
        azimuth(-90),
    )[axis]


def plane_axis(rotation: Tensor) -> Tensor:
    """The axis [B] of the volume [S,H,W] that sections of rotations [B,3,3] are counted along, or the nearest one."""
    return 2 - rotation[:, 2].abs().argmax(dim=1)  # the last row is R^T (0, 0, 1), as x, y, z


def ticks(size: int) -> Tensor:
    """Centers [size] of ``size`` equal parts of [-1,1]: of pixels along a side, and depths d of a volume's sections."""
    return (2 * torch.arange(size, dtype=torch.float32) + 1) / size - 1


def places(rotation: Tensor, depth: Tensor) -> Tensor:
    """Places [B,10] of rotations [B,3,3] and depths [B]."""
    return torch.cat([rotation.flatten(1), depth[:, None]], dim=1)


def view_places(rotation: Tensor, size: int) -> Tensor:
    """Places [size,10] of all sections of a view in the direction of a rotation [3,3], by d = 1..D of Eq. 3."""
    return places(rotation.expand(size, 3, 3), ticks(size).to(rotation))


def split_places(place: Tensor) -> tuple[Tensor, Tensor]:
    """Rotations [...,3,3] and depths [...] of places or poses [...,10 or 11]."""
    return place[..., :9].unflatten(-1, (3, 3)), place[..., 9]


def section_grid(place: Tensor, size: int) -> Tensor:
    """Where the pixels of sections lie in the cube: (x, y, z) [B,size,size,3] of places [B,10]."""
    rotation, depth = split_places(place)
    middle = ticks(size).to(place)
    y, x = torch.meshgrid(middle, middle, indexing="ij")
    in_plane = torch.einsum("hwi,bij->bhwj", torch.stack([x, y], dim=-1), rotation[:, :2])  # R^T (x, y, 0)
    return in_plane + (depth[:, None] * rotation[:, 2])[:, None, None]


def poses(place: Tensor) -> Tensor:
    """Poses [...,11] of slices that lie at places [...,10]."""
    return torch.cat([place, torch.ones_like(place[..., :1])], dim=-1)


def _exact(degrees: float) -> tuple[float, float]:
    """Cosine and sine, exact at quarter turns."""
    turned = degrees % 360
    if turned % 90 == 0:
        return ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(turned // 90)]
    return math.cos(math.radians(turned)), math.sin(math.radians(turned))
