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
    """Write a volume with its geometry; one of a single slice, which is a picture, as an image of two dimensions.

    Args:
        path: named with one of `EXTENSIONS`.
        volume: intensities in [0,1].
        dtype: type of the stored voxels, see :data:`~monai_xray2mri.core.stored_values.FULL_SCALE`.

    Returns:
        `path`.
    """
    image = image_of(Volume(stored(volume.voxels, dtype), volume.affine))
    SimpleITK.WriteImage(image if len(volume.voxels) > 1 else image[:, :, 0], str(path), True)
    return path
