"""What the input slices show beneath and above a target plane: kind ``aligned`` of a condition, ours.

The paper lays the input slice beside the noisy section, pixel on pixel, although the two lie in different planes. Here
each pixel of the target plane is given what the nearest input slices show at its foot point on them, with its signed
distance from them. From the same samples follows a first guess of the section (``first_guess``).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_xray2mri.systems.mri_xdiffusion.planes import section_grid, split_places

NEAR = 1 / 8
"""Distance, in halves of the cube's side, at which closeness has fallen to 1 / e."""


@dataclass(frozen=True)
class NearestSlices:
    """The slices nearest to each cell of a section's latent, at most M, the nearest first.

    Attributes:
        values: what they show at the foot points, latents [B,M,C,h,w]; 0 where there is none.
        distance: their signed distances [B,M,h,w], in halves of the cube's side; 0 where there is none.
        missing: where there is none, [B,M,h,w].
        feet: the foot points (x, y, z) of the section's pixels on them, [B,M,H,W,3].
    """

    values: Tensor
    distance: Tensor
    missing: Tensor
    feet: Tensor


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
        return self.channels_of(self.nearest_to(latents, poses, place))

    def channels_of(self, near: NearestSlices) -> Tensor:
        """What is nearest, as the channels that lie beside the noisy latent: [B,M*(C+2),h,w]."""
        closeness = _closeness(near.distance, near.missing)
        found = torch.cat([near.values, near.distance[:, :, None], closeness[:, :, None]], dim=2).flatten(1, 2)
        return F.pad(found, (0, 0, 0, 0, 0, self.channels - found.shape[1]))

    def nearest_to(self, latents: Tensor, poses: Tensor, place: Tensor) -> NearestSlices:
        """The slices nearest to each cell; arguments as of :meth:`forward`."""
        height = latents.shape[-1]
        chosen = min(self.nearest, latents.shape[1])
        rotation, depth = split_places(poses)
        normal = rotation[..., 2, :]  # [B,K,3]
        cells = section_grid(place, height)  # [B,h,w,3]
        signed = torch.einsum("bki,bhwi->bkhw", normal, cells) - depth[..., None, None]
        absent = poses[..., -1, None, None] == 0
        order = torch.where(absent, torch.inf, signed.abs()).topk(chosen, dim=1, largest=False).indices  # [B,M,h,w]
        distance, missing = signed.gather(1, order), absent.expand_as(signed).gather(1, order)
        values, feet = self._values(latents, rotation, depth, order, place)
        values = values.masked_fill(missing[:, :, None], 0)  # [B,M,C,h,w]
        return NearestSlices(values, distance.masked_fill(missing, 0), missing, feet)

    def _values(
        self, latents: Tensor, rotation: Tensor, depth: Tensor, order: Tensor, place: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What slices ``order`` [B,M,h,w] show at their foot points, [B,M,C,h,w]; and these points, [B,M,H,W,3]."""
        number, height = latents.shape[1], latents.shape[3]
        fine = F.pixel_shuffle(latents, self.fold).transpose(1, 2)  # [B,C/f^2,K,H,W]
        numbers = torch.cat([rotation.flatten(2), depth[..., None]], dim=-1)  # [B,K,10]
        chosen = numbers.gather(1, order.flatten(1)[..., None].expand(-1, -1, 10)).unflatten(1, order.shape[1:])
        rows, depth = split_places(self._spread(chosen))  # [B,M,H,W,3,3] and [B,M,H,W]
        points = section_grid(place, height * self.fold)[:, None]  # [B,1,H,W,3]
        on_slice = (rows[..., :2, :] * points[..., None, :]).sum(dim=-1)  # [B,M,H,W,2], x and y of the foot points
        which = (2 * self._spread(order) + 1).to(on_slice) / number - 1
        grid = torch.cat([on_slice, which[..., None]], dim=-1)
        sampled = F.grid_sample(fine, grid, padding_mode="zeros", align_corners=False)  # [B,C/f^2,M,H,W]
        height_above = (rows[..., 2, :] * points).sum(dim=-1) - depth
        feet = points - height_above[..., None] * rows[..., 2, :]
        return F.pixel_unshuffle(sampled.transpose(1, 2), self.fold), feet

    def _spread(self, cells: Tensor) -> Tensor:
        """[B,M,h,w,...] to [B,M,H,W,...]."""
        if self.fold == 1:
            return cells
        return cells.repeat_interleave(self.fold, dim=2).repeat_interleave(self.fold, dim=3)


def _closeness(distance: Tensor, missing: Tensor) -> Tensor:
    return (-distance.abs() / NEAR).exp().masked_fill(missing, 0)
