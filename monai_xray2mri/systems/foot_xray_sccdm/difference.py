"""The difference domain of SCCDM (Wan 2025, Eq. 9): d_0 = x - c, x_0 = d_0 + c.

Images are in [-1,1], so that differences are in [-2,2]; half of one is diffused. The photograph c is one grey image, as
the published number of parameters asks for.
"""

from __future__ import annotations

import torch
from torch import Tensor

_GRAY = (0.299, 0.587, 0.114)
"""Luma of ITU-R BT.601."""


def gray(photograph: Tensor) -> Tensor:
    """Grey image [B,1,H,W] in [-1,1] of photographs [B,3,H,W] in [0,1]."""
    weights = torch.tensor(_GRAY, device=photograph.device, dtype=photograph.dtype).view(1, 3, 1, 1)
    return 2 * (photograph * weights).sum(dim=1, keepdim=True) - 1


def half_difference(radiograph: Tensor, photograph: Tensor) -> Tensor:
    """d_0 / 2, [B,1,H,W] in [-1,1], of radiograph and grey photograph [B,1,H,W], both in [-1,1]."""
    return (radiograph - photograph) / 2


def radiograph_of(half: Tensor, photograph: Tensor) -> Tensor:
    """x_0 [B,1,H,W] in [-1,1] of d_0 / 2 and grey photograph [B,1,H,W]; clamped, here alone."""
    return (2 * half + photograph).clamp(-1, 1)
