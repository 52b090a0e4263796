"""Intensity distribution i of the radiograph (Wang 2024b, section 2.2 and Algorithm 1: ``intensity(x_c)``)."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

INTENSITY_BINS: Final = 64


@torch.no_grad()
def intensity_distribution(radiograph: Tensor, bins: int = INTENSITY_BINS) -> Tensor:
    """Histogram of the grey values of each radiograph, as shares of its pixels.

    The paper names the distribution and gives neither its bins nor its range: here 64 equal bins over [-1,1], of the
    whole region as the network sees it, black borders included, because the paper leaves nothing out. It does not
    change where pixels trade places (a mirrored image has the same), nor with exposure gain and offset, which the
    normalization of the region takes away before; gamma, windows and contrast enhancement change it. Counting is exact,
    so that it is the same for every device and batch; it has no gradient.

    Args:
        radiograph: [B,1,H,W] in [-1,1]; what lies beyond counts in the outermost bins.
        bins: their number.

    Returns:
        [B,bins] float32, each row >= 0 and summing to 1.
    """
    pixels = radiograph.flatten(1)
    place = ((pixels.float() + 1) * (bins / 2)).floor().clamp(0, bins - 1).long()  # [B,H*W]
    counts = torch.zeros(len(pixels), bins, dtype=torch.int64, device=pixels.device)
    counts.scatter_add_(1, place, torch.ones_like(place))
    return counts.float() / pixels.shape[1]
