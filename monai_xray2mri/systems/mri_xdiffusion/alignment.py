"""What the input slices show beneath and above a target plane: kind ``aligned`` of a condition, ours.

The paper lays the input slice beside the noisy section, pixel on pixel, although the two lie in different planes. Here
each pixel of the target plane is given what the nearest input slices show at its foot point on them, with its signed
distance from them. From the same samples follows a first guess of the section.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_xray2mri.systems.mri_xdiffusion.planes import section_grid, split_places

NEAR = 1 / 8
"""Distance, in halves of the cube's side, at which closeness has fallen to 1 / e."""


class AlignedSlices(nn.Module):
    """Input slices, sampled at the foot points of a target plane.

    Which slices are nearest is decided for each cell of the latent. Channels, for each of ``nearest`` slices: the
    latent of what it shows, the signed distance, and its closeness exp(-|distance| / ``NEAR``), which is 0 where there
    is no slice.

    Args:
        latent_channels: C of a slice's latent.
        fold: pixels per side that are folded into these channels; 1 samples the latent itself.
        nearest: M, slices that a pixel is given.
    """

    def __init__(self, latent_channels: int, fold: int = 1, nearest: int = 2) -> None:
        super().__init__()
        self.fold, self.nearest = fold, nearest
        self.channels = nearest * (latent_channels + 2)

    def forward(self, latents: Tensor, poses: Tensor, place: Tensor) -> Tensor:
        """Latents [B,K,C,h,w] and poses [B,K,11] of slices, places [B,10] of targets: [B,M*(C+2),h,w]."""
        return self.channels_of(*self.nearest_to(latents, poses, place))

    def channels_of(self, values: Tensor, distance: Tensor, missing: Tensor) -> Tensor:
        """What is nearest, as the channels that lie beside the noisy latent: [B,M*(C+2),h,w]."""
        closeness = _closeness(distance, missing)
        found = torch.cat([values, distance[:, :, None], closeness[:, :, None]], dim=2).flatten(1, 2)
        return F.pad(found, (0, 0, 0, 0, 0, self.channels - found.shape[1]))

    def nearest_to(self, latents: Tensor, poses: Tensor, place: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The slices nearest to each cell, at most M, the nearest first.

        Returns:
            What they show, latents [B,M,C,h,w]; their signed distances [B,M,h,w], in halves of the cube's side; and
            where there is none, [B,M,h,w]. Values and distances are 0 there.
        """
        height = latents.shape[-1]
        chosen = min(self.nearest, latents.shape[1])
        rotation, depth = split_places(poses)
        normal = rotation[..., 2, :]  # [B,K,3]
        cells = section_grid(place, height)  # [B,h,w,3]
        signed = torch.einsum("bki,bhwi->bkhw", normal, cells) - depth[..., None, None]
        absent = poses[..., -1, None, None] == 0
        order = torch.where(absent, torch.inf, signed.abs()).topk(chosen, dim=1, largest=False).indices  # [B,M,h,w]
        distance, missing = signed.gather(1, order), absent.expand_as(signed).gather(1, order)
        values = self._values(latents, rotation, order, place).masked_fill(missing[:, :, None], 0)  # [B,M,C,h,w]
        return values, distance.masked_fill(missing, 0), missing

    def _values(self, latents: Tensor, rotation: Tensor, order: Tensor, place: Tensor) -> Tensor:
        """What slices ``order`` [B,M,h,w] show at their foot points: [B,M,C,h,w]."""
        number, height = latents.shape[1], latents.shape[3]
        fine = F.pixel_shuffle(latents, self.fold).transpose(1, 2)  # [B,C/f^2,K,H,W]
        in_plane = rotation[..., :2, :].flatten(2)  # [B,K,6]
        rows = in_plane.gather(1, order.flatten(1)[..., None].expand(-1, -1, 6)).unflatten(1, order.shape[1:])
        rows = self._spread(rows.unflatten(-1, (2, 3)))  # [B,M,H,W,2,3]
        points = section_grid(place, height * self.fold)  # [B,H,W,3]
        feet = (rows * points[:, None, :, :, None]).sum(dim=-1)  # [B,M,H,W,2], x and y on the slice
        which = (2 * self._spread(order) + 1).to(feet) / number - 1
        grid = torch.cat([feet, which[..., None]], dim=-1)
        sampled = F.grid_sample(fine, grid, padding_mode="zeros", align_corners=False)  # [B,C/f^2,M,H,W]
        return F.pixel_unshuffle(sampled.transpose(1, 2), self.fold)

    def _spread(self, cells: Tensor) -> Tensor:
        """[B,M,h,w,...] to [B,M,H,W,...]."""
        if self.fold == 1:
            return cells
        return cells.repeat_interleave(self.fold, dim=2).repeat_interleave(self.fold, dim=3)


def first_guess(values: Tensor, distance: Tensor, missing: Tensor) -> Tensor:
    """A guess [B,C,h,w] of a section: what the nearest slices show, weighed by their distances alone.

    Between two slices that lie on either side it is linear interpolation. Elsewhere it is the nearest slice, less the
    farther away: times 1 / (1 + distance), between what fits best along the three axes of simulated knees.

    Args:
        values: what the nearest slices show, [B,M,C,h,w]; see :meth:`AlignedSlices.nearest_to`.
        distance: their signed distances, [B,M,h,w], the nearest first.
        missing: where there is none, [B,M,h,w].
    """
    first = distance[:, 0]
    weight = 1 / (1 + first.abs())
    guess = values[:, 0] * weight.masked_fill(missing[:, 0], 0)[:, None]
    if distance.shape[1] == 1:
        return guess
    second = distance[:, 1]
    between = (first * second < 0) & ~missing[:, 1]
    share = (first.abs() / (first.abs() + second.abs()).clamp(min=1e-6))[:, None]
    return torch.where(between[:, None], (1 - share) * values[:, 0] + share * values[:, 1], guess)


def _closeness(distance: Tensor, missing: Tensor) -> Tensor:
    return (-distance.abs() / NEAR).exp().masked_fill(missing, 0)
