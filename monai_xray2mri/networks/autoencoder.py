"""The autoencoder of MR slices and radiographs (Wang 2024a and 2024b: E1 and D; Wang 2024a, Eq. 1 and 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from diffusers import AutoencoderKL
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import Tensor, nn
from torch.nn import functional as F

from monai_xray2mri.networks.layout import keep_layout


class SliceAutoencoder(nn.Module):
    """KL-regularized autoencoder of grey images, f = 8 in all.

    The paper size repeats the grey image to three channels and works at full resolution
    (``unshuffle=1, repeat=3, channels=(128, 256, 512, 512), layers=2, attention=True``), so that published
    Stable Diffusion weights load. The compact size folds 2 x 2 pixels into channels first, which costs a quarter
    of the arithmetic at the same reconstruction error.

    Args:
        unshuffle: pixels per side that are folded into channels before the first convolution.
        repeat: how often the grey channel is repeated on the way in; the mean of the copies comes out.
        channels: channels per level; each level but the last halves the resolution.
        layers: residual blocks per level.
        latent_channels: channels of the latent.
        groups: groups of the group normalization.
        attention: whether the middle block attends over positions.
    """

    def __init__(
        self,
        unshuffle: int = 2,
        repeat: int = 1,
        channels: Sequence[int] = (32, 64, 96),
        layers: int = 1,
        latent_channels: int = 4,
        groups: int = 16,
        attention: bool = False,
    ) -> None:
        super().__init__()
        self.unshuffle, self.repeat = unshuffle, repeat
        self.latent_channels = latent_channels
        self.factor = unshuffle * 2 ** (len(channels) - 1)
        folded = repeat * unshuffle**2
        self.kl: Any = AutoencoderKL(
            in_channels=folded,
            out_channels=folded,
            down_block_types=("DownEncoderBlock2D",) * len(channels),
            up_block_types=("UpDecoderBlock2D",) * len(channels),
            block_out_channels=tuple(channels),
            layers_per_block=layers,
            latent_channels=latent_channels,
            norm_num_groups=groups,
            mid_block_add_attention=attention,
        )

    def train(self, mode: bool = True) -> Self:
        """As of any module; see :func:`~monai_xray2mri.networks.layout.keep_layout`."""
        super().train(mode)
        keep_layout(self)
        return self

    def posterior(self, image: Tensor) -> DiagonalGaussianDistribution:
        """q(z|x) of grey images [B,1,H,W] in [-1,1]; mean and standard deviation are [B,C,H/8,W/8]."""
        folded = F.pixel_unshuffle(image.repeat(1, self.repeat, 1, 1), self.unshuffle)  # [B,R*U*U,H/U,W/U]
        return self.kl.encode(folded).latent_dist

    def encode(self, image: Tensor) -> Tensor:
        """z_0 = E(x), the posterior's mean (Wang 2024a, Eq. 1): [B,1,H,W] in [-1,1] to [B,C,H/8,W/8]."""
        return self.posterior(image).mode()

    def decode(self, latent: Tensor) -> Tensor:
        """D(z): [B,C,h,w] to [B,1,8h,8w], about [-1,1]."""
        folded = self.kl.decode(latent).sample  # [B,R*U*U,H/U,W/U]
        return F.pixel_shuffle(folded, self.unshuffle).mean(dim=1, keepdim=True)  # [B,1,H,W]

    def forward(self, image: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Reconstruct with a sampled latent, as training does.

        Returns:
            The reconstruction [B,1,H,W] and the KL divergence to N(0, I) per image [B] (Wang 2024a, section II-B).
        """
        posterior = self.posterior(image)
        return self.decode(posterior.sample(generator)), posterior.kl()
