"""Words for a side in the free texts of a header, compared without case, accents and punctuation."""

from __future__ import annotations

import re
import unicodedata

from monai_xray2mri.types import Side

Sides = tuple[Side, ...]

BOTH: Sides = (Side.RIGHT, Side.LEFT)

_LETTERS_WITHOUT_DECOMPOSITION = str.maketrans({"ø": "o", "ł": "l"})


def split_words(text: str) -> list[str]:
    """Split a text into its words, in lower case and without accents; digits and punctuation separate.

    Args:
        text: a description in any script.
    """
    folded = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS_WITHOUT_DECOMPOSITION))
    plain = "".join(character for character in folded if not unicodedata.combining(character))
    return re.findall(r"[^\W\d_]+", unicodedata.normalize("NFC", plain))


def word_set(text: str) -> frozenset[str]:
    """Return the words of a list written as one text."""
    return frozenset(split_words(text))


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
_ABBREVIATIONS: tuple[tuple[frozenset[str], dict[str, Sides]], ...] = (
    (word_set("knee knees"), {"r": (Side.RIGHT,), "l": (Side.LEFT,), "both": BOTH, "bl": BOTH}),
    (
        word_set("knie knien kniegelenk kniegelenke"),
        {"r": (Side.RIGHT,), "re": (Side.RIGHT,), "l": (Side.LEFT,), "li": (Side.LEFT,)},
    ),
    (word_set("genou genoux"), {"d": (Side.RIGHT,), "g": (Side.LEFT,)}),
    (word_set("ginocchio ginocchia"), {"dx": (Side.RIGHT,), "sx": (Side.LEFT,)}),
)
"""Abbreviations that mean a side only next to a word for the knee of their language (DX KNEE is a modality)."""
_JOINING = word_set("and und et y e en ap pa")


def sides_in_text(text: str) -> tuple[Sides, str]:
    """Find words for a side in a description, in the languages of most European and some Asian departments.

    Single letters count only beside a word for the knee (``"R KNEE"``) or alone; elsewhere they mean other things.

    Args:
        text: a description.

    Returns:
        The sides, right before left, and the word that told; empty if there is none.

    Example:
        >>> sides_in_text("Knie re. AP")
        ((<Side.RIGHT: 'R'>,), 're')
        >>> sides_in_text("Right and left knee")[0] == BOTH
        True
    """
    words = split_words(text)
    found = [(word, _WORDS[word]) for word in words if word in _WORDS]
    found += [(sign, sides) for sign, sides in _SIGNS.items() if sign in text]
    if words in (["r"], ["l"]):
        found.append((words[0], (Side(words[0].upper()),)))
    for knee, abbreviations in _ABBREVIATIONS:
        beside = _abbreviations_beside(words, knee, abbreviations)
        found += [(word, abbreviations[word]) for word in beside]
    told = {side for _, sides in found for side in sides}
    return tuple(side for side in BOTH if side in told), "/".join(dict.fromkeys(word for word, _ in found))


def _abbreviations_beside(words: list[str], knee: frozenset[str], abbreviations: dict[str, Sides]) -> list[str]:
    """Return the abbreviations that stand next to a word for the knee, also in a row ("L and R knee")."""
    beside = []
    for place in (index for index, word in enumerate(words) if word in knee):
        for step in (-1, 1):
            neighbor = place + step
            while 0 <= neighbor < len(words) and (words[neighbor] in abbreviations or words[neighbor] in _JOINING):
                beside += [words[neighbor]] if words[neighbor] in abbreviations else []
                neighbor += step
    return beside
