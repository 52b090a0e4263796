"""Words for a side in the free texts of a header, compared without case, accents and punctuation."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from monai_xray2mri.radiograph.side_vocabulary import (
    ACCENTED,
    ANYWHERE,
    BOTH,
    KNEE_SIGNS,
    LANGUAGES,
    NEUTRAL,
    NO_SIDES,
    OTHER_PARTS,
    REWRITTEN,
    SIGNS,
    VIEWS,
    Language,
    Sides,
    fold,
)
from monai_xray2mri.types import Side

__all__ = ["BOTH", "Sides", "names_knee", "sides_in_text", "split_words", "word_set"]

_NAMED_LETTERS = {"r": (Side.RIGHT,), "l": (Side.LEFT,)}


def split_words(text: str) -> list[str]:
    """Split a text into its words, in lower case and without accents; digits and punctuation separate.

    Args:
        text: a description in any script.
    """
    return re.findall(r"[^\W\d_]+", fold(text))


def word_set(text: str) -> frozenset[str]:
    """Return the words of a list written as one text."""
    return frozenset(split_words(text))


def names_knee(text: str) -> bool:
    """Whether a text names the knee, in the languages of most European and some Asian departments."""
    words = split_words(text)
    return any(language.knee.search(word) for language in LANGUAGES for word in words) or bool(KNEE_SIGNS.search(text))


@dataclass(frozen=True)
class _Word:
    """A word of a text: without accents, with them, and what stands before and after it."""

    plain: str
    accented: str
    before: str
    after: str


@dataclass(frozen=True)
class _Found:
    """Sides that a word means, and its place among the words."""

    place: int
    sides: Sides


def sides_in_text(text: str) -> tuple[Sides, str]:
    """Find words for a side in a description, in the languages of most European and some Asian departments.

    Single letters and other abbreviations count only beside a word for the knee (``"R KNEE"``) or alone; elsewhere
    they mean other things.

    Args:
        text: a description.

    Returns:
        The sides, right before left, and the word that told; empty if there is none.

    Example:
        >>> sides_in_text("Knie re. AP")
        ((<Side.RIGHT: 'R'>,), 're')
        >>> sides_in_text("Right and left knee")[0] == BOTH
        True
        >>> sides_in_text("Gonartrosis leve de rodilla")[0]
        ()
    """
    plain = unicodedata.normalize("NFKC", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)).casefold()
    plain = NO_SIDES.sub(" ; ", unicodedata.normalize("NFC", plain))
    for pattern, meaning in REWRITTEN:
        plain = pattern.sub(meaning, plain)
    words = list(_words(plain))
    found = _of_other_parts_left_out(list(_found(words)), words)
    told = [(words[one.place].plain, one.sides) for one in found]
    told += [(match.group(), sides) for pattern, sides in SIGNS for match in pattern.finditer(plain)]
    sides = {side for _, meant in told for side in meant}
    return tuple(side for side in BOTH if side in sides), "/".join(dict.fromkeys(word for word, _ in told))


def _words(text: str) -> Iterator[_Word]:
    """The words of a text; a single letter that belongs to a number (``2D``, ``L5``) is none."""
    runs = list(re.finditer(r"[^\W_]+", text))
    for number, run in enumerate(runs):
        before = text[runs[number - 1].end() if number else 0 : run.start()]
        after = text[run.end() : runs[number + 1].start() if number + 1 < len(runs) else len(text)]
        parts = re.findall(r"[^\W\d_]+", run.group())
        numbered = len(parts) > 1 or parts != [run.group()]
        for part in parts:
            if len(part) > 1 or not numbered:
                yield _Word(fold(part), part, before, after)


def _found(words: Sequence[_Word]) -> Iterator[_Found]:
    """The words that mean a side."""
    if len(words) == 1 and words[0].plain in _NAMED_LETTERS:
        yield _Found(0, _NAMED_LETTERS[words[0].plain])
    for place, word in enumerate(words):
        sides = ACCENTED.get(word.accented) or ANYWHERE.get(word.plain)
        if sides:
            yield _Found(place, sides)
    for language in LANGUAGES:
        knees = [place for place, word in enumerate(words) if language.knee.search(word.plain)]
        if not knees:
            continue
        for place, word in enumerate(words):
            sides = language.company.get(word.plain) or _glued(word.plain, language)
            if sides:
                yield _Found(place, sides)
        for place in sorted({place for knee in knees for place in _beside(words, knee, language)}):
            yield _Found(place, language.beside[words[place].plain])


def _glued(word: str, language: Language) -> Sides:
    """The side in a word that is written as one with the knee (``RightKnee``, ``KNEERT``)."""
    for side, sides in (*ANYWHERE.items(), *language.beside.items()):
        if len(side) > 1 and len(side) < len(word):
            for rest in (word.removeprefix(side), word.removesuffix(side)):
                if rest != word and language.knee.search(rest):
                    return sides
    return ()


def _beside(words: Sequence[_Word], knee: int, language: Language) -> Iterator[int]:
    """The places of abbreviations next to a word for the knee, also in a row ("L and R knee")."""
    for step in (-1, 1):
        place = knee + step
        while 0 <= place < len(words):
            word = words[place].plain
            if word in language.beside and _means_side(words, place, language):
                yield place
            elif word not in NEUTRAL and word not in language.beside and not language.knee.search(word):
                break
            place += step


def _means_side(words: Sequence[_Word], place: int, language: Language) -> bool:
    """Whether an abbreviation that could mean a side does: not the lateral view, not an article, not "and"."""
    word = words[place]
    previous = words[place - 1] if place else None
    following = words[place + 1] if place + 1 < len(words) else None
    if word.after[:1] in ("'", "\u2019"):  # d'effort
        return False
    expected = following is None or _may_follow(following.plain, language)
    if word.after[:1] == "-" and not expected:  # Re-Osteosynthese
        return False
    if word.plain == "e" and not expected:  # joelho e tornozelo
        return False
    if word.plain == "e" and following is not None and following.plain in language.beside:  # D e E
        return False
    if word.plain == "both" and following is not None and following.plain.startswith("view"):
        return False
    if word.plain == "l":
        joined = previous is not None and (re.search(r"[/&+,]", word.before) or previous.plain in ("and", "und"))
        views = [one.plain for one in words[max(place - 2, 0) : place]]
        if joined and VIEWS & set(views):  # AP/L, AP and L
            return False
        if following is not None and following.plain in VIEWS and "/" in word.after:
            return False
    return True


def _may_follow(word: str, language: Language) -> bool:
    return word in NEUTRAL or word in language.beside or bool(language.knee.search(word))


def _of_other_parts_left_out(found: Sequence[_Found], words: Sequence[_Word]) -> Sequence[_Found]:
    """Without the sides of other parts of the body (``left hip``), if the knee has one of its own."""
    knees = [language.knee for language in LANGUAGES]

    def of_other_part(one: _Found) -> bool:
        word = words[one.place]
        near = [words[one.place - 1].plain] if one.place and not re.search(r"[,;]", word.before) else []
        if one.place + 1 < len(words) and not re.search(r"[,;]", word.after):
            near.append(words[one.place + 1].plain)
        return bool(OTHER_PARTS & set(near)) and not any(knee.search(word) for knee in knees for word in near)

    own = [one for one in found if not of_other_part(one)]
    return own or found
