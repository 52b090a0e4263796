"""Convolutions of 3 x 3 with fewer multiplications, where the processor gains by it.

Winograd's F(6 x 6, 3 x 3) (Lavin and Gray, CVPR 2016) takes 64 multiplications where the plain sum takes 324; NNPACK,
which comes with PyTorch, computes it. Larger images are convolved by Fourier transforms of 16 x 16 (NNPACK's choice).
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

SIDES: Final = (16, 64)
"""Smallest and largest side of images that gain by it, in pixels (docs/speed.md)."""
FEWEST_CHANNELS: Final = 16
"""In or out; with fewer, transforms cost more than they save."""
_CPUINFO: Final = Path("/proc/cpuinfo")
_ZEN_4: Final = ("AuthenticAMD", "25")
"""Vendor and family of the processors that know AVX-512 and compute it at the rate of AVX2."""


@cache
def winograd_pays() -> bool:
    """Whether this processor gains: its plain convolutions have vectors of 256 bits, and PyTorch has NNPACK.

    A rule and no measurement, so that one machine computes all its results in one way.
    """
    if not (torch.backends.cpu.get_cpu_capability() == "AVX2" or _processor() == _ZEN_4):
        return False
    return bool(torch._nnpack_available())  # this call also prepares NNPACK


def _processor() -> tuple[str, str]:
    """Vendor and family of the processor, as Linux tells them; empty where it does not."""
    if not sys.platform.startswith("linux") or not _CPUINFO.exists():
        return "", ""
    lines = (line.partition(":") for line in _CPUINFO.read_text().split("\n\n")[0].splitlines())
    told = {name.strip(): value.strip() for name, _, value in lines}
    return told.get("vendor_id", ""), told.get("cpu family", "")


def winograd(image: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The convolution of images [B,C,H,W] by [D,C,3,3] with a border of one zero: [B,D,H,W], channels first.

    All float32, on the CPU. Rounding is about ten times that of the plain sum: some 1e-5 of the output's spread.
    """
    found: Tensor = torch._nnpack_spatial_convolution(image.contiguous(), weight, bias, (1, 1), (1, 1))
    return found
