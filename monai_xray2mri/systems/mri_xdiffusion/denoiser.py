"""The denoiser of cross-sections: the house's U-Net with input slices, their poses and the place of the target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from monai_xray2mri.networks.denoiser import SliceDenoiser
from monai_xray2mri.systems.mri_xdiffusion.alignment import AlignedSlices
from monai_xray2mri.systems.mri_xdiffusion.first_guess import FirstGuess
from monai_xray2mri.systems.mri_xdiffusion.places import (
    PLACE_WIDTHS,
    PlacedContext,
    PlaceEmbedding,
    mean_pose,
    place_numbers,
)
from monai_xray2mri.systems.mri_xdiffusion.planes import POSE_NUMBERS
from monai_xray2mri.systems.mri_xdiffusion.slices import REDUCTIONS, PairNetwork


class SectionDenoiser(nn.Module):
    """epsilon_theta(z_t, t, c(x, d, R)) of X-Diffusion, Eq. 2.

    The paper's conditions are a slice's latent beside z_t and its image embedding, joined with the place, as context.
    ``place="axis"``, ``reduction="mean_product"``, ``aligned=False``, ``told=False`` and ``embed_place=False`` are its
    released code; the defaults are the compact size.

    Args:
        place: ``"axis"`` or ``"rotation"``, what is told of the target's plane.
        reduction: how K slices become one, one of
            :data:`~monai_xray2mri.systems.mri_xdiffusion.slices.REDUCTIONS`.
        aligned: slices are sampled at the foot points of the target plane; otherwise their latent lies beside the noisy
            one as it is, with the rule ``tokens`` the mean of their latents.
        difference: the network works on what differs from a first guess of the section, which a mean volume and the
            aligned slices make (:mod:`~monai_xray2mri.systems.mri_xdiffusion.first_guess`); ours. It predicts z_0.
        told: the network knows the poses of its slices.
        embed_place: the place is also added to the time embedding of the down path.
        latent_channels: C.
        fold: pixels per side that the codec folds into a latent cell; 1 where a latent is no fold.
        guess_size: voxels per side of the volumes that the guess begins with.
        nearest: slices that a pixel is given, where they are aligned.
        context: width of a context token.
        channels: per level of the U-Net.
        **unet: further arguments of :class:`~monai_xray2mri.networks.denoiser.SliceDenoiser`.

    Raises:
        ValueError: an unknown place or reduction, aligned slices that were multiplied before or have no poses, or a
            difference where slices are not aligned, more than two, or latents are no folded pixels.
    """

    def __init__(
        self,
        *,
        place: str = "rotation",
        reduction: str = "tokens",
        aligned: bool = True,
        difference: bool = False,
        told: bool = True,
        embed_place: bool = True,
        latent_channels: int = 16,
        fold: int = 4,
        guess_size: int = 48,
        nearest: int = 2,
        context: int = 64,
        channels: Sequence[int] = (32, 48, 64),
        **unet: Any,
    ) -> None:
        super().__init__()
        if place not in PLACE_WIDTHS:
            raise ValueError(f"place must be one of {sorted(PLACE_WIDTHS)}, got {place!r}")
        if reduction not in REDUCTIONS:
            raise ValueError(f"reduction must be one of {REDUCTIONS}, got {reduction!r}")
        if aligned and (reduction != "tokens" or not told):
            raise ValueError("aligned slices need the reduction 'tokens' and their poses")
        if difference and not (aligned and latent_channels == fold**2 and nearest <= 2):
            raise ValueError("a difference needs aligned slices of folded pixels, at most the nearest two")
        self.place, self.reduction, self.told, self.difference = place, reduction, told, difference
        self.latent_channels = latent_channels
        width = PLACE_WIDTHS[place]
        self.context = PlacedContext(context, width, told)
        self.pairs = PairNetwork(latent_channels) if reduction == "mlp" else None
        self.alignment = AlignedSlices(latent_channels, fold, nearest) if aligned else None
        self.first_guess = FirstGuess(fold, guess_size) if difference else None
        embedded = width + (POSE_NUMBERS if told else 0)
        self.unet = SliceDenoiser(
            PlaceEmbedding(embedded, width - 1, 4 * channels[0]) if embed_place else None,
            latent_channels=latent_channels,
            condition_channels=latent_channels if self.alignment is None else self.alignment.channels,
            channels=channels,
            context=context,
            **unet,
        )

    def forward(
        self,
        noisy: Tensor,
        t: Tensor,
        image_latent: Tensor,
        context: Tensor,
        place: Tensor,
        poses: Tensor,
        signal: Tensor | float = 1.0,
    ) -> Tensor:
        """The prediction [B,C,h,w]: eps, v or z_0, as it was trained; with a first guess z_0.

        A guess z_g of variance v knows nothing of z_t. With it, pixel by pixel, the posterior mean is

            z_g + alpha v / (alpha^2 v + sigma^2) (z_t - alpha z_g),

        of variance v sigma^2 / (alpha^2 v + sigma^2). To this the network adds what it makes of all pixels together,
        times the standard deviation that is left (preconditioning as of Karras et al. 2022, section 5, with a variance
        that differs from pixel to pixel): on a given slice nothing, in the air about a knee next to nothing.

        Args:
            noisy: z_t, [B,C,h,w].
            t: time step, [B].
            image_latent: latents of K slices, [B,K*C,h,w]; zeros for no slice.
            context: their tokens, [B,K*N,context]; one token each where slices were reduced before.
            place: of the target, [B,10].
            poses: of the slices, [B,L*11]; zeros for no slice. L = K, or, where slices were reduced before, L >= K = 1.
            signal: alpha_t, the share of z_0 in z_t, shaped to multiply it; only a guess needs it.
        """
        latents = image_latent.unflatten(1, (-1, self.latent_channels))  # [B,K,C,h,w]
        given = poses.unflatten(1, (-1, POSE_NUMBERS))  # [B,L,11]
        if self.reduction != "tokens":
            given = mean_pose(given)
        numbers = place_numbers(place, self.place)
        tokens = self.context(context, numbers, given)
        if self.told:
            numbers = torch.cat([numbers, mean_pose(given)[:, 0]], dim=1)
        condition, guess = self._condition(latents, given, place)
        nothing = noisy.new_zeros(len(noisy), 0)
        if guess is None:
            prediction: Tensor = self.unet(noisy, t, condition, tokens, numbers, nothing)
            return prediction
        mean, variance = guess
        apart, power = noisy - signal * mean, 1 - signal**2
        total = signal**2 * variance + power
        prediction = self.unet(apart, t, condition, tokens, numbers, nothing)
        return mean + (signal * variance / total) * apart + (power * variance / total).sqrt() * prediction

    def _condition(self, latents: Tensor, poses: Tensor, place: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        """What lies beside the noisy latent; the guess and its variance."""
        if self.alignment is not None:
            # Geometry in single precision: coordinates of bfloat16 are off by up to a quarter of a voxel.
            with torch.autocast(latents.device.type, enabled=False):
                return self._aligned(self.alignment, latents.float(), poses.float(), place.float())
        if self.pairs is not None:
            paired: Tensor = self.pairs(latents)
            return paired, None
        return latents.mean(dim=1), None

    def _aligned(
        self, alignment: AlignedSlices, latents: Tensor, poses: Tensor, place: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        """The same of aligned slices."""
        near = alignment.nearest_to(latents, poses, place)
        guess = None if self.first_guess is None else self.first_guess(near, place)
        return alignment.channels_of(near), guess
