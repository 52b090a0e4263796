"""The radiographic features of one knee."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Grading:
    """The 19 radiographic features of one knee (Wang 2024a, Table I) under their OAI names without visit prefix.

    Attributes:
        grades: OAI stem (``"XRKL"``, ``"XROSFM"`` ...) to grade; None or absent = unknown.
        source: where they come from: ``"structured report"``, ``"features file"``, ``"missing"`` ...
        remarks: what was clipped, ignored or used although preliminary.
        reference: SOP Instance UID of the report, if one was used.
    """

    grades: Mapping[str, int | None] = field(default_factory=dict)
    source: str = "missing"
    remarks: tuple[str, ...] = ()
    reference: str | None = None
