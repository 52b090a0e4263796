"""The number type that networks compute in while sampling."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch
from torch import nn

from monai_xray2mri.runtime.devices import computes_bfloat16

DTYPES: Final = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def chosen_dtype(option: str, network: nn.Module) -> str:
    """The type that an option names: ``auto`` is float32, ``hardware`` what the network's device is fastest in.

    Args:
        option: a choice of :data:`~monai_xray2mri.diffusion.options.DTYPE`.
        network: where it lies decides about ``hardware``: bfloat16 where the device multiplies it, else float32.

    Returns:
        A key of :data:`DTYPES`, which goes into the record of the result.
    """
    if option == "hardware":
        return "bfloat16" if computes_bfloat16(next(network.parameters()).device) else "float32"
    return "float32" if option == "auto" else option


@contextmanager
def computing_in(dtype: torch.dtype, device: torch.device) -> Iterator[None]:
    """Compute matrix products and convolutions in ``dtype``; parameters stay as they are.

    float32 means full float32 on CUDA, too: TF32, which rounds the factors of convolutions to 10 bits, and algorithms
    whose results differ from run to run are switched off. Results of two devices then differ by rounding alone.
    """
    if dtype != torch.float32:
        with torch.autocast(device.type, dtype=dtype):
            yield
    elif device.type == "cuda":
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            yield
    else:
        yield
