"""Which knees a film shows, from its header.

The order of the sources follows DICOM: Image Laterality, series Laterality, the modifiers of the anatomic region and of
the primary anatomic structure, and only then codes and words in descriptions. Patient Orientation tells how the film
lies, not which side it shows. Sources that contradict each other are refused, never weighed: a volume on the wrong side
is the worst result there is. A value that cannot be read says something, too, and is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydicom import Dataset

from monai_xray2mri.dicom.laterality_codes import LATERALITY_CODES
from monai_xray2mri.dicom.placeholders import code_text, is_placeholder, shown_code
from monai_xray2mri.dicom.structured_report import sequence_items, text_value
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.radiograph.side_words import BOTH, Sides, sides_in_text
from monai_xray2mri.types import Radiograph, Side

LATERALITIES = ("ImageLaterality", "Laterality")
"""Attributes of one letter; a device's default in them (B) yields to what the picture shows."""

_CODES = {code: BOTH if letter == "B" else (Side(letter),) for code, letter in LATERALITY_CODES.items()}
"""Code to the sides that it means."""
_STRUCTURES = (
    ("AnatomicRegionSequence", "AnatomicRegionModifierSequence"),
    ("PrimaryAnatomicStructureSequence", "PrimaryAnatomicStructureModifierSequence"),
)
"""Structure and its modifiers (PS3.3 10.5); some devices write the modifiers beside the structure, not in it."""

_TEXTS = (
    "SeriesDescription",
    "ProtocolName",
    "ViewPosition",
    "AcquisitionDeviceProcessingDescription",
    "PerformedProcedureStepDescription",
    "BodyPartExamined",
)
_FILM_CODES = ("PerformedProtocolCodeSequence",)
_STUDY_TEXTS = ("StudyDescription", "RequestedProcedureDescription")
_STUDY_CODES = ("ProcedureCodeSequence", "RequestedProcedureCodeSequence")
_REQUEST_TEXTS = ("RequestedProcedureDescription", "ScheduledProcedureStepDescription")
_REQUEST_CODES = ("RequestedProcedureCodeSequence", "ScheduledProtocolCodeSequence")

_MODIFIED_PROCEDURE = re.compile(r"\d{5}[-. ,:/]?(RT|LT|50)")
"""A procedure code of CPT with the modifier of a side, as in ``73562-RT``; 50 means both."""


@dataclass(frozen=True)
class _Statement:
    """What one source says: the sides, the attribute, the word or value that says it (never free text).

    What is said about the study covers more films than this one.
    """

    sides: Sides
    source: str
    word: str
    of_study: bool = False

    def __str__(self) -> str:
        return f'{self.source} says {name_sides(self.sides)} ("{self.word}")'


def name_sides(sides: Sides) -> str:
    """Name sides in a message: ``"right"``, ``"left"``, ``"both sides"`` or ``"no side"``."""
    if len(sides) == 2:
        return "both sides"
    return sides[0].word if sides else "no side"


def sides_of(dataset: Dataset, name: str) -> tuple[Sides, str]:
    """Return which knees a film shows and the attribute that told.

    Args:
        dataset: the header.
        name: how messages call the file.

    Returns:
        The sides, right before left, empty if nothing tells; and the keyword of the first source (``"none"``).

    Raises:
        InputRefused: sources contradict each other; both are named, of free text only the word that matched. Or a
            laterality holds a value that says no side.
    """
    statements = list(_statements(dataset, name))
    if not statements:
        return (), "none"
    first = statements[0]
    for other in statements[1:]:
        if _contradict(first, other):
            raise InputRefused(
                f"radiograph {name}",
                "needs sources of the side that agree",
                f"{first}, {other}",
                "Correct the header; the side is not guessed.",
            )
    return first.sides, first.source


def sides_to_use(radiograph: Radiograph, side: Side | None = None) -> Sides:
    """Return the knees to work on: those of the film, or the one that the user asks for.

    Args:
        radiograph: the film.
        side: the user's choice; on a film of both knees it selects one, on an unlabelled film it tells the side.

    Returns:
        One or two sides, right before left.

    Raises:
        InputRefused: the side is unknown, or the user's contradicts the header.
    """
    if side is None and not radiograph.sides:
        raise InputRefused(
            f"radiograph {radiograph.name}",
            "needs a known side",
            "none in the header or the file name",
            "Set Image Laterality (0020,0062) or give the side (--side R or --side L).",
        )
    if side is None:
        return radiograph.sides
    if radiograph.sides and side not in radiograph.sides:
        raise InputRefused(
            f"radiograph {radiograph.name}",
            f"must show the {side.word} knee that was asked for",
            f"{name_sides(radiograph.sides)} by {radiograph.sides_source}",
            "Ask for the side that the film shows, or correct its header.",
        )
    return (side,)


