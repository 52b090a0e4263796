"""Which knees a film shows, from its header.

The order of the sources follows DICOM: Image Laterality, series Laterality, the modifiers of the anatomic region,
and only then words in descriptions. Patient Orientation tells how the film lies, not which side it shows. Sources
that contradict each other are refused, never weighed: a volume on the wrong side is the worst result there is.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydicom import Dataset

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.radiograph.words import split_words, word_set
from monai_xray2mri.types import Radiograph, Side

Sides = tuple[Side, ...]

BOTH: Sides = (Side.RIGHT, Side.LEFT)

_CODES = {
    ("24028007", "SCT"): (Side.RIGHT,),
    ("7771000", "SCT"): (Side.LEFT,),
    ("51440002", "SCT"): BOTH,
    ("G-A100", "SRT"): (Side.RIGHT,),
    ("G-A101", "SRT"): (Side.LEFT,),
    ("G-A102", "SRT"): BOTH,
}
"""Laterality codes of PS3.16 CID 244 in SNOMED CT and in its older identifiers."""

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

_RIGHT = word_set(
    "right rt rechts rechte rechter rechtes droit droite derecha derecho dcha dcho destra destro "
    "direita direito hoger hojre hoyre prawe prawy prawa prawego pravy prave prava oikea dreapta "
    "правый правая правого правой правое rknee"
)
_LEFT = word_set(
    "left lt links linke linker linkes gauche izquierda izquierdo izda izdo sinistra sinistro esquerda esquerdo "
    "vanster venstre lewe lewy lewa lewego levy leve leva vasen stanga "
    "левый левая левого левой левое lknee"
)
_BOTH = word_set(
    "bilateral bilat bilaterale bilaterales bilateralt bilaterais beidseits beidseitig beids bds beide beider "
    "beiderseits beiderzijds bilateraux ambas ambos ambedue entrambe entrambi ambos bada begge obu oba obustronne "
    "obie molemmat оба обе обоих bothknees"  # noqa: RUF001 - Russian
)
_WORDS: dict[str, Sides] = {
    **dict.fromkeys(_RIGHT, (Side.RIGHT,)),
    **dict.fromkeys(_LEFT, (Side.LEFT,)),
    **dict.fromkeys(_BOTH, BOTH),
}
_SIGNS: dict[str, Sides] = {"右": (Side.RIGHT,), "左": (Side.LEFT,), "両": BOTH, "双": BOTH, "雙": BOTH}
_SIGNS |= {"우측": (Side.RIGHT,), "좌측": (Side.LEFT,), "양측": BOTH}
_KNEE = word_set(
    "knee knees knie knien genou genoux rodilla rodillas ginocchio ginocchia joelho joelhos kne kna kolano koleno polvi"
)
_BESIDE_KNEE: dict[str, Sides] = {
    **dict.fromkeys(("r", "re", "dx"), (Side.RIGHT,)),
    **dict.fromkeys(("l", "li", "sx"), (Side.LEFT,)),
    **dict.fromkeys(("both", "bl"), BOTH),
}
"""Abbreviations that mean a side only next to a word for the knee (English, German, Italian)."""
_JOINING = word_set("and und et y e en og och ap pa")


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


def sides_in_text(text: str) -> tuple[Sides, str]:
    """Find words for a side in a description, in the languages of most European and some Asian departments.

    Single letters count only beside a word for the knee (``"R KNEE"``), since they mean too much elsewhere.

    Args:
        text: a description.

    Returns:
        The sides, right before left, and the word that told; empty if there is none.
    """
    words = split_words(text)
    found = [(word, _WORDS[word]) for word in words if word in _WORDS]
    found += [(word, _BESIDE_KNEE[word]) for word in _abbreviations_beside_knee(words)]
    found += [(sign, sides) for sign, sides in _SIGNS.items() if sign in text]
    told = {side for _, sides in found for side in sides}
    return tuple(side for side in BOTH if side in told), "/".join(dict.fromkeys(word for word, _ in found))


def _abbreviations_beside_knee(words: list[str]) -> list[str]:
    """Return the abbreviations that stand next to a word for the knee, also in a row ("L and R knee"), or alone."""
    if len(words) == 1 and words[0] in ("r", "l"):
        return words
    beside = []
    for place, word in enumerate(words):
        if word not in _KNEE:
            continue
        for step in (-1, 1):
            neighbour = place + step
            while 0 <= neighbour < len(words) and (words[neighbour] in _BESIDE_KNEE or words[neighbour] in _JOINING):
                beside += [words[neighbour]] if words[neighbour] in _BESIDE_KNEE else []
                neighbour += step
    return beside


def _statements(dataset: Dataset) -> list[_Statement]:
    """Collect what the header says, in order of precedence."""
    found = []
    for keyword in ("ImageLaterality", "Laterality"):
        value = str(dataset.get(keyword) or "").strip().upper()
        if value in ("R", "L", "B"):
            found.append(_Statement(BOTH if value == "B" else (Side(value),), keyword, value))
    found += _statements_of_codes(dataset)
    for keyword in (*_TEXTS, *_STUDY_TEXTS):
        sides, word = sides_in_text(str(dataset.get(keyword) or ""))
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
