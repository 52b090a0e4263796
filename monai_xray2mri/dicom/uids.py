"""UIDs that are a hash of what they name, so that equal UIDs mean equal bytes (DICOM PS3.5 annex B.2)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from io import BytesIO
from uuid import UUID

import numpy as np
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import UID

Hashable = str | bytes | int | float | bool | np.ndarray | Mapping | Sequence | None
"""What `fingerprint` takes: texts, numbers, arrays, and mappings and sequences of them."""


def fingerprint(*parts: Hashable) -> bytes:
    """SHA-256 of values; equal values give equal digests on every machine, in every run.

    Args:
        parts: the values. Arrays count with data type and shape, mappings without regard to order; tuples and lists
            are the same, as are -0 and 0.

    Returns:
        32 bytes.

    Raises:
        TypeError: a value whose content is not defined, such as an object of a class of one's own.
    """
    digest = hashlib.sha256()
    for part in parts:
        for chunk in _chunks(part):
            digest.update(len(chunk).to_bytes(8, "big"))
            digest.update(chunk)
    return digest.digest()


def _chunks(value: object) -> Iterable[bytes]:
    """A value as bytes that tell its kind, so that ``1`` and ``"1"`` differ."""
    if isinstance(value, bytes):
        yield b"bytes"
        yield value
    elif isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value)
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        yield f"array {little.dtype.str} {little.shape}".encode()
        yield little.tobytes()
    else:
        yield b"json"
        yield json.dumps(value, sort_keys=True, ensure_ascii=True, default=_plain).encode()


def _plain(value: object) -> object:
    """Values that JSON does not know but that have a defined content."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"Cannot hash a value of type {type(value).__name__}.")


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


def package_version() -> str:
    """Version of the installed package; ``"unknown"`` where it runs from an uninstalled source tree."""
    try:
        return metadata.version("monai-xray2mri")
    except metadata.PackageNotFoundError:
        return "unknown"


IMPLEMENTATION_CLASS_UID = deterministic_uid("monai_xray2mri", "implementation class")
"""Names this software in the file meta information (PS3.7 D.3.3.2)."""

IMPLEMENTATION_VERSION_NAME = "MONAI_XRAY2MRI"
"""Implementation Version Name (0002,0013), at most 16 characters."""
