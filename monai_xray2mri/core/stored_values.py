"""Intensities as the numbers that a file of a given type stores."""

from __future__ import annotations

from typing import Final

import numpy as np

from monai_xray2mri.core.options import Option

FULL_SCALE: Final = {"float32": 1.0, "int16": 4095.0, "uint16": 4095.0, "uint8": 255.0}
"""Stored value of intensity 1 for each type of voxel."""

RESULT_DTYPE: Final = Option("result_dtype", str, "type of stored voxels", "float32", choices=tuple(FULL_SCALE))
"""Which of these types is wanted; named as MONAI Label's clients name it."""


def stored(intensities: np.ndarray, dtype: str) -> np.ndarray:
    """Intensities in [0,1] as stored values: rounded, and 0 to the full scale of the type; float32 stays.

    Args:
        intensities: of any shape.
        dtype: a key of `FULL_SCALE`.

    Example:
        >>> stored(np.array([-0.1, 0.5, 1.2]), "uint8").tolist()
        [0, 128, 255]
    """
    if dtype == "float32":
        return intensities.astype(np.float32)
    scale = FULL_SCALE[dtype]
    return np.rint(np.clip(intensities * scale, 0, scale)).astype(dtype)
