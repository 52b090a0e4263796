"""Paths of rays through signed distances that are known at sample points."""

from __future__ import annotations

import torch
from torch import Tensor


def covered(distance: Tensor) -> Tensor:
    """Share [Y,Z,X] of the path around each sample point that lies inside a surface.

    The signed distance [Y,Z,X] is linear between sample points. The path around a sample point is half the way to each
    neighbor along y.
    """
    within = distance.clamp(max=0)
    size = distance.abs()
    share = within[1:].add(within[:-1]).div_(size[1:].add(size[:-1]).clamp_(min=1e-6)).mul_(-0.5)
    covered_half = torch.zeros_like(distance)
    covered_half[1:] += share
    covered_half[:-1] += share
    return covered_half
