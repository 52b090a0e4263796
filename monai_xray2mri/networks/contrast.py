"""Local contrast of pictures."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def local_contrast(view: Tensor, width: int = 15) -> Tensor:
    """Grey values less their local mean, over their local standard deviation: [B,1,H,W] to [B,1,H,W].

    Exposure, window and the contrast enhancement of the public crops (CLAHE) change grey values smoothly over the
    image; outlines and texture relative to their neighbourhood are what all films have in common.

    Args:
        view: grey values, any offset and gain.
        width: of the neighbourhood in pixels, odd; 15 of 128 are 11 mm.
    """

    def mean(image: Tensor) -> Tensor:
        padded = F.pad(image, (width // 2,) * 4, mode="reflect")
        return F.avg_pool2d(F.avg_pool2d(padded, (1, width), stride=1), (width, 1), stride=1)

    centerd = view - mean(view)
    variance = mean(centerd.square())
    typical = variance.mean(dim=(2, 3), keepdim=True)
    return centerd / (variance + 0.1 * typical + 1e-8).sqrt()
