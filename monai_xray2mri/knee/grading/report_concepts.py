"""Which feature, and of which knee, an item of a structured report is about.

A feature is named by its OAI name, by a code of the hospital's own (``--codes``), or in words: "Kellgren-Lawrence
grade", "Medial joint space narrowing". Bone and compartment come from the words, or from the modifiers and the finding
site.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from monai_xray2mri.dicom.structured_report import ReportCode, ReportItem
from monai_xray2mri.knee.grading.features import FEATURE_BY_STEM, feature_stem
from monai_xray2mri.knee.grading.report_codes import FAMILIES, ReportCodes
from monai_xray2mri.radiograph.side_vocabulary import fold
from monai_xray2mri.radiograph.side_words import names_knee, sides_in_text
from monai_xray2mri.types import Side

_WORDS: Final = (
    ("XRKL", re.compile(r"kellgren|\bk[ /&-]?l[ -]?(?:grad\w*|score|stage|stadium)\b|\bklg\b")),
    (
        "XRJS",
        re.compile(r"joint space (?:narrowing|loss|reduction)|\bjsn\b|gelenkspalt\w*v(?:er)|pincement|pinzamiento"),
    ),
    ("XROS", re.compile(r"osteophyt|osteofit|osteofyt")),
    ("XRSC", re.compile(r"s[ck]leros|esclerosis|sklerose")),
    ("XRCY", re.compile(r"\b(?:cysts?|zysten?|kystes?|quistes?|geodes?)\b")),
    ("XRCH", re.compile(r"chondrocalcinos|chondrokalzinos|condrocalcinos")),
    ("XRATT", re.compile(r"\battrition\b")),
)
"""Feature or family to its words, folded."""
_OTHER_QUANTITY = re.compile(
    r"probab|likelihood|confiden|certain|uncertain|threshold|version|progress|change|differen|previous|prior|baseline|"
    r"reader|count|number of|\bwidth\b|\blength\b|\barea\b|\bsize\b|volume|patell|\bhip\b|\bhand\b|spine|sum\b|total"
)
"""Words of items that are about a feature but do not grade it at the tibiofemoral joint."""
_GENERIC = re.compile(
    r"(?:imaging |radiographic )?(?:finding|grade|grading|score|severity|assessment|evaluation|result|stage)s?"
)
"""Names of items that say only that something is found or graded."""
_BONES: Final = (
    ("F", re.compile(r"femur|femoral|femor\b|oberschenkel")),
    ("T", re.compile(r"tibia|plateau|schienbein")),
)
_COMPARTMENTS: Final = (("M", re.compile(r"\bmedial")), ("L", re.compile(r"\blateral")))
_CODES: Final = {
    "71341001": "F", "310652005": "F", "12611008": "T", "306783000": "T", "T-12710": "F", "T-12740": "T",
    "255561001": "M", "49370004": "L", "G-A108": "M", "G-A109": "L",
}  # fmt: skip
"""Femur, distal femur, tibia, tibial plateau; medial, lateral, in SNOMED CT and its older identifiers (PS3.16)."""
_KNEE_SITES: Final = frozenset(
    (
        "72696002",
        "49076000",
        "6757004",
        "82169009",
        "T-D9200",
        "T-15720",
        "71341001",
        "310652005",
        "12611008",
        "306783000",
    )
)


@dataclass(frozen=True)
class Named:
    """What an item is about.

    Attributes:
        stem: one of the 19 features; None: a known family without bone or compartment.
        code: its concept, as messages show it, where it is not an OAI name; else empty.
        by_words: it is known by its meaning alone.
    """

    stem: str | None
    code: str = ""
    by_words: bool = False


def named_feature(item: ReportItem, codes: ReportCodes) -> Named | None:
    """The feature that an item grades; None for items about other things.

    Args:
        item: of a report.
        codes: of the hospital's own.
    """
    concept = item.concept
    if concept is None or item.value_type not in ("NUM", "CODE", "TEXT"):
        return None
    stem = feature_stem(concept.value)
    if stem is not None:
        return Named(stem)
    mapped = codes.features.get((concept.value, concept.scheme))
    known = mapped or _by_words(item, concept)
    if known is None:
        return None
    return Named(_completed(known, item, concept), shown(concept), by_words=mapped is None)


def side_of(item: ReportItem, codes: ReportCodes) -> Side | None:
    """The knee that an item is about: by its laterality, a code of the hospital's own, or words; None for both or none.

    Args:
        item: of a report.
        codes: of the hospital's own.
    """
    if item.laterality is not None:
        return Side(item.laterality) if item.laterality in ("R", "L") else None
    mapped = [
        codes.sides[code.value, code.scheme] for code in item.modifiers if (code.value, code.scheme) in codes.sides
    ]
    if mapped:
        return mapped[0]
    meanings = [code.meaning for code in item.modifiers if len(code.meaning) < 20]
    for words in (item.concept.meaning if item.concept else "", *meanings, *item.words):
        sides, _ = sides_in_text(words)
        if sides:
            return sides[0] if len(sides) == 1 else None
    return None


def shown(code: ReportCode) -> str:
    """A code as messages show it; what could be free text is not quoted."""
    parts = (code.value, code.scheme)
    return f"({', '.join(part if re.fullmatch(r'[A-Za-z0-9._-]{1,16}', part) else '?' for part in parts)})"


def _by_words(item: ReportItem, concept: ReportCode) -> str | None:
    """The feature or family that the meaning of a concept names, if it is about a knee."""
    texts = [concept.meaning]
    if _GENERIC.fullmatch(fold(concept.meaning).strip()):  # what is found or graded stands in the value or above it
        texts += [item.value.meaning] if isinstance(item.value, ReportCode) else []
        texts += item.words
    for text in map(fold, texts):
        if _OTHER_QUANTITY.search(text) or not _about_a_knee(item):
            return None
        for known, words in _WORDS:
            if words.search(text):
                return known
    return None


def _about_a_knee(item: ReportItem) -> bool:
    """Whether the finding site, if there is one, is a knee or a part of it."""
    site = item.finding_site
    if site is None or site.value in _KNEE_SITES or names_knee(site.meaning):
        return True
    text = fold(site.meaning)
    return any(words.search(text) for _, words in _BONES) or "compartment" in text or "joint space" in text


def _completed(known: str, item: ReportItem, concept: ReportCode) -> str | None:
    """A feature from a family, with bone and compartment where it has them; None where the report does not say."""
    if known not in FAMILIES:
        return known
    modifiers = [code for code in item.modifiers if code.value not in ("24028007", "7771000")]
    sites = [item.finding_site] if item.finding_site else []
    bone = _told(_BONES, "FT", concept, [*sites, *modifiers], item.words) if known in ("XROS", "XRSC", "XRCY") else ""
    compartment = _told(_COMPARTMENTS, "ML", concept, [*modifiers, *sites], item.words)
    stem = f"{known}{bone}{compartment}"
    return stem if stem in FEATURE_BY_STEM else None


def _told(
    letters: Iterable[tuple[str, re.Pattern[str]]],
    kind: str,
    concept: ReportCode,
    codes: list[ReportCode],
    words: Iterable[str],
) -> str:
    """The letter of a bone or compartment: by the concept's words, else by the nearest code, else by words around."""
    found = _in_words(letters, concept.meaning)
    for code in codes:
        if not found and _CODES.get(code.value, "") and _CODES[code.value] in kind:
            found = _CODES[code.value]
        found = found or _in_words(letters, code.meaning)
    for text in words:
        found = found or _in_words(letters, text)
    return found


def _in_words(letters: Iterable[tuple[str, re.Pattern[str]]], text: str) -> str:
    """The only letter whose words stand in a text."""
    found = [letter for letter, words in letters if words.search(fold(text))]
    return found[0] if len(found) == 1 else ""
