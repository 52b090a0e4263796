"""Who and what a result is: fingerprints of values, and the version of this package."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import metadata

import numpy as np

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


@cache
def package_version() -> str:
    """Version of the installed package; ``"unknown"`` where it runs from an uninstalled source tree."""
    try:
        return metadata.version("monai-xray2mri")
    except metadata.PackageNotFoundError:
        return "unknown"
