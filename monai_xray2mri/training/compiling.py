"""A training step as compiled code, where that can be had."""

from __future__ import annotations

import logging
import os
import shutil
from typing import Final

import torch
from torch import nn

_LOGGER: Final = logging.getLogger(__name__)


def has_compiler(device: torch.device) -> bool:
    """Whether ``torch.compile`` can make code for a device: on a CPU it needs a C++ compiler, on CUDA Triton."""
    if device.type == "cpu":
        return any(shutil.which(name) for name in (os.environ.get("CXX"), "g++", "clang++") if name)
    return device.type == "cuda" and torch.utils._triton.has_triton()


def compiled(module: nn.Module, wanted: bool, device: torch.device) -> nn.Module:
    """What a trainer calls: the module, compiled for the shapes that it meets, or the module itself.

    Parameters are the module's own, so averages and checkpoints take the module. Compiling takes minutes once, kept in
    ``$TORCHINDUCTOR_CACHE_DIR``; results differ from those of the module by rounding.

    Args:
        module: what is trained.
        wanted: whether to compile; where nothing can compile the module stays as it is, with a warning.
        device: where it computes.
    """
    if not wanted:
        return module
    if not has_compiler(device):
        _LOGGER.warning("no compiler for %s: the step is not compiled", device.type)
        return module
    made: nn.Module = torch.compile(module, dynamic=False)
    return made
