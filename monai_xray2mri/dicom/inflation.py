"""Deflated DICOM files (PS3.5 A.5) that would fill the memory when they are read."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Final

from pydicom.filereader import read_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian

from monai_xray2mri.errors import InputRefused

LARGEST_INFLATED: Final = 256_000_000
"""Bytes of the largest data set that is inflated: twice the finest film of 43 x 43 cm at 0.1 mm and 16 bits."""
_READ: Final = 1 << 16
"""Bytes that are read at a time."""
_GROWN: Final = 1 << 22
"""Bytes that are inflated at a time."""


def require_bounded(path: Path, name: str) -> None:
    """Refuse a deflated file that inflates to too much; pydicom would inflate it whole into memory.

    Files that are not deflated or not DICOM pass.

    Args:
        path: the file.
        name: how messages call it.

    Raises:
        InputRefused: it inflates to more than 256 MB.
    """
    try:
        meta = read_file_meta_info(path)
        deflated = meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian
        start = 144 + int(meta.get("FileMetaInformationGroupLength", 0))
    except Exception:  # not a Part 10 file: the function that reads it next says so
        return
    if deflated and _inflated_bytes(path, start) > LARGEST_INFLATED:
        raise InputRefused(
            f"file {name}",
            f"must inflate to at most {LARGEST_INFLATED // 1_000_000} MB",
            "more",
            "Send it in another transfer syntax.",
        )


def _inflated_bytes(path: Path, start: int) -> int:
    """Bytes that a raw deflate stream inflates to; counting stops at damage and above the limit, and keeps nothing."""
    inflater, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    with path.open("rb") as stream:
        stream.seek(start)
        try:
            while total <= LARGEST_INFLATED and not inflater.eof:
                packed = inflater.unconsumed_tail or stream.read(_READ)
                if not packed:
                    break
                total += len(inflater.decompress(packed, _GROWN))
        except zlib.error:  # damaged: the function that reads it next refuses it
            pass
    return total
