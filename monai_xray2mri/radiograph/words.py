"""Words in the free texts of a header, compared without case, accents and punctuation."""

from __future__ import annotations

import re
import unicodedata

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
