"""What the codes of a hospital's own reports mean: a JSON file by coding scheme (``--codes``).

Example of such a file::

    {"99VENDOR": {"features": {"KL": "XRKL", "JSN": "XRJS"}, "grades": {"G2": 2, "NG": null}, "sides": {"RT": "R"}}}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.grading.features import FEATURE_BY_STEM, feature_stem
from monai_xray2mri.knee.grading.json_files import json_object, text_of_file
from monai_xray2mri.types import Side

FAMILIES: Final = ("XROS", "XRSC", "XRCY", "XRJS", "XRCH", "XRATT")
"""Features without bone and compartment, which a report's finding site and modifiers tell."""

Key = tuple[str, str]
"""(code value, coding scheme designator)."""

_LARGEST_GRADE = 4
_SHAPE = 'Give {"99SCHEME": {"features": {"CODE": "XRKL"}, "grades": {"CODE": 2}, "sides": {"CODE": "R"}}}.'


@dataclass(frozen=True)
class ReportCodes:
    """Codes of a hospital and what they mean.

    Attributes:
        features: to one of the 19 features, or a family of :data:`FAMILIES`.
        grades: to a grade; None: not gradable.
        sides: to a side.
    """

    features: Mapping[Key, str] = field(default_factory=dict)
    grades: Mapping[Key, int | None] = field(default_factory=dict)
    sides: Mapping[Key, Side] = field(default_factory=dict)


def read_report_codes(source: Path | str) -> ReportCodes:
    """Read what codes mean.

    Args:
        source: a JSON file, or its content.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        InputRefused: it is not of this shape; the message names the scheme and the code.
    """
    if isinstance(source, Path):
        name = f"codes file {source.name}"
        content = json_object(text_of_file(source, name, _SHAPE), name, _SHAPE)
    else:
        name = "codes"
        content = json_object(source, name, _SHAPE)
    found = ReportCodes({}, {}, {})
    readers = {"features": (_feature, found.features), "grades": (_grade, found.grades), "sides": (_side, found.sides)}
    for scheme, groups in content.items():
        if not isinstance(groups, Mapping) or not scheme.strip() or len(scheme) > 16:
            raise InputRefused(name, "must map coding schemes of at most 16 characters to groups", scheme[:40], _SHAPE)
        for group, codes in groups.items():
            if group not in readers or not isinstance(codes, Mapping):
                raise InputRefused(name, f"{scheme} must hold features, grades or sides", f"{group[:40]}", _SHAPE)
            read, into = readers[group]
            into.update(_read_group(codes, scheme.strip(), read, name))  # type: ignore[attr-defined]
    return found


def _read_group(codes: Mapping[str, Any], scheme: str, read: Callable[[Any], Any], name: str) -> dict[Key, Any]:
    """The codes of one scheme; an error names code and value."""
    meant = {}
    for code, value in codes.items():
        try:
            meant[code.strip(), scheme] = read(value)
        except ValueError as error:
            raise InputRefused(name, f"({code[:16]}, {scheme}) must be {error}", repr(value)[:40], _SHAPE) from None
    return meant


def _feature(value: Any) -> str:
    stem = feature_stem(value) if isinstance(value, str) else None
    family = str(value).strip().upper()
    if stem is None and family not in FAMILIES:
        raise ValueError(f"one of {', '.join((*FEATURE_BY_STEM, *FAMILIES))}")
    return stem or family


def _grade(value: Any) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if value is not None and not (whole and 0 <= value <= _LARGEST_GRADE):
        raise ValueError(f"a whole number from 0 to {_LARGEST_GRADE}, or null where it means that there is no grade")
    return value


def _side(value: Any) -> Side:
    try:
        return Side(str(value).strip().upper())
    except ValueError:
        raise ValueError("R or L") from None
