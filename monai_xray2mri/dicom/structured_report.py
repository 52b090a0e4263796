"""The one walker of structured-report trees (DICOM PS3.3 C.17.3), for reports of any origin.

It reads with pydicom alone and takes what it finds: NUM, CODE, TEXT and references, coded with short, long or URN code
values in SCT or the older SRT, with or without values. Who asks for more than the tree says gets None, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from monai_xray2mri.dicom.laterality_codes import LATERALITY_CODES, Laterality
from monai_xray2mri.dicom.quiet import quiet

MAX_DEPTH = 64
"""Levels of nesting that are read. TID 1500 reports have about 8; deeper trees are damaged or hostile."""

MAX_ITEMS = 100_000
"""Content items that are read of one report."""

_LATERALITY_CONCEPTS = {("272741003", "SCT"), ("G-C171", "SRT")}
_FINDING_SITE_CONCEPTS = {("363698007", "SCT"), ("G-C0E3", "SRT")}
_TRACKING_IDENTIFIER = ("112039", "DCM")
_TEXT_KEYWORDS = {
    "TEXT": "TextValue",
    "UIDREF": "UID",
    "PNAME": "PersonName",
    "DATE": "Date",
    "TIME": "Time",
    "DATETIME": "DateTime",
}
_OLD_SCHEMES = {"SNM3": "SRT", "99SDM": "SRT"}


@dataclass(frozen=True)
class ReportCode:
    """A coded entry (PS3.3 section 8): value, coding scheme designator and meaning."""

    value: str
    scheme: str
    meaning: str

    @property
    def key(self) -> tuple[str, str]:
        """(value, scheme), which is what makes two codes the same; versions of SRT count as one."""
        return self.value, _OLD_SCHEMES.get(self.scheme, self.scheme)


@dataclass(frozen=True)
class ReportItem:
    """One content item of a report.

    Attributes:
        value_type: Value Type (0040,A040), e.g. ``"NUM"``.
        concept: the concept name; None for items without one.
        value: a number (NUM), a code (CODE), a text (TEXT, UIDREF, PNAME, DATE, TIME, DATETIME; NUM whose number
            cannot be read), the referenced SOP Instance UID (IMAGE, COMPOSITE, WAVEFORM); None if empty.
        laterality: side that the item or its nearest ancestor with a side is about: ``"R"``, ``"L"``, ``"B"`` (both).
        finding_site: its own or its nearest ancestor's finding site.
        modifiers: codes that modify it, its finding site or its ancestors, the nearest first: medial, right.
        words: what names it in words, the nearest first: the meanings of its finding site, of its containers and
            theirs, and their Tracking Identifiers.
        qualifier: Numeric Value Qualifier (0040,A301), which says why a NUM is empty.
        depth: level in the tree; the root is 0.
        complete: False if the walker left out what lies below or after this item (`MAX_DEPTH`, `MAX_ITEMS`).
    """

    value_type: str
    concept: ReportCode | None
    value: float | str | ReportCode | None
    laterality: Laterality | None
    finding_site: ReportCode | None
    modifiers: tuple[ReportCode, ...]
    words: tuple[str, ...]
    qualifier: ReportCode | None
    depth: int
    complete: bool


def walk_report(dataset: Dataset) -> Iterator[ReportItem]:
    """Go through the content items of a structured report in document order, the root first.

    Args:
        dataset: a structured report of any SR storage class; any other dataset yields at most one item.

    Yields:
        The items, each with what it inherits. Nothing in the dataset raises; what cannot be read is None.
    """
    with quiet():
        stack: list[tuple[_Node, _Inherited]] = [(_Node.of(dataset), _Inherited())]
    count = 0
    while stack:
        node, above = stack.pop()
        count += 1
        with quiet():
            children = node.children
            own = above.with_own(node, children)
            complete = not (children and above.depth >= MAX_DEPTH) and not (stack and count >= MAX_ITEMS)
            item = _item(node, own, above.depth, complete)
        yield item
        if count >= MAX_ITEMS:
            return
        if complete:
            stack += [(child, own) for child in reversed(children)]


@dataclass(frozen=True)
class _Node:
    """A content item with its codes, which itself and its parent ask for again and again.

    Attributes:
        dataset: the item.
        concept: its Concept Name.
        code: its value, where that is a code.
    """

    dataset: Dataset
    concept: ReportCode | None
    code: ReportCode | None

    @classmethod
    def of(cls, dataset: Dataset) -> _Node:
        return cls(dataset, _code(dataset, "ConceptNameCodeSequence"), _code(dataset, "ConceptCodeSequence"))

    @cached_property
    def children(self) -> list[_Node]:
        """The items below it, read once: an item asks for those of the items below it, too."""
        return [_Node.of(child) for child in sequence_items(self.dataset, "ContentSequence")]


@dataclass(frozen=True)
class _Inherited:
    """What an item tells those below it."""

    depth: int = 0
    laterality: Laterality | None = None
    site: ReportCode | None = None
    modifiers: tuple[ReportCode, ...] = ()
    words: tuple[str, ...] = ()

    def with_own(self, node: _Node, children: list[_Node]) -> _Inherited:
        """What the items below one learn, which are one level deeper."""
        site = _own_finding_site(children)
        concept = node.concept
        heading = concept.meaning if concept and text_value(node.dataset, "ValueType").upper() == "CONTAINER" else ""
        words = [site.meaning if site else "", heading, *_tracking_identifiers(children)]
        return _Inherited(
            self.depth + 1,
            _own_laterality(children) or self.laterality,
            site or self.site,
            (*_own_modifiers(children), *self.modifiers),
            (*filter(None, words), *self.words),
        )


def sequence_items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; an empty list if it is absent, empty, damaged or no sequence."""
    with quiet():
        try:
            value = dataset.get(keyword)
            return [item for item in value or () if isinstance(item, Dataset)]
        except Exception:  # pydicom raises what the bytes provoke: ValueError, EOFError, struct.error, RecursionError
            return []


