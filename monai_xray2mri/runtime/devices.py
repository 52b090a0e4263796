"""Where networks compute, and what a device cannot do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from monai_xray2mri.errors import OutOfMemory, UsageError


def choose_device(device: str = "auto") -> torch.device:
    """``auto`` takes CUDA, else Apple's MPS, else the CPU.

    Raises:
        UsageError: the named device is not there.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        device = next(name for name, there in available.items() if there)
    if not available.get(device.split(":")[0], False):
        there = ", ".join(name for name, yes in available.items() if yes)
        raise UsageError("option device", f"must be auto or one of: {there}", device, "Choose one of these.")
    return torch.device(device)


@contextmanager
def memory_errors(chunk: int) -> Iterator[None]:
    """Turn a device's out-of-memory error into ours, with the option that helps."""
    remedy = "Give a smaller --chunk."
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemory("device memory", f"must hold {chunk} slices at a time", "out of memory", remedy) from error
    except RuntimeError as error:
        if not any(words in str(error) for words in ("not enough memory", "can't allocate memory")):
            raise  # these are the CPU allocator's words, by platform
        raise OutOfMemory("memory", f"must hold {chunk} slices at a time", "out of memory", remedy) from error


def computes_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 in hardware; emulated it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    abilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return device.type == "cpu" and any(abilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
