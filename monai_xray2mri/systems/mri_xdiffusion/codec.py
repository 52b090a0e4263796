"""A codec without weights: pixels folded into channels.

It stands where the paper has the frozen autoencoder of Stable Diffusion. Its latents have a background of 0; the
network's latent scale brings them to unit root mean square. With a background of -1, as pixels in [-1,1] have it, most
of a latent is one large constant, and a small network learned to ignore its input.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class PixelCodec(nn.Module):
    """Folds ``factor`` x ``factor`` pixels into channels and back, exactly.

    Args:
        factor: pixels per side of a latent cell.
    """

    def __init__(self, factor: int = 4) -> None:
        super().__init__()
        self.factor, self.latent_channels = factor, factor**2

    def encode(self, image: Tensor) -> Tensor:
        """Images [B,1,H,W] in [-1,1] to [B,factor^2,H/factor,W/factor] in [0,1]."""
        return F.pixel_unshuffle((image + 1) / 2, self.factor)

    def decode(self, latent: Tensor) -> Tensor:
        """Latents [B,factor^2,h,w] to images [B,1,H,W]."""
        return F.pixel_shuffle(latent, self.factor) * 2 - 1
