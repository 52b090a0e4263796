"""Which knees a film shows, from its header.

The order of the sources follows DICOM: Image Laterality, series Laterality, the modifiers of the anatomic region,
and only then words in descriptions. Patient Orientation tells how the film lies, not which side it shows. Sources
that contradict each other are refused, never weighed: a volume on the wrong side is the worst result there is.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydicom import Dataset

from monai_xray2mri.dicom.laterality_codes import LATERALITY_CODES
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.radiograph.side_words import BOTH, Sides, sides_in_text
from monai_xray2mri.types import Radiograph, Side

_CODES = {code: BOTH if letter == "B" else (Side(letter),) for code, letter in LATERALITY_CODES.items()}
"""Code to the sides that it means."""

_TEXTS = (
    "SeriesDescription",
    "ProtocolName",
    "ViewPosition",
    "AcquisitionDeviceProcessingDescription",
    "PerformedProcedureStepDescription",
    "BodyPartExamined",
)
_STUDY_TEXTS = ("StudyDescription", "RequestedProcedureDescription")
"""What is said about the study covers more films than this one."""


@dataclass(frozen=True)
class _Statement:
    """What one source says: the sides, the attribute, and the word or value that says it (never free text)."""

    sides: Sides
    source: str
    word: str

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
        InputRefused: sources contradict each other; both are named, of free text only the word that matched.
    """
    statements = _statements(dataset)
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


def _statements(dataset: Dataset) -> list[_Statement]:
    """Collect what the header says, in order of precedence."""
    found = []
    for keyword in ("ImageLaterality", "Laterality"):
        value = str(dataset.get(keyword) or "").strip().upper()
        if value in ("R", "L", "B"):
            found.append(_Statement(BOTH if value == "B" else (Side(value),), keyword, value))
    found += _statements_of_codes(dataset)
    for keyword in (*_TEXTS, *_STUDY_TEXTS):
        text = str(dataset.get(keyword) or "")
        if keyword == "ViewPosition" and len(text.strip()) == 1:
            continue  # L may be a lateral view
        sides, word = sides_in_text(text)
        if sides:
            found.append(_Statement(sides, keyword, word))
    return found


def _statements_of_codes(dataset: Dataset) -> list[_Statement]:
    """Read Anatomic Region Modifier Sequence (PS3.3 10.5), which may hold one code per side."""
    told: set[Side] = set()
    words = []
    for region in dataset.get("AnatomicRegionSequence") or []:
        for code in region.get("AnatomicRegionModifierSequence") or []:
            key = str(code.get("CodeValue", "")), str(code.get("CodingSchemeDesignator", ""))
            scheme = "SRT" if key[1] in ("SNM3", "99SDM") else key[1]
            sides = _CODES.get((key[0], scheme), ())
            told.update(sides)
            words += [key[0]] if sides else []
    sides = tuple(side for side in BOTH if side in told)
    return [_Statement(sides, "AnatomicRegionModifierSequence", "/".join(words))] if sides else []


def _contradict(first: _Statement, other: _Statement) -> bool:
    """Tell whether two statements exclude each other.

    What is said about the film must be equal. A study may hold films of both knees, one by one, or an order for one
    knee be answered by a film of both: its texts contradict the film only if they name the other side alone.
    """
    if other.source in _STUDY_TEXTS and first.source not in _STUDY_TEXTS:
        return not set(first.sides) & set(other.sides)
    return first.sides != other.sides
