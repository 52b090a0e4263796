"""Radiographs as NIfTI and NRRD, as 3D Slicer uploads a film that it shows, and for researchers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.types import Radiograph

NO_SPACING = (1.0, 1.0)
"""What programs write where they know no spacing; no detector has pixels of a millimetre."""


def read_image_file(path: Path, name: str) -> Radiograph:
    """Read a NIfTI or NRRD file of one radiograph. Bone is taken to be bright: viewers show and store it so.

    Columns and rows are taken as they are stored, like those of a picture. A radiograph has no place in the patient, so
    that the axes in the header are whatever the writing program puts there.

    Args:
        path: the file.
        name: how messages call it.

    Returns:
        The radiograph, without DICOM header and side; what was taken for granted is remarked.

    Raises:
        InputRefused: the file is damaged, of colours, or of more than one slice.
    """
    image = _one_slice(_read(path, name), name)
    values = SimpleITK.GetArrayViewFromImage(image).astype(np.float64)  # [H,W]
    if not np.isfinite(values).all():
        raise InputRefused(f"radiograph {name}", "must hold numbers only", "NaN or infinite values", "Export it again.")
    low, high = float(values.min()), float(values.max())
    pixels = ((values - low) / max(high - low, 1e-12)).astype(np.float32)
    column, row = image.GetSpacing()
    known = (round(row, 6), round(column, 6)) != NO_SPACING
    remarks = ["a file without DICOM header: bone is taken to be bright, the display to be the usual one"]
    remarks.append("pixel spacing of the file" if known else "the file's pixel spacing of 1 mm is taken as unknown")
    source = "image file" if known else "none"
    return Radiograph(pixels, (row, column) if known else None, source, (), "none", name, None, path, tuple(remarks))


def _read(path: Path, name: str) -> SimpleITK.Image:
    try:
        return SimpleITK.ReadImage(str(path))
    except RuntimeError:  # its text names the path
        raise InputRefused(
            f"radiograph {name}", "must be a complete NIfTI or NRRD file", "cut off or damaged", "Export it again."
        ) from None


def _one_slice(image: SimpleITK.Image, name: str) -> SimpleITK.Image:
    """The only slice of an image, as a two-dimensional one."""
    size = image.GetSize()
    if image.GetNumberOfComponentsPerPixel() != 1 or any(length != 1 for length in size[2:]) or len(size) < 2:
        shape = " x ".join(str(length) for length in size)
        raise InputRefused(
            f"radiograph {name}",
            "must be one grey picture",
            f"{shape} voxels with {image.GetNumberOfComponentsPerPixel()} values each",
            "Give the radiograph, not a volume.",
        )
    spacing = image.GetSpacing()[:2]
    flat = SimpleITK.GetImageFromArray(SimpleITK.GetArrayViewFromImage(image).reshape(size[1], size[0]))
    flat.SetSpacing(spacing)
    return flat
