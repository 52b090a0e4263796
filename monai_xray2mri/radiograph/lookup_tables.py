"""Look-up tables of a header (PS3.3 C.11.1.1.1, C.11.2.1.1), also those whose descriptor does not fit their data.

pydicom applies tables as they are described: it reads packed entries of 8 bits as words, takes 16 bits for entries of
12, and wraps values where entries have 8 bits. Here the entries decide what can be decided by them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from pydicom import Dataset

FEWEST_UNUSED_BITS = 2
"""Bits that a descriptor has more than its highest entry from where on the entries are believed: nobody would look at a
table that leaves three quarters of its range unused."""


class Unusable(ValueError):
    """A table, window or rescale that cannot be applied; the text says why, and quotes numbers only."""


@dataclass(frozen=True)
class LookUpTable:
    """A table that can be applied.

    Attributes:
        entries: [N] float64.
        first: value that the first entry belongs to; lower ones get it, too, higher ones than the last get the last.
        highest: largest entry that the table could have.
        remarks: where the descriptor was not followed.
    """

    entries: np.ndarray
    first: int
    highest: float
    remarks: tuple[str, ...] = ()

    def apply(self, values: np.ndarray) -> np.ndarray:
        """The entries of values of any shape: float64 of that shape."""
        places = np.clip(np.rint(values).astype(np.int64) - self.first, 0, len(self.entries) - 1)
        result: np.ndarray = self.entries[places]
        return result

    def shifted(self, values: np.ndarray) -> LookUpTable:
        """The table with the sign of its first value that reaches the values of an image, where its own does not.

        The first value is of VR US or SS as Pixel Representation says, and often of the other one.
        """
        low, high = float(values.min()), float(values.max())
        for turn in (1 << 16, -(1 << 16)):
            moved = self.first + turn
            if not self._reaches(self.first, low, high) and self._reaches(moved, low, high):
                remark = f"the first value of LUT Descriptor (0028,3002), {self.first}, is read as {moved}"
                return replace(self, first=moved, remarks=(*self.remarks, remark))
        return self

    def _reaches(self, first: int, low: float, high: float) -> bool:
        return first <= high and first + len(self.entries) - 1 >= low and low != high


def read_table(item: Dataset, little_endian: bool) -> LookUpTable:
    """The table of an item of Modality LUT Sequence or VOI LUT Sequence.

    Args:
        item: with LUT Descriptor and LUT Data.
        little_endian: byte order of its file, for entries that are stored as words.

    Raises:
        Unusable: something is missing, too short, or the same for all values.
    """
    count, first, bits = _descriptor(item)
    words = _words(item, little_endian)
    entries, remarks = _entries(words, count, bits)
    highest = int(entries.max())
    if highest == int(entries.min()):
        raise Unusable(f"LUT Data (0028,3006) hold {highest} for every value")
    needed = max(highest.bit_length(), 8)
    if not needed <= bits < needed + FEWEST_UNUSED_BITS:
        remarks += (f"LUT Descriptor (0028,3002) says {bits} bits, the entries have {needed}",)
        bits = needed
    return LookUpTable(entries.astype(np.float64), first, float(2**bits - 1), remarks)


def _descriptor(item: Dataset) -> tuple[int, int, int]:
    """Count of entries, first value, bits of an entry."""
    if not len(item):
        raise Unusable("an empty item")
    value = item.get("LUTDescriptor")
    numbers = [] if value is None or isinstance(value, str | bytes | int | float) else list(value)
    if len(numbers) != 3 or not all(isinstance(number, int) for number in numbers):
        raise Unusable("LUT Descriptor (0028,3002) is not three whole numbers")
    count, first, bits = numbers
    return count % (1 << 16) or 1 << 16, first, bits


def _words(item: Dataset, little_endian: bool) -> np.ndarray:
    """LUT Data as words of 16 bits, [N] uint16, whatever their value representation."""
    data = item.get("LUTData")
    if isinstance(data, bytes) and data:
        whole = data + b"\0" * (len(data) % 2)
        return np.frombuffer(whole, "<u2" if little_endian else ">u2").astype(np.uint16)
    numbers = [data] if isinstance(data, int) else [] if data is None or isinstance(data, str | bytes) else list(data)
    if not numbers or not all(isinstance(number, int) for number in numbers):
        raise Unusable("LUT Data (0028,3006) are missing")
    return (np.asarray(numbers, np.int64) % (1 << 16)).astype(np.uint16)


def _entries(words: np.ndarray, count: int, bits: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """As many entries as the descriptor says; two of them in a word where there are half as many words."""
    if len(words) >= count:
        return words[:count], ()
    if len(words) != (count + 1) // 2:
        raise Unusable(f"LUT Data (0028,3006) hold {len(words)} words for {count} entries")
    packed = words.astype("<u2").view(np.uint8)[:count]
    told = () if bits == 8 else (f"LUT Descriptor (0028,3002) says {bits} bits, the entries are bytes",)
    return packed.astype(np.uint16), told
