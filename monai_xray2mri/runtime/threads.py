"""One thread for each process: several at once are the business of :mod:`monai_xray2mri.runtime.workers`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_VARIABLES: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread in this process; also a decorator.

    Convolutions and sums that are split over threads differ in their last bits, so that results would depend on the
    machine.
    """
    import torch  # processes that compute nothing need not load it

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes that are started in the block compute on one thread: the variables are read when libraries load."""
    before = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ.update(dict.fromkeys(_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
