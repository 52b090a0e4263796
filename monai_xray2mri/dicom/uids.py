"""UIDs that are a hash of what they name, so that equal UIDs mean equal bytes (DICOM PS3.5 annex B.2)."""

from __future__ import annotations

import hashlib
from io import BytesIO
from uuid import UUID

from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import UID

from monai_xray2mri.core.identity import Hashable, fingerprint


def deterministic_uid(*parts: Hashable) -> UID:
    """A UID below 2.25 (PS3.5 B.2: derived from a UUID) that depends on the values alone.

    Args:
        parts: what the UID names, as for `fingerprint`.

    Returns:
        ``2.25.`` and the decimal form of a name-based UUID made of the first 128 bits of the SHA-256.
    """
    return UID(f"2.25.{UUID(bytes=fingerprint(*parts)[:16], version=5).int}")


def dataset_digest(dataset: Dataset) -> bytes:
    """SHA-256 of a dataset as written in Explicit VR Little Endian, without file meta information.

    Args:
        dataset: a dataset whose own UIDs are not yet set (or are placeholders).

    Returns:
        32 bytes.
    """
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, dataset)
    return hashlib.sha256(buffer.getvalue()).digest()


def encoded(dataset: Dataset) -> bytes:
    """A dataset with file meta information as the bytes of a DICOM file (PS3.10)."""
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


IMPLEMENTATION_CLASS_UID = deterministic_uid("monai_xray2mri", "implementation class")
"""Names this software in the file meta information (PS3.7 D.3.3.2)."""

IMPLEMENTATION_VERSION_NAME = "MONAI_XRAY2MRI"
"""Implementation Version Name (0002,0013), at most 16 characters."""
