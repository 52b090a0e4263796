"""Peak memory of the process."""

from __future__ import annotations

import numpy as np

from monai_xray2mri.runtime.memory import peak_memory_mb


def test_peak_memory_rises_with_what_is_allocated_and_stays() -> None:
    before = peak_memory_mb()
    allocated = np.ones(max(1, int(before * 1e6 / 8)) + 50_000_000)
    during = peak_memory_mb()
    assert during > allocated.nbytes / 1e6
    del allocated
    assert peak_memory_mb() > during - 10  # the kernel counts pages in batches per thread
