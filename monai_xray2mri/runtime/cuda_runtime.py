"""Lets Holoscan start where no CUDA is installed.

Holoscan links against ``libcudart.so.13`` even where there is no GPU, and its wheel does not bring that library. MONAI
imports all of its sub-packages, the Deploy SDK among them, so that with the SDK installed and the library missing
already ``import monai`` fails. The extra ``deploy`` therefore installs the wheel ``nvidia-cuda-runtime``, whose
folder the dynamic linker does not search; but it takes a library of that name that the process has loaded already.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

LIBRARY = Path("nvidia", "cu13", "lib", "libcudart.so.13")


def preload_cuda_runtime() -> Path | None:
    """Load the CUDA runtime of the wheel ``nvidia-cuda-runtime``, if Holoscan and that wheel are installed.

    Returns:
        The library; None if there is none or if it cannot be loaded (Holoscan's own error says then what is missing).
    """
    for folder in map(Path, sys.path):
        if (folder / "holoscan").is_dir() and (folder / LIBRARY).is_file():
            try:
                ctypes.CDLL(str(folder / LIBRARY))
            except OSError:
                return None
            return folder / LIBRARY
    return None
