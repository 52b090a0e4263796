"""A volume as one file, as viewers load it."""

from __future__ import annotations

from pathlib import Path

import SimpleITK

from monai_xray2mri.core.nifti import image_of
from monai_xray2mri.core.stored_values import stored
from monai_xray2mri.types import Volume

EXTENSIONS = (".nrrd", ".nii.gz", ".nii", ".mha")
"""Files that 3D Slicer and SimpleITK read, with geometry."""


def write_volume(path: Path, volume: Volume, dtype: str = "float32") -> Path:
    """Write a volume with its geometry.

    Args:
        path: named with one of `EXTENSIONS`.
        volume: intensities in [0,1].
        dtype: type of the stored voxels, see :data:`~monai_xray2mri.core.stored_values.FULL_SCALE`.

    Returns:
        `path`.
    """
    SimpleITK.WriteImage(image_of(Volume(stored(volume.voxels, dtype), volume.affine)), str(path), True)
    return path
