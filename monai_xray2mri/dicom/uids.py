"""UIDs that are a hash of what they name, so that equal UIDs mean equal bytes (DICOM PS3.5 annex B.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from io import BytesIO
from uuid import UUID

from pydicom import DataElement, Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element, write_dataset
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


def elements_digest(elements: Iterable[DataElement], character_set: str, known: dict[int, bytes]) -> bytes:
    """What :func:`dataset_digest` gives for a dataset of these elements, where many datasets share most of them.

    Args:
        elements: in the order of their tags, none of an ambiguous VR.
        character_set: Specific Character Set (0008,0005) of the dataset.
        known: bytes of elements that earlier calls have seen, by their identity; filled here. The elements must live
            and stay as they are while it is used.

    Returns:
        32 bytes.
    """
    found = hashlib.sha256()
    for element in elements:
        content = known.get(id(element))
        if content is None:
            buffer = DicomBytesIO()
            buffer.is_little_endian, buffer.is_implicit_VR = True, False
            write_data_element(buffer, element, character_set)
            content = known[id(element)] = buffer.getvalue()
        found.update(content)
    return found.digest()


def encoded(dataset: Dataset) -> bytes:
    """A dataset with file meta information as the bytes of a DICOM file (PS3.10)."""
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


IMPLEMENTATION_CLASS_UID = deterministic_uid("monai_xray2mri", "implementation class")
"""Names this software in the file meta information (PS3.7 D.3.3.2)."""

IMPLEMENTATION_VERSION_NAME = "MONAI_XRAY2MRI"
"""Implementation Version Name (0002,0013), at most 16 characters."""
