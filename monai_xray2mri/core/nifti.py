"""NIfTI files for researchers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK

from monai_xray2mri.core.wording import SHORT_DISCLAIMER
from monai_xray2mri.types import Volume


def write_nifti(path: Path, volume: Volume) -> None:
    """Write a volume with its geometry (SimpleITK turns LPS into NIfTI's RAS).

    Args:
        path: a file named ``.nii`` or ``.nii.gz``.
        volume: [S,H,W] and its affine.
    """
    SimpleITK.WriteImage(image_of(volume), str(path))


def image_of(volume: Volume) -> SimpleITK.Image:
    """A volume with its geometry and what it is, as SimpleITK writes it to files of many kinds.

    Args:
        volume: [S,H,W] and its affine.
    """
    image = SimpleITK.GetImageFromArray(volume.voxels)
    spacing = np.linalg.norm(volume.affine[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(volume.affine[:3, 3].tolist())
    image.SetDirection((volume.affine[:3, :3] / spacing).flatten().tolist())
    image.SetMetaData("ITK_FileNotes", SHORT_DISCLAIMER)  # becomes the header's descrip (79 characters at most)
    return image
