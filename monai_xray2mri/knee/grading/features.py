"""The 19 radiographic features (Wang 2024a, Table I) under their OAI names, and their one-hot code of width 61.

Table I misprints four of the names; here they stand as the OAI tables ``kXR_SQ_BU`` spell them, without the visit
prefix (``V00``). Missing means *unknown*, which is not the same as absent: absent is grade 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Literal

import numpy as np

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.grading.record import Grading

Site = Literal["Knee joint", "Femur", "Tibia"]
Compartment = Literal["medial", "lateral"]


@dataclass(frozen=True)
class Feature:
    """One radiographic feature.

    Attributes:
        stem: OAI variable name without visit prefix, e.g. ``"XROSFM"``.
        highest: highest grade in Table I; the lowest is 0.
        description: in words, as used for the code meaning of a report.
        site: the anatomy that is graded.
        compartment: of the knee; None for the whole joint.
    """

    stem: str
    highest: int
    description: str
    site: Site
    compartment: Compartment | None

    @property
    def width(self) -> int:
        """Number of grades, which is the width of this feature's one-hot code."""
        return self.highest + 1

    @property
    def method(self) -> Literal["KL", "OARSI"]:
        """The grading scale."""
        return "KL" if self.stem == "XRKL" else "OARSI"


def _compartment_features(compartment: Compartment) -> tuple[Feature, ...]:
    """The nine features of one compartment in the order of Table I."""
    letter = compartment[0].upper()

    def feature(stem: str, highest: int, description: str, site: Site) -> Feature:
        return Feature(f"{stem}{letter}", highest, f"{description}{compartment}", site, compartment)

    return (
        feature("XROSF", 3, "Osteophyte grade, femur ", "Femur"),
        feature("XRSCF", 3, "Sclerosis grade, femur ", "Femur"),
        feature("XRCYF", 1, "Cyst grade, femur ", "Femur"),
        feature("XRJS", 3, "Joint space narrowing grade, ", "Knee joint"),
        feature("XRCH", 1, "Chondrocalcinosis grade, ", "Knee joint"),
        feature("XROST", 3, "Osteophyte grade, tibia ", "Tibia"),
        feature("XRSCT", 3, "Sclerosis grade, tibia ", "Tibia"),
        feature("XRCYT", 1, "Cyst grade, tibia ", "Tibia"),
        feature("XRATT", 1, "Attrition grade, tibia ", "Tibia"),
    )


FEATURES: tuple[Feature, ...] = (
    *_compartment_features("medial"),
    Feature("XRKL", 4, "Kellgren and Lawrence grade", "Knee joint", None),
    *_compartment_features("lateral"),
)
"""The 19 features in the order of Table I."""

FEATURE_BY_STEM: Mapping[str, Feature] = {feature.stem: feature for feature in FEATURES}

ONE_HOT_WIDTH: int = sum(feature.width for feature in FEATURES)
"""10 features of four grades, 8 of two and Kellgren-Lawrence of five: 61 (Wang 2024a, section III-A)."""

MISPRINTS: Mapping[str, str] = {"XRSCSTM": "XRSCTM", "XRKLL": "XRKL", "XRJSLL": "XRJSL"}
"""Names of Table I that do not exist in OAI; its fourth misprint, ``V00XROSF M``, is a space and needs no entry.

``V00XRKLL`` does exist in OAI's MeasInventory, where it is the left knee's grade: its use earns a remark.
"""

_VISIT = re.compile(r"^V[0-9]{2}(?=XR)")
_LEADING_NUMBER = re.compile(r"^\s*([+-]?[0-9]+(?:[.,][0-9]*)?)\s*(?:$|:)")
_MISSING = re.compile(
    r"^\s*(?:(?:\.[A-Z]?\s*(?::.*)?)|#?n/?a|nan|<na>|null|none|nil|missing|unknown|[-\u2013?]+|"
    r"not (?:available|assessed|assessable|evaluated|graded|gradable|applicable|done)|n\.?[ad]\.?)?\s*$",
    re.DOTALL | re.IGNORECASE,
)
"""Texts that say that there is no grade: OAI's (``.``, ``.A``, ``.: Missing Form``), R's, pandas' and people's."""


def feature_stem(name: str) -> str | None:
    """The OAI stem that a name stands for, or None if it is none of the 19.

    Args:
        name: an OAI variable with or without visit prefix, in any case, or a name as Table I misprints it.
    """
    bare = _VISIT.sub("", re.sub(r"\s+", "", name).upper())
    bare = MISPRINTS.get(bare, bare)
    return bare if bare in FEATURE_BY_STEM else None


def says_missing(text: str) -> bool:
    """Whether a text says that there is no grade: ``.``, ``NA``, ``not assessed``."""
    return bool(_MISSING.match(text))


def leading_grade(value: object) -> float | None:
    """The number in an OAI value: ``2``, ``"2"``, ``"2: Grade 2"``; None where there is no number.

    Args:
        value: a grade as tables, files and reports hold it.
    """
    try:
        return _number(value)
    except ValueError:
        return None


