"""A small decoder of the same latents: a quarter of the arithmetic of the autoencoder's own.

With few sampling steps most of a volume's arithmetic is decoding (docs/training/few_steps.md). This network is
distilled from an autoencoder's decoder, as the tiny autoencoders of Stable Diffusion are: plain residual blocks without
normalization, most of them at the resolution of the latent. It imports no library but PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

_LIMIT = 3.0
"""Latents are bent beyond this many standard deviations, so that an outlier cannot make a picture overflow."""


class _Residual(nn.Module):
    """Two convolutions beside the identity; at the start of the training it is the identity alone."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """[B,channels,h,w] to the same shape."""
        hidden: Tensor = self.second(F.relu(self.first(F.relu(features))))
        return features + hidden


class SmallDecoder(nn.Module):
    """Latents to grey images.

    Each level but the last ends with a doubling of the resolution (a 1 x 1 convolution, then the pixel shuffle); the
    last convolution makes what is left of the factor, all pixels of a cell at once. The defaults cost 1.47 GFLOP for an
    image of 256 x 256 pixels; a multiplication and an addition are two.

    Args:
        latent_channels: C of the latent.
        channels: of each level, from the latent's resolution upwards.
        blocks: residual blocks of each level.
        factor: side of an image in sides of its latent; a multiple of 2 ** (levels - 1).

    Raises:
        ValueError: ``channels`` and ``blocks`` of different lengths, or a factor that the levels do not divide.
    """

    def __init__(
        self,
        latent_channels: int = 4,
        channels: Sequence[int] = (96, 48),
        blocks: Sequence[int] = (2, 2),
        factor: int = 8,
    ) -> None:
        super().__init__()
        if len(channels) != len(blocks):
            raise ValueError(f"channels and blocks must be of one length, got {len(channels)} and {len(blocks)}")
        rest, over = divmod(factor, 2 ** (len(channels) - 1))
        if over or not rest:
            raise ValueError(f"the factor must be a multiple of {2 ** (len(channels) - 1)}, got {factor}")
        parts: list[nn.Module] = [nn.Conv2d(latent_channels, channels[0], 3, padding=1)]
        for level, (width, count) in enumerate(zip(channels, blocks, strict=True)):
            parts += [_Residual(width) for _ in range(count)]
            if level + 1 < len(channels):
                parts += [nn.Conv2d(width, 4 * channels[level + 1], 1), nn.PixelShuffle(2)]
        parts += [nn.ReLU(), nn.Conv2d(channels[-1], rest**2, 3, padding=1), nn.PixelShuffle(rest)]
        self.parts = nn.Sequential(*parts)
        self.latent_channels, self.factor = latent_channels, factor

    def forward(self, latent: Tensor) -> Tensor:
        """Images [B,1,factor*h,factor*w], about [-1,1], of latents [B,C,h,w] of about unit variance."""
        image: Tensor = self.parts(_LIMIT * (latent / _LIMIT).tanh())
        return image


class WithDecoder(nn.Module):
    """An autoencoder whose images another decoder draws; it encodes as it did.

    Args:
        autoencoder: has ``encode``, ``factor`` and ``latent_channels``.
        decoder: of latents that were multiplied by ``latent_scale``.
        latent_scale: factor that makes the variance of the autoencoder's latents about 1.
    """

    def __init__(self, autoencoder: nn.Module, decoder: SmallDecoder, latent_scale: float) -> None:
        super().__init__()
        self.autoencoder, self.decoder, self.latent_scale = autoencoder, decoder, latent_scale
        self.factor, self.latent_channels = autoencoder.factor, autoencoder.latent_channels

    def encode(self, image: Tensor) -> Tensor:
        """Latents [B,C,h,w] of images [B,1,H,W], as the autoencoder makes them."""
        latent: Tensor = self.autoencoder.encode(image)  # type: ignore[operator]
        return latent

    def decode(self, latent: Tensor) -> Tensor:
        """Images [B,1,H,W] of latents [B,C,h,w] as the autoencoder makes them."""
        image: Tensor = self.decoder(latent * self.latent_scale)
        return image
