"""Embeddings of what conditions the denoiser: depth, features, image (Wang 2024a, section II-B and Fig. 2)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class DepthCode(nn.Module):
    """Fourier code of the normalized depth d in [0,1]: [B] to [B, 2 * frequencies + 1]."""

    omega: Tensor

    def __init__(self, frequencies: int = 8) -> None:
        super().__init__()
        self.width = 2 * frequencies + 1
        self.register_buffer("omega", math.pi * 2.0 ** torch.arange(frequencies).div(2), persistent=False)

    def forward(self, depth: Tensor) -> Tensor:
        """Sines and cosines of half-octave frequencies, and d itself."""
        angle = depth[:, None] * self.omega
        return torch.cat([depth[:, None], angle.sin(), angle.cos()], dim=1)


class ZeroLinear(nn.Linear):
    """A linear layer that starts at zero: what it adds to a pre-trained network is nothing until it is trained."""

    def reset_parameters(self) -> None:
        """Set weight and bias to zero."""
        nn.init.zeros_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)


class DepthEmbedding(nn.Module):
    """Depth for the down path, added to the time embedding: d [B] to [B,E].

    Args:
        embedding: width E of the denoiser's time embedding.
        frequencies: of the depth code.
        zero_start: give zeros at first, so that a pre-trained network begins as it was.
    """

    def __init__(self, embedding: int, frequencies: int = 8, zero_start: bool = False) -> None:
        super().__init__()
        self.code = DepthCode(frequencies)
        last = ZeroLinear if zero_start else nn.Linear
        self.mlp = nn.Sequential(nn.Linear(self.code.width, embedding), nn.SiLU(), last(embedding, embedding))

    def forward(self, depth: Tensor) -> Tensor:
        """Embed d."""
        return self.mlp(self.code(depth))


class FeatureEmbedding(nn.Module):
    """Radiographic features for the up path: one-hot code r [B,61] and depth [B] to [B,E].

    A feature acts at its own depth (a cyst shows in a few slices), so the depth goes into the same multi-layer
    perceptron: the sum of two separate embeddings cannot say "here, and only here".

    Args:
        features: width of r.
        embedding: width E of the denoiser's time embedding.
        frequencies: of the depth code.
        zero_start: give zeros at first, so that a pre-trained network begins as it was.
    """

    def __init__(self, features: int, embedding: int, frequencies: int = 8, zero_start: bool = False) -> None:
        super().__init__()
        self.width = features
        last = ZeroLinear if zero_start else nn.Linear
        self.code = DepthCode(frequencies)
        self.mlp = nn.Sequential(
            nn.Linear(features + self.code.width, embedding),
            nn.SiLU(),
            nn.Linear(embedding, embedding),
            nn.SiLU(),
            last(embedding, embedding),
        )

    def forward(self, features: Tensor, depth: Tensor) -> Tensor:
        """Embed r at d. All-zero one-hot groups mean *unknown* (Wang 2024a, section III-B.3)."""
        return self.mlp(torch.cat([features, self.code(depth)], dim=1))


class ImageEncoder(nn.Module):
    """Tokens of an image as cross-attention context, trained with the denoiser.

    It stands where the paper size has CLIP ViT-L/14 (E2; one token of 768); this one gives an 8 x 8 grid of tokens with
    learned positions, from folded 4 x 4 pixel blocks.

    Args:
        channels: channels at 1/4, 1/8, 1/16 and 1/32 of the resolution.
        context: width of a token.
        image_size: side of the image in pixels.
    """

    def __init__(self, channels: Sequence[int] = (24, 48, 64, 96), context: int = 64, image_size: int = 256) -> None:
        super().__init__()
        first, *rest = channels
        layers: list[nn.Module] = [nn.Conv2d(16, first, 3, padding=1)]
        before = first
        for width in rest:
            layers += [nn.GroupNorm(8, before), nn.SiLU(), nn.Conv2d(before, width, 3, stride=2, padding=1)]
            before = width
        layers += [nn.GroupNorm(8, before), nn.SiLU(), nn.Conv2d(before, context, 1)]
        self.convolutions = nn.Sequential(*layers)
        side = image_size // (4 * 2 ** len(rest))
        self.position = nn.Parameter(torch.randn(1, side * side, context) * 0.02)
        self.norm = nn.LayerNorm(context)

    @property
    def tokens(self) -> tuple[int, int]:
        """Number of tokens N and their width."""
        _, number, width = self.position.shape
        return number, width

    def forward(self, image: Tensor) -> Tensor:
        """Tokens [B,N,C] of images [B,1,H,W] in [-1,1]."""
        grid = self.convolutions(F.pixel_unshuffle(image, 4))  # [B,C,h,w]
        return self.norm(grid.flatten(2).transpose(1, 2) + self.position)
