"""Knees of fastMRI (Zbontar et al. 2018): k-space in HDF5 to a volume of magnitudes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import numpy as np

from monai_xray2mri.core.volumes import volume_affine
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.runtime.optional import optional_library
from monai_xray2mri.systems.mri_xdiffusion.volumes.reading import ReadVolume
from monai_xray2mri.types import Volume

CROP: Final = 320
"""Pixels per side of what fastMRI evaluates: the center, without the oversampled border."""
_NAMES: Final = {"ismrmrd": "http://www.ismrm.org/ISMRMRD"}


def read_fastmri(path: Path) -> tuple[ReadVolume, str]:
    """A volume, the root sum of squares over coils of its center, and the patient that the file names.

    The file says how large its voxels are, and neither where it lies nor how it is turned: it is taken for coronal,
    front first, the patient upright.

    Args:
        path: an HDF5 file with ``kspace``, [S,H,W] of one coil or [S,coils,H,W], and ``ismrmrd_header``.

    Raises:
        UsageError: h5py is not installed.
        InputRefused: it is no such file.
    """
    name = f"volume {path.name}"
    library = optional_library("h5py", "fastmri")
    try:
        with library.File(path, "r") as file:
            kspace, header = np.asarray(file["kspace"]), bytes(file["ismrmrd_header"][()])
            patient = str(file.attrs.get("patient_id", path.stem))
    except (OSError, KeyError, ValueError) as error:
        rule = "must be HDF5 with kspace and ismrmrd_header"
        raise InputRefused(name, rule, type(error).__name__) from error
    if kspace.ndim not in (3, 4) or min(kspace.shape[-2:]) < CROP:
        raise InputRefused(name, f"must have k-space of {CROP} x {CROP} at least, by slice", f"{kspace.shape}")
    column, row, slice_ = _voxel_mm(header, name)
    voxels = magnitudes(kspace)
    if not np.isfinite(voxels).all() or voxels.min() == voxels.max():
        raise InputRefused(name, "must show something", "values that are no number, or one value everywhere")
    affine = volume_affine(CROP, CROP, len(voxels), column, slice_)
    affine[:3, 1] *= row / column
    return ReadVolume(Volume(voxels, affine), name, remarks=(f"{name}: taken for coronal, front first",)), patient


def magnitudes(kspace: np.ndarray) -> np.ndarray:
    """Magnitudes [S,320,320] float32 of k-space [S,H,W] or [S,coils,H,W], by the root sum of squares over coils."""
    axes = (-2, -1)
    coils = kspace if kspace.ndim == 4 else kspace[:, None]
    total = np.zeros((len(coils), CROP, CROP), np.float64)
    for number in range(coils.shape[1]):  # one coil at a time: all of them fill gigabytes
        image = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(coils[:, number], axes), norm="ortho"), axes)
        top, left = ((length - CROP) // 2 for length in image.shape[-2:])
        total += np.abs(image[:, top : top + CROP, left : left + CROP]) ** 2
    return np.sqrt(total).astype(np.float32)


def _voxel_mm(header: bytes, name: str) -> tuple[float, float, float]:
    """Size of a voxel along columns, rows and slices, from the ISMRMRD header."""
    try:
        space: Any = ElementTree.fromstring(header).find("ismrmrd:encoding/ismrmrd:reconSpace", _NAMES)
        sizes = [
            float(space.findtext(f"ismrmrd:fieldOfView_mm/ismrmrd:{axis}", "", _NAMES))
            / float(space.findtext(f"ismrmrd:matrixSize/ismrmrd:{axis}", "", _NAMES))
            for axis in "xyz"
        ]
    except (ElementTree.ParseError, AttributeError, ValueError, ZeroDivisionError) as error:
        rule = "must tell the size of its voxels in the header's reconSpace"
        raise InputRefused(name, rule, type(error).__name__) from error
    return sizes[0], sizes[1], sizes[2]
