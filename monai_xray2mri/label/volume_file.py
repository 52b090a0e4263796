"""A volume as one file, as viewers load it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK

from monai_xray2mri.core.nifti import image_of
from monai_xray2mri.types import Volume

EXTENSIONS = (".nrrd", ".nii.gz", ".nii", ".mha")
"""Files that 3D Slicer and SimpleITK read, with geometry."""

FULL_SCALE = {"float32": 1.0, "int16": 4095.0, "uint16": 4095.0, "uint8": 255.0}
"""Stored value of intensity 1 for each type of voxel."""


def stored(intensities: np.ndarray, dtype: str) -> np.ndarray:
    """Intensities in [0,1] as stored values: rounded, and 0 to the full scale of the type; float32 stays.

    Args:
        intensities: of any shape.
        dtype: a key of `FULL_SCALE`.
    """
    if dtype == "float32":
        return intensities.astype(np.float32)
    scale = FULL_SCALE[dtype]
    return np.rint(np.clip(intensities * scale, 0, scale)).astype(dtype)


def write_volume(path: Path, volume: Volume, dtype: str = "float32") -> Path:
    """Write a volume with its geometry.

    Args:
        path: named with one of `EXTENSIONS`.
        volume: intensities in [0,1].
        dtype: a key of `FULL_SCALE`.

    Returns:
        `path`.
    """
    SimpleITK.WriteImage(image_of(Volume(stored(volume.voxels, dtype), volume.affine)), str(path), True)
    return path
