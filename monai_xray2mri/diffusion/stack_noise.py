"""Noise of a few slices of one volume, made from independent noise: the process of a volume where it is trained on.

:class:`~monai_xray2mri.diffusion.depth_noise.VolumeNoise` draws a process over the whole range of depths. Training sees
stacks of a few slices, many at once, and draws the noise of a whole step before it is divided. Here each component of
the cosine transform of N independent slices is multiplied by the symmetric root of its N x N correlation, which gives
the same process at these depths; each slice stays N(0, I).
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from monai_xray2mri.diffusion.depth_noise import DepthKernel, cosine_transform

_DIGITS = 4
"""Of distances in mm, so that stacks of one spacing share their root."""


def correlated(white: Tensor, depth_mm: Tensor, kernel: DepthKernel) -> Tensor:
    """Noise of stacks of slices.

    Args:
        white: independent N(0, 1), [G,N,C,h,w] of G stacks.
        depth_mm: depths of the slices, [G,N].
        kernel: their correlation.
    """
    stacks = zip(white, (depth_mm - depth_mm[:, :1]).double().tolist(), strict=True)
    return torch.stack([_stack(one, tuple(round(value, _DIGITS) for value in apart), kernel) for one, apart in stacks])


def _stack(white: Tensor, apart: tuple[float, ...], kernel: DepthKernel) -> Tensor:
    """One stack [N,C,h,w] at depths by their distances from its first."""
    root = _root(apart, kernel, *white.shape[2:]).to(white)  # [h,w,N,N] or [1,1,N,N]
    if kernel.aspect == 0:
        return torch.einsum("st,tchw->schw", root[0, 0], white)
    rows, columns = (cosine_transform(size).to(white) for size in white.shape[2:])
    return rows.T @ torch.einsum("hwst,tchw->schw", root, rows @ white @ columns.T) @ columns


@lru_cache(maxsize=16)
def _root(apart: tuple[float, ...], kernel: DepthKernel, height: int, width: int) -> Tensor:
    """Symmetric roots [h,w,N,N] of the correlations of N slices; [1,1,N,N] if all components are alike."""
    depth = torch.tensor(apart, dtype=torch.float64)
    length = kernel.lengths(height, width)[..., None, None]
    varying = torch.exp(-0.5 * ((depth[:, None] - depth) / length) ** 2)
    values, vectors = torch.linalg.eigh(kernel.share + (1 - kernel.share) * varying)
    return (vectors * values.clamp(min=0).sqrt()[..., None, :]) @ vectors.mT
