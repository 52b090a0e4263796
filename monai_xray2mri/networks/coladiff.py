"""Structural condition and auto-weights after CoLa-Diff, for the baseline of that name.

CoLa-Diff (Jiang et al., MICCAI 2023, "CoLa-Diff: Conditional latent diffusion model for multi-modal MRI synthesis")
synthesizes one MR sequence from others in the latent space. It was not made for radiographs; Wang 2024a and 2024b
compare with it and do not say how. This module takes over what is CoLa-Diff's own: a *structural* condition next to the
appearance (there masks of brain regions, here bone outlines of the radiograph, which need no labels), and
*auto-weights* that balance the conditions channel by channel. Its cooperative filtering in the autoencoder has no place
here, where all methods share one frozen autoencoder.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_xray2mri.networks.condition import ImageEncoder

_KAPPA = 1e-5
"""Inside the root of the norm."""


class AutoWeight(nn.Module):
    """Weights of the channels of one condition: F (1 + sigmoid(nu G + o)), with G from the channels' norms.

    G = mu ||F||, divided by its root mean square over the channels, so that conditions of any size compare. mu starts
    at 1, nu and o at 0: every channel is first multiplied by 1.5.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mu = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.nu = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.offset = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, maps: Tensor) -> Tensor:
        """Weighted maps [B,C,h,w]."""
        gain = self.mu * (maps.square().sum(dim=(2, 3), keepdim=True) + _KAPPA).sqrt()
        gain = gain / (gain.square().mean(dim=1, keepdim=True) + _KAPPA).sqrt()
        return maps * (1 + torch.sigmoid(self.nu * gain + self.offset))


def bone_outlines(radiograph: Tensor) -> Tensor:
    """Structure of radiographs [B,1,H,W] in [-1,1]: magnitude of the smoothed gradient, its maximum 1, as [-1,1]."""
    smooth = F.avg_pool2d(radiograph, 5, stride=1, padding=2, count_include_pad=False)
    across = F.pad(smooth[..., :, 2:] - smooth[..., :, :-2], (1, 1, 0, 0))
    down = F.pad(smooth[..., 2:, :] - smooth[..., :-2, :], (0, 0, 1, 1))
    size = (across.square() + down.square()).sqrt()
    return 2 * size / size.amax(dim=(2, 3), keepdim=True).clamp(min=1e-6) - 1


class StructuralImageEncoder(nn.Module):
    """Tokens of a radiograph from its appearance and its structure, balanced by auto-weights.

    It takes the place of :class:`~monai_xray2mri.networks.condition.ImageEncoder`.

    Args:
        channels, context, image_size: of both encoders, as there.
    """

    def __init__(self, channels: Sequence[int] = (24, 48, 64, 96), context: int = 64, image_size: int = 256) -> None:
        super().__init__()
        self.appearance = ImageEncoder(channels, context, image_size)
        self.structure = ImageEncoder(channels, context, image_size).convolutions
        self.weights = nn.ModuleList(AutoWeight(context) for _ in range(2))

    @property
    def tokens(self) -> tuple[int, int]:
        """Number of tokens N and their width."""
        return self.appearance.tokens

    def forward(self, radiograph: Tensor) -> Tensor:
        """Tokens [B,N,C] of radiographs [B,1,H,W] in [-1,1]."""
        seen = self.appearance.convolutions(F.pixel_unshuffle(radiograph, 4))  # [B,C,h,w]
        outlined = self.structure(F.pixel_unshuffle(bone_outlines(radiograph), 4))
        first, second = self.weights
        joined = (first(seen) + second(outlined)).flatten(2).transpose(1, 2)  # [B,N,C]
        tokens: Tensor = self.appearance.norm(joined + self.appearance.position)
        return tokens
