"""Mixing along depth: neighboring slices of one volume hear each other behind chosen blocks of a U-Net of slices.

A network of slices draws each of them on its own; nothing but the noise holds a volume together. :class:`DepthMixing`
adds to the features of a slice what those of its neighbors have more or less of, a convolution along depth of low rank.
Its taps lie at distances in mm, so that it means the same for every spacing of slices:

- tap k of 2 n lies at k times ``tap_mm``, k = -n..n without 0;
- a neighbor between two taps has a weight between theirs (linear), one at ``reach_mm`` = (n + 1) ``tap_mm`` or beyond
  has none;
- where slices lie closer than the taps, a tap takes the mean of its neighbors; where there are none (the ends of a
  volume, slices farther apart than ``reach_mm``), it adds nothing.

The last layer begins with zeros, so that a network with mixing draws at first what it drew without. Attention along
depth that is added to a trained network of images in this way: Blattmann et al., "Align your latents", CVPR 2023.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_STEPS_PER_TAP: Final = 10_000
"""Distances are rounded to this part of a tap's, so that rounding of depths makes no neighbors."""


class DepthMixing(nn.Module):
    """Mixing along depth behind some blocks of a U-Net.

    Args:
        widths: channels behind each block, by its name: ``down_0`` ..., ``mid``, ``up_0`` ...
        embedding: width E of the time embedding.
        blocks: names of the blocks behind which slices are mixed, each once.
        rank: channels that are mixed.
        tap_mm: distance of the taps from each other in mm.
        taps: taps n on each side.

    Raises:
        ValueError: no block, one that is not there or named twice, or a number that is not positive.
    """

    def __init__(
        self,
        widths: Mapping[str, int],
        embedding: int,
        *,
        blocks: Sequence[str],
        rank: int = 16,
        tap_mm: float = 1.5,
        taps: int = 2,
    ) -> None:
        super().__init__()
        if not blocks or len(set(blocks)) < len(blocks) or not set(blocks) <= set(widths):
            given = ", ".join(blocks) or "none"
            raise ValueError(f"blocks must be some of {', '.join(widths)}, each once, got {given}")
        if not (rank >= 1 and taps >= 1 and tap_mm > 0):
            raise ValueError(f"rank, taps and tap_mm must be positive, got {rank}, {taps} and {tap_mm}")
        self.rank, self.tap_mm, self.taps = rank, float(tap_mm), taps
        self.blocks = nn.ModuleDict({name: _Mixed(widths[name], embedding, rank, 2 * taps) for name in blocks})

    @property
    def reach_mm(self) -> float:
        """Slices this far apart do not hear each other behind one block."""
        return (self.taps + 1) * self.tap_mm

    def record(self) -> dict[str, object]:
        """What tells of it to a user: blocks, channels, taps and reach."""
        return {
            "blocks": list(self.blocks),
            "rank": self.rank,
            "tap_mm": self.tap_mm,
            "taps": self.taps,
            "reach_mm": self.reach_mm,
        }

    def neighbors(self, depth_mm: Tensor, volume: Tensor | None = None) -> Tensor:
        """Weight of each slice at each tap of each other.

        Args:
            depth_mm: depths [S] of slices.
            volume: [S], which volume each belongs to; slices of two volumes are no neighbors. None: all of one.

        Returns:
            [2n,S,S]: how much of the slice of the last axis there is at a tap of the slice of the middle one.
        """
        apart = (depth_mm[None, :] - depth_mm[:, None]) / self.tap_mm  # [S,S]
        apart = (apart * _STEPS_PER_TAP).round() / _STEPS_PER_TAP
        places = [place for place in range(-self.taps, self.taps + 1) if place]
        weight = (1 - (apart[None] - apart.new_tensor(places)[:, None, None]).abs()).clamp(min=0)
        if volume is not None:
            weight = weight * (volume[None, :] == volume[:, None])
        return weight / weight.sum(dim=2, keepdim=True).clamp(min=1)

    def heard(self, neighbors: Tensor, rows: Tensor) -> Tensor:
        """Which slices [S] bool decide what the network gives for slices ``rows`` [S] bool.

        A slice hears its neighbors behind each block, and so theirs behind the block before.
        """
        near = (neighbors > 0).any(dim=0)  # [S,S]
        for _ in self.blocks:
            rows = rows | near[rows].any(dim=0)
        return rows

    def forward(self, name: str, hidden: Tensor, time: Tensor, neighbors: Tensor | None) -> Tensor:
        """Features [m*S,C,h,w] behind the block of a name, mixed if that is a chosen one.

        Args:
            name: of the block.
            hidden: features of m times the same slices.
            time: embedding [B,E] of the time step, B a number of times S; one time for all copies of a slice.
            neighbors: see :meth:`neighbors`; None: each slice stands alone.
        """
        if neighbors is None or name not in self.blocks:
            return hidden
        mixed: Tensor = self.blocks[name](hidden, time, neighbors)
        return mixed


class _Mixed(nn.Module):
    """Mixing behind one block."""

    def __init__(self, width: int, embedding: int, rank: int, taps: int) -> None:
        super().__init__()
        # Without weights, of which the layer behind has enough: where all before it is frozen, PyTorch 2.13's backward
        # pass of an affine normalization of channels-last images on a CPU ends in a segmentation fault.
        self.norm = nn.GroupNorm(1, width, affine=False)
        self.enter, self.leave = nn.Conv2d(width, rank, 1), nn.Conv2d(rank, width, 1)
        self.taps = nn.Parameter(torch.full((taps, rank), 1 / taps))
        self.gate = nn.Linear(embedding, rank)  # what noise hides of a slice its neighbors may show, at some noise
        for parameter in (*self.leave.parameters(), *self.gate.parameters()):
            nn.init.zeros_(parameter)

    def forward(self, hidden: Tensor, time: Tensor, neighbors: Tensor) -> Tensor:
        """[m*S,C,h,w], [B,E] and [2n,S,S] to [m*S,C,h,w]."""
        slices = neighbors.shape[2]
        low = F.silu(self.enter(self.norm(hidden))).unflatten(0, (-1, slices))  # [m,S,R,h,w]
        kernel = torch.einsum("kr,kst->rst", self.taps.to(neighbors), neighbors)
        kernel = kernel - torch.diag_embed(kernel.sum(dim=2))  # what a neighbor has more than the slice itself
        mixed = torch.einsum("rst,mtrhw->msrhw", kernel.to(low.dtype), low)
        mixed = mixed * (1 + self.gate(F.silu(time[:slices])))[:, :, None, None].to(low.dtype)
        return hidden + self.leave(mixed.flatten(0, 1)).to(hidden.dtype)
