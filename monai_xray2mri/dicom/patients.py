"""Whether headers can be of one patient, by identifier and, where that does not tell, by name.

A name is written in many ways: components in either order, with or without carets, accents, titles and second names, as
initials, in several scripts (PS3.5 6.2.1.2). What can be read as the same name is the same name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import combinations

from pydicom import Dataset

from monai_xray2mri.dicom.structured_report import text_value

_NOBODY = frozenset(
    (
        *("anon", "anonym", "anonymous", "anonymized", "anonymised", "anonyme", "anonimo", "deidentified"),
        *("none", "unknown", "unbekannt", "noname", "removed", "null", "na", "xxx"),
    )
)
"""Words that stand where a name was taken out."""
_EXPANDED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "æ": "ae", "å": "aa"})
"""Letters and what is written for them where they are lacking."""

Words = frozenset[str]


def count_patients(headers: Sequence[Dataset]) -> int:
    """How many patients headers name; 1 if all of them can be of one.

    Different identifiers are different patients. Where there is no identifier, different names are; with one identifier
    only names of one script that have no word in common are, for a name may be corrected or change by marriage.

    Args:
        headers: of the images of a study.
    """
    identifiers = {text_value(header, "PatientID") for header in headers}
    if len(identifiers) > 1:
        return len(identifiers)
    names = sorted({text_value(header, "PatientName") for header in headers} - {""})
    agree = _may_be_one if identifiers - {""} else _is_one
    return 1 if all(agree(first, second) for first, second in combinations(names, 2)) else len(names)


def _is_one(first: str, second: str) -> bool:
    """Whether a form of one name is contained in a form of the other; a name that was taken out fits every name."""
    ours, theirs = _forms(first), _forms(second)
    return not ours or not theirs or any(_contained(a, b) or _contained(b, a) for a in ours for b in theirs)


def _may_be_one(first: str, second: str) -> bool:
    """Whether two names of one identifier have a word in common, or are written in different scripts."""
    ours, theirs = ([form for form in _forms(name) if _is_latin(form)] for name in (first, second))
    return not ours or not theirs or any(a & b for a in ours for b in theirs) or _is_one(first, second)


def _forms(name: str) -> list[Words]:
    """The words of each group of a name (alphabetic, ideographic, phonetic), with letters expanded or without accents.

    Empty if it names nobody, or holds letters that could not be decoded.
    """
    if "\ufffd" in name:
        return []
    forms = list[Words]()
    for group in name.casefold().split("="):
        composed = unicodedata.normalize("NFKC", group)
        for text in (composed.translate(_EXPANDED), _without_accents(composed)):
            words = [word for word in re.split(r"[\W_]+", text) if word]
            if words and not _NOBODY.issuperset(words):
                forms += [frozenset(words), frozenset(("".join(words),))]  # many scripts write no space in a name
    return forms


def _without_accents(text: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))


def _is_latin(words: Iterable[str]) -> bool:
    return all("LATIN" in unicodedata.name(sign, "") for word in words for sign in word if sign.isalpha())


def _contained(few: Words, many: Words) -> bool:
    """Whether each word of one name is one of the other's, or its initial."""
    return all(word in many or any(_initial(word, other) for other in many) for word in few)


def _initial(word: str, other: str) -> bool:
    return len(min(word, other, key=len)) == 1 and word[0] == other[0]