def _number(value: object) -> float | None:
    """As `leading_grade`, None where the value says missing.

    Raises:
        ValueError: it says neither a number nor missing.
    """
    if value is None:
        return None
    if isinstance(value, str):
        if _MISSING.match(value):
            return None
        match = _LEADING_NUMBER.match(value)
        if match is None:
            raise ValueError("not a number")
        return float(match.group(1).replace(",", "."))
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError("not a number")
    number = float(value)
    if math.isinf(number):
        raise ValueError("not a finite number")
    return None if math.isnan(number) else number


def _grade(feature: Feature, value: object, name: str) -> tuple[int | None, list[str]]:
    """The grade of one feature within Table I's range, and what had to be changed for that."""
    try:
        number = _number(value)
    except ValueError as error:
        # A value may be free text of a report: its type tells the user enough and no patient.
        raise InputRefused(
            name,
            f"the grade of {feature.stem} must be a number",
            f"{type(value).__name__} that is {error}",
            f"Give 0 to {feature.highest}, or leave the feature out if it was not graded.",
        ) from None
    if number is None:
        return None, []
    if number < 0:
        raise InputRefused(
            name,
            f"the grade of {feature.stem} must not be negative",
            f"{number:g}",
            "Leave the feature out if it was not graded.",
        )
    grade, remarks = int(number), []
    if grade != number:
        remarks.append(f"{feature.stem}: {number:g} was truncated to {grade} (decimals grade change within a grade)")
    if grade > feature.highest:
        remarks.append(f"{feature.stem}: grade {grade} was taken as {feature.highest}, the highest of the model")
        grade = feature.highest
    return grade, remarks


def validate_grades(
    grades: Mapping[str, object],
    *,
    source: str = "features file",
    name: str = "features",
    reference: str | None = None,
) -> Grading:
    """Bring grades of one knee into the form that the model takes.

    Args:
        grades: OAI names (with or without ``V00``, also as Table I misprints them) to grades: whole numbers,
            decimals, or the OAI tables' texts such as ``"2: Grade 2"``; None, empty, NaN, ``"."``, ``".: Missing
            Form"`` or ``".A"``, ``"NA"`` or ``"not assessed"`` mean unknown.
        source: what `Grading.source` says.
        name: how messages call the input.
        reference: SOP Instance UID of the report that they come from.

    Returns:
        The grades under their stems in the order of Table I, clipped to its ranges; every change has a remark.

    Raises:
        InputRefused: unknown names (all are listed), a feature given twice, a grade that is negative or no number.
    """
    values: dict[str, object] = {}
    unknown, remarks = [], []
    for given, value in grades.items():
        stem = feature_stem(str(given))
        if stem is None:
            unknown.append(_shown(str(given)))
        elif stem in values:
            raise InputRefused(name, "each feature may be given once", f"{stem} twice", "Remove one of the two.")
        else:
            values[stem] = value
            remarks += _misprint_remark(str(given), stem)
    if unknown:
        raise InputRefused(
            name,
            "holds names that are none of the 19 features",
            ", ".join(unknown),
            f"The names are {', '.join(FEATURE_BY_STEM)}.",
        )
    result: dict[str, int | None] = {}
    for feature in FEATURES:
        if feature.stem in values:
            result[feature.stem], changed = _grade(feature, values[feature.stem], name)
            remarks += changed
    return Grading(grades=result, source=source, remarks=tuple(remarks), reference=reference)


def _shown(name: str) -> str:
    """A name as a message may show it: short, printable, and only if it looks like a variable."""
    return name if re.fullmatch(r"[A-Za-z][A-Za-z0-9_ ]{0,23}", name) else f"a text of {len(name)} characters"


def _misprint_remark(given: str, stem: str) -> list[str]:
    bare = _VISIT.sub("", re.sub(r"\s+", "", given).upper())
    return [f"{stem}: given as {bare}, the name in Table I of the paper"] if bare in MISPRINTS else []


def one_hot(grades: Mapping[str, int | None]) -> np.ndarray:
    """One-hot code of the 19 features, one block per feature in the order of Table I (Wang 2024a, section III-A).

    Args:
        grades: stems to grades, as `validate_grades` returns them; None or absent = unknown.

    Returns:
        [61] float32: a 1 at each known grade; the block of an unknown feature is all zeros.

    Raises:
        InputRefused: a name that is no stem, or a grade out of the feature's range.
    """
    strangers = [_shown(stem) for stem in grades if stem not in FEATURE_BY_STEM]
    if strangers:
        raise InputRefused(
            "features", "must be named by their OAI stems", ", ".join(strangers), "Use validate_grades first."
        )
    code = np.zeros(ONE_HOT_WIDTH, dtype=np.float32)
    start = 0
    for feature in FEATURES:
        grade = grades.get(feature.stem)
        if grade is not None:
            if not 0 <= grade <= feature.highest:
                raise InputRefused(
                    "features",
                    f"{feature.stem} ranges from 0 to {feature.highest}",
                    f"{grade}",
                    "Use validate_grades first.",
                )
            code[start + grade] = 1.0
        start += feature.width
    return code  # [61]
