"""How many bits the values of a compressed image have, and how many values there are, by the codestream itself.

A codestream is decoded by its own numbers; what Bits Stored (0028,0101) says beside it may come from another program.
JPEG and JPEG-LS: precision P, lines Y and samples per line X of the frame header (ITU-T T.81 B.2.2, T.87 C.2.2). JPEG
2000: Ssiz, Xsiz, Ysiz and their offsets of the SIZ marker segment (ITU-T T.800 A.5.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_SOI, _SOC = b"\xff\xd8", b"\xff\x4f"
_FRAME_HEADERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
"""Second bytes of SOF0 to SOF15, without DHT, JPG and DAC, and of JPEG-LS's SOF55."""
_WITHOUT_LENGTH: Final = frozenset((0x01, *range(0xD0, 0xD9)))
"""Second bytes of markers that stand alone: TEM, RST, SOI."""
_SSIZ: Final = 42
"""Place of the first component's Ssiz behind SOC, SIZ, its length, capabilities, eight sizes and the count."""


@dataclass(frozen=True)
class Precision:
    """What a codestream says of its values.

    Attributes:
        bits: of each value, the sign included.
        signed: whether values are signed; JPEG and JPEG-LS know unsigned ones only.
    """

    bits: int
    signed: bool = False


def precision_of(codestream: bytes) -> Precision | None:
    """The precision of a codestream of JPEG, JPEG-LS or JPEG 2000; None if it does not tell.

    Args:
        codestream: of one image; JPEG 2000 also inside the boxes of a JP2 file.

    Example:
        >>> precision_of(bytes.fromhex("ffd8 ffc3 000b 0c 0010 0010 01 01 11 00"))
        Precision(bits=12, signed=False)
    """
    if codestream.startswith(_SOI):
        header = _frame_header(codestream)
        return Precision(header[4]) if len(header) > 4 else None
    header = _size_segment(codestream)
    if not header:
        return None
    size = header[_SSIZ]
    return Precision((size & 0x7F) + 1, bool(size & 0x80))


def size_of(codestream: bytes) -> tuple[int, int] | None:
    """Rows and columns of a codestream of JPEG, JPEG-LS or JPEG 2000; None if it does not tell.

    A decoder makes room for so many values before it reads the first: a few bytes can ask for all memory.

    Args:
        codestream: see :func:`precision_of`.

    Example:
        >>> size_of(bytes.fromhex("ffd8 ffc3 000b 0c 0010 0020 01 01 11 00"))
        (16, 32)
    """
    if codestream.startswith(_SOI):
        header = _frame_header(codestream)
        rows, columns = (int.from_bytes(header[place : place + 2], "big") for place in (5, 7))
        return (rows, columns) if rows and columns else None  # 0 rows: they are told behind the first scan
    header = _size_segment(codestream)
    if not header:
        return None
    width, height, left, top = (int.from_bytes(header[place : place + 4], "big") for place in (8, 12, 16, 20))
    return height - top, width - left


def _size_segment(codestream: bytes) -> bytes:
    """JPEG 2000 from its first byte to the first component's Ssiz; empty if it is cut off before."""
    start = codestream.find(_SOC + b"\xff\x51")
    header = codestream[start : start + _SSIZ + 1] if start >= 0 else b""
    return header if len(header) > _SSIZ else b""


def _frame_header(codestream: bytes) -> bytes:
    """JPEG's frame header with its marker, found from marker segment to marker segment; empty if there is none."""
    place = len(_SOI)
    while place + 4 < len(codestream):
        if codestream[place] != 0xFF:
            return b""
        kind = codestream[place + 1]
        if kind in _FRAME_HEADERS:
            return codestream[place : place + 9]
        if kind == 0xFF:  # a fill byte
            place += 1
        elif kind in _WITHOUT_LENGTH:
            place += 2
        else:
            place += 2 + int.from_bytes(codestream[place + 2 : place + 4], "big")
    return b""
