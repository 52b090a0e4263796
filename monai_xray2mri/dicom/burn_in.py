"""The word SYNTHETIC in a corner of each slice, for viewers that show no header.

The font is a bitmap of its own, so that equal inputs give equal pixels whatever is installed. The word is written
into the slices as they are stored and displayed (column 0 at the left), also for a left side: it is never mirrored.
"""

from __future__ import annotations

import numpy as np

WORD = "SYNTHETIC"

_GLYPHS = {  # 5 columns x 7 rows
    "S": (" ####", "#    ", "#    ", " ### ", "    #", "    #", "#### "),
    "Y": ("#   #", "#   #", " # # ", "  #  ", "  #  ", "  #  ", "  #  "),
    "N": ("#   #", "##  #", "# # #", "# # #", "#  ##", "#   #", "#   #"),
    "T": ("#####", "  #  ", "  #  ", "  #  ", "  #  ", "  #  ", "  #  "),
    "H": ("#   #", "#   #", "#   #", "#####", "#   #", "#   #", "#   #"),
    "E": ("#####", "#    ", "#    ", "#### ", "#    ", "#    ", "#####"),
    "I": ("###", " # ", " # ", " # ", " # ", " # ", "###"),
    "C": (" ####", "#    ", "#    ", "#    ", "#    ", "#    ", " ####"),
}
_ROWS_PER_SCALE = 256
_MARGIN = 2


def word_mask(word: str = WORD) -> np.ndarray:
    """A word as a bitmap.

    Args:
        word: made of the letters of ``SYNTHETIC``.

    Returns:
        [9,W] bool with a margin of one pixel all round.
    """
    rows = [" ".join(glyph) for glyph in zip(*(_GLYPHS[letter] for letter in word), strict=True)]
    return np.pad(np.array([[pixel == "#" for pixel in row] for row in rows]), 1)  # [9,W]


def burn_in(pixels: np.ndarray, white: int) -> np.ndarray:
    """Write the word into the lower left corner: white letters on black, 7 pixels high per 256 rows.

    Args:
        pixels: [S,H,W] stored values.
        white: stored value of the letters.

    Returns:
        [S,H,W] a copy with the word; unchanged where a slice is too small for it.
    """
    scale = max(1, round(pixels.shape[1] / _ROWS_PER_SCALE))
    mask = np.kron(word_mask(), np.ones((scale, scale), dtype=bool))  # [h,w]
    height, width = mask.shape
    labeled = pixels.copy()
    if height + _MARGIN > pixels.shape[1] or width + _MARGIN > pixels.shape[2]:
        return labeled
    bottom = pixels.shape[1] - _MARGIN
    labeled[:, bottom - height : bottom, _MARGIN : _MARGIN + width] = np.where(mask, white, 0)
    return labeled
