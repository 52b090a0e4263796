"""Linear interpolation of the given slices: what a volume is without any knowledge of volumes."""

from __future__ import annotations

import torch
from torch import Tensor

from monai_xray2mri.systems.mri_xdiffusion.planes import split_places, ticks
from monai_xray2mri.systems.mri_xdiffusion.sections import turn

_ONE_AXIS = 1e-4
_NEAREST = 1e-3
"""Distance, in halves of the cube's side, below which a slice outweighs all others."""


def interpolated(slices: Tensor, place: Tensor, known: Tensor | None = None) -> Tensor:
    """The volume [D,D,D] between slices; beyond the outermost of an axis the outermost is repeated.

    Slices of one axis are interpolated along it. Where slices of several axes are given, the volumes of the axes are
    averaged, each with the inverse of the distance from its nearest slice for weight, so that every slice stays as it
    is.

    Args:
        slices: [K,D,D] in [0,1].
        place: of each, [K,10].
        known: which of their pixels are known, [K,D,D] bool, such as those within a ball; None: all. A pixel that no
            slice of an axis knows is 0 there.

    Raises:
        ValueError: no slice.
    """
    if not len(slices):
        raise ValueError("needs one slice at least, got none")
    seen = torch.ones_like(slices, dtype=torch.bool) if known is None else known
    rotation, depth = split_places(place)
    total, weights = slices.new_zeros(3 * slices.shape[-1:]), slices.new_zeros(3 * slices.shape[-1:])
    left = torch.ones(len(slices), dtype=torch.bool)
    while left.any():
        own = rotation[left.nonzero()[0, 0]]
        alike = left & ((rotation - own).abs().amax(dim=(1, 2)) < _ONE_AXIS)
        left &= ~alike
        stack, distance, there = _along(slices[alike], depth[alike], seen[alike])
        weight = there / (distance + _NEAREST)
        # Turned back apart, the weighted sum and its weights meet the other axes in the cube's own frame.
        total += turn(stack * weight, own.T)[0]
        weights += turn(weight, own.T)[0]
    return total / weights.clamp(min=1e-6)


def _along(slices: Tensor, depth: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A stack [D,D,D], each voxel's distance from its nearest known slice, and whether there is one.

    Args:
        slices: of one axis, [K,D,D].
        depth: [K].
        known: [K,D,D] bool.
    """
    order = depth.argsort()
    slices, depth, known = slices[order], depth[order], known[order]
    wanted = ticks(slices.shape[-1])
    below = _last_known(depth, known, torch.searchsorted(depth, wanted + 1e-5) - 1)
    flipped = _last_known(-depth.flip(0), known.flip(0), torch.searchsorted(-depth.flip(0), -wanted + 1e-5) - 1)
    above = torch.where(flipped >= 0, len(depth) - 1 - flipped, -1)
    there = (below >= 0) | (above >= 0)
    nearest_below, nearest_above = torch.where(below >= 0, below, above), torch.where(above >= 0, above, below)
    below, above = nearest_below.clamp(min=0), nearest_above.clamp(min=0)
    low, high = depth[below], depth[above]
    at = wanted[:, None, None].expand_as(low)
    share = ((at - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)
    stack = (1 - share) * slices.gather(0, below) + share * slices.gather(0, above)
    distance = torch.minimum((at - low).abs(), (at - high).abs())
    return stack * there, distance, there.float()


def _last_known(depth: Tensor, known: Tensor, upto: Tensor) -> Tensor:
    """Index [D,D,D] of the last slice up to ``upto`` [D] that knows a pixel; -1 where none does."""
    number = torch.arange(len(depth))[:, None, None].expand_as(known)
    last = torch.where(known, number, -1).cummax(dim=0).values  # [K,D,D]
    found = last[upto.clamp(min=0)]
    return torch.where(upto[:, None, None] >= 0, found, -1)
