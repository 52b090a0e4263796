"""What the input slices show beneath and above a target plane: kind ``aligned`` of a condition, ours.

The paper lays the input slice beside the noisy section, pixel on pixel, although the two lie in different planes. Here
each pixel of the target plane is given what the nearest input slices show at its foot point on them, with its signed
distance from them. From the same samples follows a first guess of the section (:class:`Blend`).
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


class Blend(nn.Module):
    """A first guess of a section: what the nearest slices show, weighed by their distances alone.

    Between two slices that lie on either side the weights are those of linear interpolation, elsewhere the nearest
    slice counts alone. A small network of the signed distances changes each weight by a factor that is learned with the
    denoiser and begins at 1: how fast a single slice stops to tell of others depends on what volumes show.

    Args:
        nearest: M; only the nearest two have weights.
        width: of the hidden layer.
    """

    def __init__(self, nearest: int = 2, width: int = 32) -> None:
        super().__init__()
        self.nearest = nearest
        change = nn.Linear(width, nearest)
        nn.init.zeros_(change.weight)
        nn.init.zeros_(change.bias)
        self.change = nn.Sequential(nn.Linear(2 * nearest, width), nn.SiLU(), change)

    def forward(self, values: Tensor, distance: Tensor, missing: Tensor) -> Tensor:
        """The guess [B,C,h,w] of what :meth:`AlignedSlices.nearest_to` found."""
        lacking = (0, 0, 0, 0, 0, self.nearest - values.shape[1])
        features = [F.pad(part, lacking) for part in (distance, _closeness(distance, missing))]  # [B,M,h,w] each
        change = self.change(torch.cat(features, dim=1).movedim(1, -1)).movedim(-1, 1)
        weights = linear_weights(distance, missing) * (1 + change[:, : values.shape[1]])
        return (values * weights[:, :, None]).sum(dim=1)


def linear_weights(distance: Tensor, missing: Tensor) -> Tensor:
    """Weights [B,M,h,w] of the nearest slices: linear between two on either side, else 1 for the nearest.

    Args:
        distance: signed, [B,M,h,w], the nearest first.
        missing: where there is no slice, [B,M,h,w].
    """
    weights = torch.zeros_like(distance)
    weights[:, 0] = (~missing[:, 0]).to(weights)
    if distance.shape[1] > 1:
        first, second = distance[:, 0], distance[:, 1]
        between = (first * second < 0) & ~missing[:, 1]
        share = first.abs() / (first.abs() + second.abs()).clamp(min=1e-6)
        weights[:, 1] = torch.where(between, share, 0.0)
        weights[:, 0] = weights[:, 0] - weights[:, 1]
    return weights


def _closeness(distance: Tensor, missing: Tensor) -> Tensor:
    return (-distance.abs() / NEAR).exp().masked_fill(missing, 0)
