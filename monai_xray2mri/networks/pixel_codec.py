"""A codec without weights: pixels folded into the channels of a latent."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class PixelCodec(nn.Module):
    """Folds ``factor`` x ``factor`` pixels into channels and back, exactly.

    Args:
        factor: pixels per side of a latent cell.
        background: grey value in [-1,1] that a latent has zeros for: the background of an image (-1), the middle of a
            difference (0).
    """

    def __init__(self, factor: int = 4, background: float = -1.0) -> None:
        super().__init__()
        self.factor, self.latent_channels, self.background = factor, factor**2, background

    def encode(self, image: Tensor) -> Tensor:
        """Images [B,1,H,W] in [-1,1] to [B,factor^2,H/factor,W/factor]; the range of grey values becomes 1 wide."""
        return F.pixel_unshuffle((image - self.background) / 2, self.factor)

    def decode(self, latent: Tensor) -> Tensor:
        """Latents [B,factor^2,h,w] to images [B,1,H,W]."""
        return F.pixel_shuffle(latent, self.factor) * 2 + self.background
