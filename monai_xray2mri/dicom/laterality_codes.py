"""Codes of sides of the body: PS3.16 CID 244, in SNOMED CT and in its older identifiers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from pydicom.sr.coding import Code

from monai_xray2mri.types import Side

Laterality = Literal["R", "L", "B"]
"""Right, left, both; the letters of Image Laterality (0020,0062)."""

LATERALITY_CODES: Final[Mapping[tuple[str, str], Laterality]] = {
    ("24028007", "SCT"): "R",
    ("7771000", "SCT"): "L",
    ("51440002", "SCT"): "B",
    ("G-A100", "SRT"): "R",
    ("G-A101", "SRT"): "L",
    ("G-A102", "SRT"): "B",
}
"""(code value, coding scheme) to side, as files of any age say it."""

SIDE_CODES: Final[Mapping[Side, Code]] = {
    side: Code(value, scheme, side.word.capitalize())
    for (value, scheme), letter in LATERALITY_CODES.items()
    if scheme == "SCT"
    for side in Side
    if side == letter
}
"""The codes that are written."""
