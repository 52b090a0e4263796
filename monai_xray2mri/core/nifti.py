"""NIfTI files for researchers."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Final

import numpy as np
import SimpleITK

from monai_xray2mri.core.wording import SHORT_DISCLAIMER
from monai_xray2mri.types import Volume

_FLOATS: Final = {16: "f4", 64: "f8"}
"""Codes of floating point numbers in a NIfTI header, and NumPy's names of them."""
_HEADERS: Final = {348: (70, "h", 108, "f"), 540: (12, "h", 168, "q")}
"""Length of a header, of NIfTI-1 and NIfTI-2, to place and kind of ``datatype`` and ``vox_offset`` in it."""
_CHUNK: Final = 1 << 24
"""Bytes at a time."""


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


def numbers_missing(path: Path) -> int:
    """Voxels of a NIfTI file that are NaN or infinite: ITK reads them as 0, and nobody would know.

    Args:
        path: a file that ITK can read, compressed or not.

    Returns:
        Their number; 0 where voxels are integers.
    """
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    with gzip.open(path) if compressed else path.open("rb") as stream:
        found = 0
        for values in _float_voxels(stream):
            found += int(np.count_nonzero(~np.isfinite(values)))
    return found


def _float_voxels(stream: gzip.GzipFile | BufferedReader) -> Iterator[np.ndarray]:
    """The voxels of a file in pieces, where they are floating point numbers."""
    head = stream.read(max(_HEADERS))
    for order in "<>":
        layout = _HEADERS.get(struct.unpack_from(f"{order}i", head)[0])
        if layout is not None:
            break
    else:
        return
    type_at, type_kind, offset_at, offset_kind = layout
    kind = _FLOATS.get(struct.unpack_from(order + type_kind, head, type_at)[0])
    if kind is None:
        return
    dtype = np.dtype(order + kind)
    stream.seek(int(struct.unpack_from(order + offset_kind, head, offset_at)[0]))
    while chunk := stream.read(_CHUNK):
        yield np.frombuffer(chunk[: len(chunk) // dtype.itemsize * dtype.itemsize], dtype)
