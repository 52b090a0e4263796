"""The number type that networks compute in while sampling."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch

DTYPES: Final = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@contextmanager
def computing_in(dtype: torch.dtype, device: torch.device) -> Iterator[None]:
    """Compute matrix products and convolutions in ``dtype``; parameters stay as they are.

    float32 is meant as such: on CUDA, where convolutions would use the 10 bits of TF32 by default, that and algorithms
    that differ from run to run are off, so that a result differs between devices by rounding alone.
    """
    if dtype != torch.float32:
        with torch.autocast(device.type, dtype=dtype):
            yield
    elif device.type == "cuda":
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            yield
    else:
        yield