def _statements(dataset: Dataset, name: str) -> Iterator[_Statement]:
    """What the header says, in order of precedence."""
    for keyword in LATERALITIES:
        value = code_text(dataset, keyword)
        if value.upper() != "U" and not is_placeholder(value):  # U: unpaired, as devices write for a knee, too
            yield _Statement(*_sides_of_value(value, keyword, name))
    for structure, modifier in _STRUCTURES:
        yield from _of_structure(dataset, structure, modifier)
    yield from _of_texts(dataset, _TEXTS)
    yield from _of_codes(dataset, _FILM_CODES)
    yield from _of_texts(dataset, _STUDY_TEXTS, of_study=True)
    yield from _of_codes(dataset, _STUDY_CODES, of_study=True)
    yield from _of_requests(sequence_items(dataset, "RequestAttributesSequence"))


def _sides_of_value(value: str, keyword: str, name: str) -> tuple[Sides, str, str]:
    r"""What a laterality says: R, L, B (PS3.3 C.7.6.1), a word (RIGHT), its beginning (Ri), or both (R\L).

    Returns:
        The fields of its statement: sides, keyword, and what says it.
    """
    text = value.upper()
    if text in ("R", "L") or (len(text) > 1 and ("RIGHT".startswith(text) or "LEFT".startswith(text))):
        return (Side(text[0]),), keyword, value
    if text in ("B", "BOTH", "BIL", "BL") or set(re.findall(r"\w+", text)) == {"R", "L"}:
        return BOTH, keyword, value
    sides, word = sides_in_text("" if "?" in text else text)
    if not sides:
        raise InputRefused(
            f"radiograph {name}",
            f"needs a {keyword} of R, L or B",
            f"{keyword} {shown_code(value)}",
            "Correct the header; the side is not guessed.",
        )
    return sides, keyword, word


def _of_structure(dataset: Dataset, structure: str, modifier: str) -> Iterator[_Statement]:
    """The modifiers of a structure, which may be one per side, then the words of its own meaning."""
    items = sequence_items(dataset, structure)
    modifiers = [code for item in (*items, dataset) for code in sequence_items(item, modifier)]
    told = _joined(modifiers)
    if told is not None:
        yield _Statement(told[0], modifier, told[1])
    told = _joined(items)
    if told is not None:
        yield _Statement(told[0], structure, told[1])


def _joined(codes: Iterable[Dataset]) -> tuple[Sides, str] | None:
    """The sides that codes mean together, and the values or words that say it; None if no side is meant."""
    found = [told for code in codes if (told := _of_code(code)) is not None]
    sides = tuple(side for side in BOTH if any(side in told[0] for told in found))
    return (sides, "/".join(dict.fromkeys(word for _, word in found))) if sides else None


def _of_code(code: Dataset) -> tuple[Sides, str] | None:
    """The sides that one coded entry means, by its value, else by words of its meaning; and what says it."""
    value, scheme = text_value(code, "CodeValue"), text_value(code, "CodingSchemeDesignator")
    sides = _CODES.get((value, "SRT" if scheme in ("SNM3", "99SDM") else scheme), ())
    if sides:
        return sides, value
    modified = _MODIFIED_PROCEDURE.fullmatch(value.upper())
    if modified:
        return BOTH if modified[1] == "50" else (Side(modified[1][0]),), modified[1]
    sides, word = sides_in_text(text_value(code, "CodeMeaning"))
    return (sides, word) if sides else None


def _of_texts(dataset: Dataset, keywords: Iterable[str], of_study: bool = False) -> Iterator[_Statement]:
    for keyword in keywords:
        text = str(dataset.get(keyword) or "")
        if keyword == "ViewPosition" and len(text.strip()) == 1:
            continue  # L may be a lateral view
        sides, word = sides_in_text(text)
        if sides:
            yield _Statement(sides, keyword, word, of_study)


def _of_codes(dataset: Dataset, keywords: Iterable[str], of_study: bool = False) -> Iterator[_Statement]:
    for keyword in keywords:
        told = _joined(sequence_items(dataset, keyword))
        if told is not None:
            yield _Statement(told[0], keyword, told[1], of_study)


def _of_requests(requests: Iterable[Dataset]) -> Iterator[_Statement]:
    """What the requests that a series answers say together: one may be for the right knee, another for the left."""
    told = [
        one
        for request in requests
        for one in (*_of_texts(request, _REQUEST_TEXTS), *_of_codes(request, _REQUEST_CODES))
    ]
    if told:
        sides = tuple(side for side in BOTH if any(side in one.sides for one in told))
        words = "/".join(dict.fromkeys(one.word for one in told))
        yield _Statement(sides, "RequestAttributesSequence", words, of_study=True)


def _contradict(first: _Statement, other: _Statement) -> bool:
    """Tell whether two statements exclude each other.

    What is said about the film must be equal. A study may hold films of both knees, one by one, or an order for one
    knee be answered by a film of both: its texts contradict the film only if they name the other side alone.
    """
    if other.of_study and not first.of_study:
        return not set(first.sides) & set(other.sides)
    return first.sides != other.sides
