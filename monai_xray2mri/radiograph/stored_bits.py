"""Which bits of what is stored are the values of an image, and whether they are signed.

Bits Stored, High Bit and Pixel Representation say it (PS3.5 8.1.1), and now and then say it wrongly: values need more
bits than are declared, or unused bits hold an overlay, as they might before 2004, a sign or rubbish. To cut values off
is to wrap them: the brightest becomes the darkest. So where a bit outside of the declared ones is set, each reading is
tried, and the picture decides: wrapped values and overlays make jumps, a radiograph has few.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from pydicom import Dataset

MOST_OVERLAYS = 4
"""Different contents of the bits above the declared ones that can be overlays, of two planes; more are values."""
_OVERLAY_GROUPS = range(0x6000, 0x6020, 2)


@dataclass(frozen=True)
class Layout:
    """Where the values of an image lie in what is stored.

    Attributes:
        container: bits in which a value lies: Bits Allocated, or the precision of a codestream.
        bits: that are declared to be a value, in the lowest places.
        signed: whether values are declared to be in two's complement.
    """

    container: int
    bits: int
    signed: bool

    def values(self, codes: np.ndarray) -> np.ndarray:
        """The values of stored codes [H,W] int32: bits above are removed, signs extended."""
        kept = codes & ((1 << self.bits) - 1)
        if not self.signed:
            return kept
        sign = 1 << (self.bits - 1)
        return (kept ^ sign) - sign


def read_values(codes: np.ndarray, declared: Layout, dataset: Dataset) -> tuple[np.ndarray, tuple[str, ...]]:
    """The values of stored codes, by the declared layout or, where bits outside of it are set, by the smoothest one.

    Args:
        codes: [H,W] int32 >= 0, as many bits as the container has, without the planes of overlays.
        declared: what the header, or the codestream, says.
        dataset: the header; Pixel Padding Value tells what is no value.

    Returns:
        [H,W] int32 values, padding as the header names it; and remarks where the declared layout was not followed.
    """
    if not declared.signed and not int(codes.max()) >> declared.bits:
        return codes, ()  # nearly every film
    whole = replace(declared, bits=declared.container)
    everything = whole.values(codes)
    empty = padding_of(everything, dataset)
    seen = np.where(empty, 0, codes)
    chosen = _chosen(seen, declared, whole)
    return np.where(empty, everything, chosen.values(codes)), _remarks(seen, chosen, declared, whole)


def _chosen(codes: np.ndarray, declared: Layout, whole: Layout) -> Layout:
    """The layout to follow: the first that comes into question, until another makes a smoother picture."""
    chosen, *challengers = _candidates(codes, declared, whole)
    shown = chosen.values(codes)
    for challenger in challengers:
        values = challenger.values(codes)
        if _is_smoother(values, shown):
            chosen, shown = challenger, values
    return chosen


def _candidates(codes: np.ndarray, declared: Layout, whole: Layout) -> list[Layout]:
    """What stored bits can mean that are signed, or more than are declared."""
    if np.array_equal(declared.values(codes), whole.values(codes)):
        return [declared, *([replace(whole, signed=False)] if declared.signed else [])]
    above = np.unique(codes >> declared.bits)
    needed = declared.bits + int(above.max()).bit_length()
    widest = declared.container if declared.signed else needed
    widths = range(declared.bits, widest + 1) if len(above) <= MOST_OVERLAYS else (widest,)
    signs = (declared.signed, not declared.signed)
    return [replace(declared, bits=bits, signed=signed) for signed in signs for bits in widths]


def _is_smoother(values: np.ndarray, others: np.ndarray) -> bool:
    """Whether more neighbors lie clearly nearer in one picture than in the other, [H,W] both, than the reverse."""
    votes = 0
    for axis in (0, 1):
        ours, theirs = np.abs(np.diff(values, axis=axis)), np.abs(np.diff(others, axis=axis))
        votes += int((2 * ours < theirs).sum()) - int((2 * theirs < ours).sum())
    return votes > 0


def _remarks(codes: np.ndarray, chosen: Layout, declared: Layout, whole: Layout) -> tuple[str, ...]:
    remarks = []
    values = chosen.values(codes)
    if chosen.bits > declared.bits:
        bits = _needed_bits(values, chosen.signed)
        remarks.append(f"values of {bits} bits are used, Bits Stored (0028,0101) says {declared.bits}")
    elif np.any((codes >> chosen.bits)[values != whole.values(codes)]):
        remarks.append(f"bits above the {chosen.bits} of Bits Stored (0028,0101) are set and were left out")
    if chosen.signed is not declared.signed:
        remarks.append(sign_remark(chosen.signed))
    return tuple(remarks)


def _needed_bits(values: np.ndarray, signed: bool) -> int:
    magnitude = max(int(values.max()), -int(values.min()) - 1, 0)
    return magnitude.bit_length() + signed


def sign_remark(signed: bool) -> str:
    """What to say where values are not of the sign that the header says."""
    taken, said = ("signed", 0) if signed else ("unsigned", 1)
    return f"values are taken as {taken}, Pixel Representation (0028,0103) says {said}"


def padding_of(values: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Where the detector saw nothing (Pixel Padding Value and Range Limit, PS3.3 C.7.5.1.1.2): [H,W] bool.

    Args:
        values: [H,W] stored values.
        dataset: the header. A padding value of the other sign, as some explicit VR files have it, means the same bits;
            one that is no number means nothing.
    """
    ends = [dataset.get(keyword) for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    numbers = [_same_bits(end, bool(dataset.get("PixelRepresentation"))) for end in ends if isinstance(end, int)]
    if not isinstance(ends[0], int):
        return np.zeros(values.shape, dtype=bool)
    return (values >= min(numbers)) & (values <= max(numbers))


def _same_bits(value: int, signed: bool) -> int:
    """A number of 16 bits with the sign that values have."""
    if signed:
        return value - (1 << 16) if value >= 1 << 15 else value
    return value + (1 << 16) if value < 0 else value


def overlay_planes(dataset: Dataset) -> int:
    """A mask of the bits of Pixel Data that hold overlays, as files had them before 2004 (PS3.3 C.9.2, retired).

    Args:
        dataset: a header.
    """
    mask = 0
    for group in _OVERLAY_GROUPS:
        allocated, place = (_integer(dataset, group, element) for element in (0x0100, 0x0102))
        if allocated != 1 and 0 < place < 16 and (group, 0x3000) not in dataset:
            mask |= 1 << place
    return mask


def _integer(dataset: Dataset, group: int, element: int) -> int:
    value = dataset.get((group, element))
    return value.value if value is not None and isinstance(value.value, int) else 0
