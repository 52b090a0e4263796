"""MONAI's view of saving: volumes in patient space as NIfTI files."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from monai.transforms import SaveImaged

from monai_xray2mri.core.nifti import write_nifti
from monai_xray2mri.types import Volume

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""MONAI's affines map to RAS millimeters, DICOM's to LPS."""


class SaveVolumed(SaveImaged):
    """Writes volumes in patient space as NIfTI files named after their sources.

    Who leaves MONAI's ``SaveImaged`` out of a postprocessing, since it writes files itself, leaves this out, too.

    MONAI 1.6's own ``SaveImaged`` takes a single-channel volume for two-dimensional and fails on the affine of coronal
    slices, whose in-plane block is singular.

    Args:
        keys: keys of volumes.
        output_dir: folder, made if missing.
        postfix: behind the source's name.
    """

    def __init__(self, keys: Any, output_dir: str, postfix: str = "synthetic_mri") -> None:
        super().__init__(keys)
        self.output_dir, self.postfix = Path(output_dir), postfix

    def __call__(self, data: Mapping[Hashable, Any]) -> Mapping[Hashable, Any]:
        """Write; the data stay as they are."""
        self.output_dir.mkdir(parents=True, exist_ok=True)
        for key in self.key_iterator(dict(data)):
            volume = data[key]
            voxels = volume[0].cpu().numpy().transpose(2, 0, 1)  # [S,H,W]
            affine = (LPS_TO_RAS @ volume.affine.cpu().numpy())[:, [1, 0, 2, 3]]  # of (column, row, slice), LPS
            name = Path(str(volume.meta["filename_or_obj"]).removesuffix(".gz")).stem
            write_nifti(self.output_dir / f"{name}_{self.postfix}.nii.gz", Volume(voxels, affine))
        return data
