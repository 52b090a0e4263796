"""Grades as reports write them: numbers, "Grade 2", roman numerals, codes such as GRADE2, and words of the scales.

Words for Kellgren-Lawrence are those of its authors (Kellgren and Lawrence 1957: none, doubtful, minimal, moderate,
severe); for the others those of the OARSI atlas (normal, mild, moderate, severe) and, of features that are there or
not, absent and present.
"""

from __future__ import annotations

import math
import re
from contextlib import suppress
from typing import Final

from monai_xray2mri.dicom.structured_report import ReportCode
from monai_xray2mri.knee.grading.features import Feature, leading_grade, says_missing
from monai_xray2mri.knee.grading.report_codes import ReportCodes
from monai_xray2mri.radiograph.side_vocabulary import fold

PUBLISHED: Final = {"KL": 4, "OARSI": 3}
"""Highest grade of each scale; a larger number is none of it."""

_NAMES = (
    r"(?:kellgren[ &/-]*(?:and )?lawrence|k[ /&-]?l[gs]?|oarsi|jsn|grading|grade[ds]?|grado|grad|grau|gr|g|stage|"
    r"stadium|stade|score|class|category|cat|type|typ|osteophytes?|sclerosis)"
)
_GRADE = re.compile(rf"(?:{_NAMES}[\s.:#=_-]*)*(?P<grade>\d(?:[.,]\d+)?|i{{1,3}}|iv)(?![a-z\d])(?P<rest>.*)", re.DOTALL)
_ANOTHER = re.compile(r"\d|\b(?:i{1,3}|iv)\b|^\s*(?:[/+-]\s*$|to\b|or\b)")
_ROMAN: Final = {"i": 1, "ii": 2, "iii": 3, "iv": 4}
_STANDARD_SCHEMES: Final = frozenset(
    ("SCT", "SRT", "SNM3", "99SDM", "LN", "DCM", "UCUM", "RADLEX", "NCIT", "FMA", "UMLS")
)
_KL_WORDS: Final = {
    "none": 0, "normal": 0, "absent": 0, "no": 0, "doubtful": 1, "questionable": 1, "minimal": 2, "mild": 2,
    "moderate": 3, "severe": 4,
}  # fmt: skip
_OARSI_WORDS: Final = {
    "none": 0, "normal": 0, "absent": 0, "no": 0, "mild": 1, "minimal": 1, "moderate": 2, "severe": 3, "marked": 3,
}  # fmt: skip
_PRESENCE: Final = {
    "none": 0, "normal": 0, "absent": 0, "no": 0, "negative": 0, "present": 1, "yes": 1, "positive": 1,
}  # fmt: skip


class NotUnderstood(ValueError):
    """A value that is no grade; its text says why, without quoting the report."""


def grade_of(feature: Feature, value: float | str | ReportCode | None, codes: ReportCodes) -> float | None:
    """The grade in the value of a report's item.

    Args:
        feature: that it grades.
        value: of the item.
        codes: of the hospital's own.

    Returns:
        The grade; None where the report says that there is none.

    Raises:
        NotUnderstood: it is no grade of this feature.
    """
    if isinstance(value, ReportCode):
        grade = _of_code(feature, value, codes)
    elif isinstance(value, str):
        grade = _of_text(feature, value)
    else:
        grade = None if value is None or math.isnan(value) else value
    if grade is not None and not 0 <= grade < math.inf:
        raise NotUnderstood("a negative or infinite number")
    return grade


def within_scale(feature: Feature, grade: float | None) -> float | None:
    """A grade of a concept that is no OAI name: one of its scale.

    Raises:
        NotUnderstood: it lies between or beyond the scale's grades.
    """
    highest = PUBLISHED[feature.method]
    if grade is not None and (grade > highest or grade != int(grade)):
        raise NotUnderstood(f"a number that is none of the grades 0 to {highest}")
    return grade


def _of_code(feature: Feature, code: ReportCode, codes: ReportCodes) -> float | None:
    """The grade that a code means: by the hospital's own mapping, by its meaning, by its value."""
    key = code.value, code.scheme
    if key in codes.grades:
        return codes.grades[key]
    texts = [code.meaning]
    if code.scheme.upper() not in _STANDARD_SCHEMES:  # whose values are numbers of another kind
        texts.append(code.value)
    found = set[float | None]()
    for text in filter(None, texts):
        with suppress(NotUnderstood):
            found.add(_of_text(feature, text, coded=True))
    found = found - {None} or found
    if len(found) != 1:
        raise NotUnderstood("a code whose value and meaning differ" if found else "a code that is not known")
    return found.pop()


def _of_text(feature: Feature, text: str, coded: bool = False) -> float | None:
    """The grade that a text means; "none" is a grade in a code and no grade in free text."""
    words = _KL_WORDS if feature.method == "KL" else _PRESENCE if feature.highest == 1 else _OARSI_WORDS
    if says_missing(text) and not (coded and fold(text).strip() in words):
        return None
    number = leading_grade(text)  # OAI's "2: Grade 2"
    if number is not None:
        return number
    plain = fold(text).strip()
    match = _GRADE.fullmatch(plain)
    if match and not _ANOTHER.search(match["rest"]):
        grade = match["grade"]
        return float(_ROMAN[grade]) if grade in _ROMAN else float(grade.replace(",", "."))
    named = {words[word] for word in re.findall(r"[a-z]+", plain) if word in words}
    if len(named) != 1 or re.search(r"\d", plain):
        raise NotUnderstood("a text that is no grade")
    return float(named.pop())
