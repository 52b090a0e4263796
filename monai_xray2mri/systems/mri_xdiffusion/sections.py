"""Cross-sections of volumes with masks of what was acquired, and the way back (X-Diffusion, Eq. 2 and 3).

The paper turns a volume within its array and pads with zeros, which loses what lies outside the inscribed ball: a
simulated knee that is turned and turned back keeps 23 dB. Here a section is sampled where it lies, and says which of
its pixels the volume really holds. Losses and averages count no others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from monai_xray2mri.systems.mri_xdiffusion.planes import section_grid, view_places

Corner = tuple[float, float, float]
"""(x, y, z) in halves of the cube's side."""

ROUNDING = 1e-5
"""Slack of a border, in halves of the cube's side."""


@dataclass(frozen=True)
class SampledVolume:
    """A volume on a regular grid within the cube.

    Its voxels need not be cubes, and it need not fill the cube: an anisotropic series is sampled as it is.

    Attributes:
        voxels: [S,H,W], any number type; values that are interpolated as they are.
        start: (x, y, z) of the outer edge of its first voxels.
        end: of its last ones.
        low: lowest (x, y, z) that was acquired; voxels beyond are padding.
        high: highest.
    """

    voxels: Tensor
    start: Corner = (-1.0, -1.0, -1.0)
    end: Corner = (1.0, 1.0, 1.0)
    low: Corner = (-1.0, -1.0, -1.0)
    high: Corner = (1.0, 1.0, 1.0)

    def sections(self, place: Tensor, pixels: int) -> tuple[Tensor, Tensor]:
        """Cross-sections by trilinear interpolation, nothing added between the last voxel's center and its edge.

        Args:
            place: of each, [B,10].
            pixels: per side of a section.

        Returns:
            [B,pixels,pixels] float32, 0 where nothing was acquired; and where it was, same shape, bool.
        """
        points = section_grid(place, pixels)  # [B,pixels,pixels,3]
        start, end, low, high = points.new_tensor([self.start, self.end, self.low, self.high])
        low, high = torch.maximum(start, low) - ROUNDING, torch.minimum(end, high) + ROUNDING
        known = ((points >= low) & (points <= high)).all(dim=-1)
        within = (2 * points - start - end) / (end - start)  # [-1,1] in the volume
        voxels = self.voxels.float()[None, None]
        # Batches lie along the first axis of the grid: one volume serves all.
        values = F.grid_sample(voxels, within[None], padding_mode="border", align_corners=False)[0, 0]
        return values * known, known


class SectionSource(Protocol):
    """Volumes that can be cut anywhere."""

    def __len__(self) -> int:
        """Number of volumes."""
        ...

    @property
    def acquired(self) -> np.ndarray:
        """Lowest and highest (x, y, z) that was acquired of each volume, [N,2,3], in halves of the cube's side."""
        ...

    def sections(self, volume: int, place: Tensor, pixels: int) -> tuple[Tensor, Tensor]:
        """Sections of a volume at places [S,10]: [S,pixels,pixels] in [0,1], and where they are known, bool."""
        ...


def turn(volume: Tensor, rotation: Tensor) -> tuple[Tensor, Tensor]:
    """R X: a volume [D,D,D] that fills the cube, turned by a rotation [3,3], and where it is known (same shape, bool).

    Its section d is cross-section d of X in the direction R. Turning by R^T is the way back of Eq. 3.
    """
    return SampledVolume(volume).sections(view_places(rotation, len(volume)), len(volume))


def slices_along(volume: Tensor, axis: int) -> Tensor:
    """The sections [D,D,D] of a volume [D,D,D] in the direction of ``plane_rotation(axis)``, without interpolation."""
    if axis == 0:
        return volume
    return volume.movedim(1, 0).flip(1) if axis == 1 else volume.movedim(2, 0).transpose(1, 2).flip(2)


def volume_along(sections: Tensor, axis: int) -> Tensor:
    """The volume [D,D,D] of which these are the sections: the way back from :func:`slices_along`."""
    if axis == 0:
        return sections
    return sections.flip(1).movedim(0, 1) if axis == 1 else sections.flip(2).transpose(1, 2).movedim(0, 2)


class ViewAverage:
    """The volume X of views X_R (X-Diffusion, Eq. 3 and section 3.2): the mean, or the maximum, of R^T X_R.

    A view counts where it was generated: corners of the cube that it does not reach keep what other views say. Memory
    does not depend on the number of views (Welford 1962).

    Args:
        size: D.
        aggregate: ``"mean"`` or ``"max"`` (Table V).

    Raises:
        ValueError: another aggregate.
    """

    def __init__(self, size: int, aggregate: str = "mean") -> None:
        if aggregate not in ("mean", "max"):
            raise ValueError(f"aggregate must be 'mean' or 'max', got {aggregate!r}")
        self.aggregate = aggregate
        self.count, self.mean, self.squares, self.highest = torch.zeros(4, size, size, size)

    def add(self, back: Tensor, known: Tensor) -> None:
        """Count a view that was turned back, [D,D,D] in [0,1], where it is known ([D,D,D] bool)."""
        self.count += known
        change = (back - self.mean) * known
        self.mean += change / self.count.clamp(min=1)
        self.squares += change * (back - self.mean)
        self.highest = torch.maximum(self.highest, back * known)

    def volume(self) -> Tensor:
        """X [D,D,D]; 0 where no view says anything."""
        return self.mean if self.aggregate == "mean" else self.highest

    def spread(self) -> Tensor:
        """Standard deviation [D,D,D] of the views, whatever the aggregate; 0 where fewer than two say anything."""
        return (self.squares / (self.count - 1).clamp(min=1)).clamp(min=0).sqrt()
