"""Features of pictures without learned weights: oriented filters at several scales, and what they leave.

Inception's and AlexNet's features were learned on photographs, and their weights would have to be downloaded. These are
Gabor filters (Daugman 1985) in quadrature, so that a feature is the strength of edges and lines of one direction and
one width, wherever in a period they lie. They are fixed: distances on them compare between all bundles.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

LEVELS: Final = 3
"""Each level sees the picture at half the size of the one before."""
DIRECTIONS: Final = 4
_REACH: Final = 4
_PERIOD: Final = 5.0
"""Pixels."""
_SIGMA: Final = 2.0


def filter_levels(pictures: Tensor) -> list[Tensor]:
    """Strength of edges and lines of each direction, and the intensity, of pictures [B,1,H,W] in [-1,1].

    Returns:
        For each level [B,5,h,w], not below 0; h = H, H/2, H/4.
    """
    even, odd = (kernels.to(pictures) for kernels in _kernels())
    levels, current = [], (pictures + 1) / 2
    for level in range(LEVELS):
        if level:
            current = F.avg_pool2d(current, 2)
        padded = F.pad(current, (_REACH,) * 4, mode="replicate")
        strength = (F.conv2d(padded, even).square() + F.conv2d(padded, odd).square()).sqrt()
        levels.append(torch.cat([strength, current.clamp(min=0)], dim=1))
    return levels


def filter_maps(pictures: Tensor) -> Tensor:
    """All levels of pictures [B,1,H,W] in [-1,1] at the size of the coarsest: [B,15,H/4,W/4]."""
    levels = filter_levels(pictures)
    height, width = levels[-1].shape[-2:]
    return torch.cat([F.adaptive_avg_pool2d(level, (height, width)) for level in levels], dim=1)


@torch.inference_mode()
def filter_moments(pictures: np.ndarray) -> np.ndarray:
    """Mean and standard deviation [N,30] of each map of pictures [N,H,W] in 0 to 1, whatever lies where."""
    maps = filter_maps(torch.from_numpy(np.asarray(pictures, np.float32))[:, None] * 2 - 1)
    return torch.cat([maps.mean(dim=(2, 3)), maps.std(dim=(2, 3), correction=0)], dim=1).numpy()


def _kernels() -> tuple[Tensor, Tensor]:
    """Even and odd Gabor filters [4,1,9,9] without a mean, of length 1."""
    steps = torch.arange(-_REACH, _REACH + 1, dtype=torch.float32)
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    window = torch.exp(-(rows**2 + columns**2) / (2 * _SIGMA**2))
    found: list[list[Tensor]] = [[], []]
    for number in range(DIRECTIONS):
        angle = math.pi * number / DIRECTIONS
        phase = 2 * math.pi / _PERIOD * (columns * math.cos(angle) + rows * math.sin(angle))
        for kernels, wave in zip(found, (phase.cos(), phase.sin()), strict=True):
            kernel = window * wave
            kernel = kernel - window * kernel.sum() / window.sum()
            kernels.append(kernel / kernel.square().sum().sqrt())
    even, odd = (torch.stack(kernels)[:, None] for kernels in found)
    return even, odd