def text_value(dataset: Dataset, keyword: str) -> str:
    """The value of an attribute as stripped text; empty if it is absent, and the raw bytes' text if it is damaged."""
    with quiet():
        try:
            value = dataset.get(keyword)
            return "" if value is None else str(value).strip(" \0")
        except Exception:  # as above; the bytes still tell more than nothing
            element = dataset.get_item(Tag(keyword), keep_deferred=True)
    raw = element.value if isinstance(element, RawDataElement) else None
    return raw.decode("ascii", "replace").strip(" \0") if isinstance(raw, bytes) else ""


def referenced_instances(dataset: Dataset) -> set[str]:
    """SOP Instance UIDs that the evidence sequences of a report name (PS3.3 C.17.2.3)."""
    evidence = [
        *sequence_items(dataset, "CurrentRequestedProcedureEvidenceSequence"),
        *sequence_items(dataset, "PertinentOtherEvidenceSequence"),
    ]
    instances = [
        text_value(instance, "ReferencedSOPInstanceUID")
        for study in evidence
        for series in sequence_items(study, "ReferencedSeriesSequence")
        for instance in sequence_items(series, "ReferencedSOPSequence")
    ]
    return {uid for uid in instances if uid}


def _code(dataset: Dataset, keyword: str) -> ReportCode | None:
    """The first code of a code sequence."""
    for item in sequence_items(dataset, keyword)[:1]:
        value = next(
            (text for name in ("CodeValue", "LongCodeValue", "URNCodeValue") if (text := text_value(item, name))), ""
        )
        return ReportCode(value, text_value(item, "CodingSchemeDesignator"), text_value(item, "CodeMeaning"))
    return None


def _own_laterality(children: list[_Node]) -> Laterality | None:
    """The side that an item's own modifiers name: directly, or below its finding site; both sides make ``"B"``."""
    sides: set[Laterality] = set()
    for child in children:
        concept, value = child.concept, child.code
        if concept is None:
            continue
        if concept.key in _LATERALITY_CONCEPTS and value is not None and value.key in LATERALITY_CODES:
            sides.add(LATERALITY_CODES[value.key])
        elif concept.key in _FINDING_SITE_CONCEPTS:
            side = _laterality_modifier(child.children)
            sides |= {side} if side else set()
    return _joined(sides)


def _laterality_modifier(children: list[_Node]) -> Laterality | None:
    """The side among the modifiers of a finding site."""
    sides = set()
    for child in children:
        concept, value = child.concept, child.code
        if concept is not None and value is not None and concept.key in _LATERALITY_CONCEPTS:
            sides |= {LATERALITY_CODES[value.key]} if value.key in LATERALITY_CODES else set()
    return _joined(sides)


def _joined(sides: set[Laterality]) -> Laterality | None:
    return None if not sides else sides.pop() if len(sides) == 1 else "B"


def _own_finding_site(children: list[_Node]) -> ReportCode | None:
    for child in children:
        if child.concept is not None and child.concept.key in _FINDING_SITE_CONCEPTS:
            return child.code
    return None


def _own_modifiers(children: list[_Node]) -> Iterator[ReportCode]:
    """The codes that modify an item or its finding site, whatever they say (HAS CONCEPT MOD)."""
    for child in children:
        related = text_value(child.dataset, "RelationshipType").upper()
        if child.code is not None and related in ("HAS CONCEPT MOD", ""):
            yield child.code
            yield from (modifier.code for modifier in child.children if modifier.code is not None)


def _tracking_identifiers(children: list[_Node]) -> Iterator[str]:
    for child in children:
        if child.concept is not None and child.concept.key == _TRACKING_IDENTIFIER:
            yield text_value(child.dataset, "TextValue")


def _item(node: _Node, own: _Inherited, depth: int, complete: bool) -> ReportItem:
    """One node of the tree as a record."""
    value_type = text_value(node.dataset, "ValueType").upper()
    return ReportItem(
        value_type=value_type,
        concept=node.concept,
        value=_value(node, value_type),
        laterality=own.laterality,
        finding_site=own.site,
        modifiers=own.modifiers,
        words=own.words,
        qualifier=_code(node.dataset, "NumericValueQualifierCodeSequence"),
        depth=depth,
        complete=complete,
    )


def _value(node: _Node, value_type: str) -> float | str | ReportCode | None:
    """The value of a content item by its value type (PS3.3 table C.17.3-7)."""
    if value_type == "NUM":
        return _numeric_value(node.dataset)
    if value_type == "CODE":
        return node.code
    if value_type in ("IMAGE", "COMPOSITE", "WAVEFORM"):
        references = sequence_items(node.dataset, "ReferencedSOPSequence")
        return text_value(references[0], "ReferencedSOPInstanceUID") or None if references else None
    keyword = _TEXT_KEYWORDS.get(value_type)
    return (text_value(node.dataset, keyword) or None) if keyword else None


def _numeric_value(node: Dataset) -> float | str | None:
    """Numeric Value (0040,A30A), or Floating Point Value (0040,A161) where only that is there; a text if unreadable."""
    for measured in sequence_items(node, "MeasuredValueSequence")[:1]:
        text = text_value(measured, "NumericValue") or text_value(measured, "FloatingPointValue")
        try:
            return float(text) if text else None
        except ValueError:
            return text
    return None
