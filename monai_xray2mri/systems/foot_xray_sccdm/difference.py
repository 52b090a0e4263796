"""The difference domain of SCCDM (Wan 2025, Eq. 9): d_0 = x - c, x_0 = d_0 + c.

Images are in [-1,1], so that differences are in [-2,2]. The photograph c is one grey image, as the published number of
parameters asks for. Nothing is clamped before the end.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_GRAY = (0.299, 0.587, 0.114)
"""Luma of ITU-R BT.601."""


def gray(photograph: Tensor) -> Tensor:
    """Grey image [B,1,H,W] in [-1,1] of photographs [B,3,H,W] in [0,1]."""
    weights = torch.tensor(_GRAY, device=photograph.device, dtype=photograph.dtype).view(1, 3, 1, 1)
    return 2 * (photograph * weights).sum(dim=1, keepdim=True) - 1


def difference(radiograph: Tensor, photograph: Tensor) -> Tensor:
    """d_0 [B,1,H,W] of radiograph and grey photograph [B,1,H,W], both in [-1,1]."""
    return radiograph - photograph


def radiograph_of(d_0: Tensor, photograph: Tensor) -> Tensor:
    """x_0 [B,1,H,W] in [-1,1] of d_0 and grey photograph [B,1,H,W]."""
    return (d_0 + photograph).clamp(-1, 1)


def folded(image: Tensor, factor: int = 4) -> Tensor:
    """Pixels of [B,C,H,W] folded into channels: [B, C factor^2, H / factor, W / factor]; the compact network's view."""
    return F.pixel_unshuffle(image, factor)


def unfolded(image: Tensor, factor: int = 4) -> Tensor:
    """The way back from :func:`folded`."""
    return F.pixel_shuffle(image, factor)
