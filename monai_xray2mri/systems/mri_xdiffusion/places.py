"""How a place and the poses of the input slices condition the denoiser (X-Diffusion, sections 3.2 and 4.4).

The paper replaces Zero-123's viewpoint by (R, d). Its released code knows three planes: one-hot axis and depth, four
numbers behind CLIP's 768, as Zero-123's projection takes them. Neither tells the network which slice it was given,
although that varies; here poses are told unless the opposite is asked for.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_xray2mri.networks.condition import DepthCode
from monai_xray2mri.systems.mri_xdiffusion.planes import PLACE_NUMBERS, POSE_NUMBERS, plane_axis, split_places

PLACE_WIDTHS: Final = {"axis": 4, "rotation": PLACE_NUMBERS}
"""Numbers of a place, by its kind; ``axis`` is the released code's."""


def place_numbers(place: Tensor, kind: str) -> Tensor:
    """What the network is told of places [B,10]: [B,4] or [B,10], depth last.

    ``axis``: one-hot axis of the volume that the section is counted along, the nearest one, and the depth along it.
    """
    if kind == "rotation":
        return place
    rotation, depth = split_places(place)
    axis = plane_axis(rotation)
    direction = rotation[torch.arange(len(place), device=place.device), 2, 2 - axis].sign()
    return torch.cat([F.one_hot(axis, 3).to(place), (direction * depth)[:, None]], dim=1)


def mean_pose(poses: Tensor) -> Tensor:
    """Mean pose [B,1,11] of the slices that are there, of [B,K,11]; zeros where none is."""
    present = poses[..., -1:].sum(dim=1, keepdim=True)
    mean: Tensor = poses.sum(dim=1, keepdim=True) / present.clamp(min=1)
    return mean


class PlacedContext(nn.Module):
    """Context tokens with their place, and with the pose of their slice, by one linear layer.

    It starts as Zero-123's ``cc_projection`` does, which changes no token: with the kind ``axis`` and 768 wide tokens
    it has that layer's 772 inputs.

    Args:
        width: of a token.
        place: numbers of a place.
        told: whether poses are told.
    """

    def __init__(self, width: int, place: int, told: bool) -> None:
        super().__init__()
        self.told = told
        self.projection = nn.Linear(width + place + (POSE_NUMBERS if told else 0), width)
        nn.init.eye_(self.projection.weight)
        nn.init.zeros_(self.projection.bias)

    def forward(self, context: Tensor, place: Tensor, poses: Tensor) -> Tensor:
        """Tokens [B,K*N,width] with places [B,P] and poses [B,K,11] of K slices: [B,K*N,width]."""
        number = context.shape[1]
        parts = [context, place[:, None].expand(-1, number, -1)]
        if self.told:
            parts.append(poses.repeat_interleave(number // poses.shape[1], dim=1))
        placed: Tensor = self.projection(torch.cat(parts, dim=2))
        return placed


class PlaceEmbedding(nn.Module):
    """Place and mean pose for the down path, added to the time embedding: [B,P] to [B,E].

    Small networks need it: they attend at their coarsest levels only.

    Args:
        numbers: P, the depth among them as number ``depth_at``.
        depth_at: see above.
        embedding: width E of the denoiser's time embedding.
        frequencies: of the depth code.
    """

    def __init__(self, numbers: int, depth_at: int, embedding: int, frequencies: int = 8) -> None:
        super().__init__()
        self.depth_at, self.code = depth_at, DepthCode(frequencies)
        self.mlp = nn.Sequential(
            nn.Linear(numbers + self.code.width, embedding), nn.SiLU(), nn.Linear(embedding, embedding)
        )

    def forward(self, numbers: Tensor) -> Tensor:
        """Embed them."""
        code = self.code((numbers[:, self.depth_at] + 1) / 2)
        embedded: Tensor = self.mlp(torch.cat([numbers, code], dim=1))
        return embedded
