"""The result page for people: one page of PDF with pictures, features, model and warnings, the same bytes every time.

The fonts come with the package, so that a page looks the same everywhere and a patient's name prints right whatever
its script: letters are shaped and ordered (right to left) by HarfBuzz and the Unicode bidirectional algorithm.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from fpdf import FPDF
from PIL import Image

from monai_xray2mri.dicom.quiet import quiet

FONTS = Path(__file__).parent / "fonts"
MAIN_FONT = "DejaVuSans"
"""Latin, Greek, Cyrillic, Hebrew, Arabic, Armenian, Georgian."""

SCRIPTS: tuple[tuple[str, tuple[tuple[int, int], ...]], ...] = (
    ("NotoSansDevanagari-Regular", ((0x0900, 0x097F), (0xA8E0, 0xA8FF))),
    ("NotoSansBengali-Regular", ((0x0980, 0x09FF),)),
    ("NotoSansGurmukhi-Regular", ((0x0A00, 0x0A7F),)),
    ("NotoSansGujarati-Regular", ((0x0A80, 0x0AFF),)),
    ("NotoSansTamil-Regular", ((0x0B80, 0x0BFF),)),
    ("NotoSansTelugu-Regular", ((0x0C00, 0x0C7F),)),
    ("NotoSansKannada-Regular", ((0x0C80, 0x0CFF),)),
    ("NotoSansMalayalam-Regular", ((0x0D00, 0x0D7F),)),
    ("NotoSansSinhala-Regular", ((0x0D80, 0x0DFF),)),
    ("NotoSansThai-Regular", ((0x0E00, 0x0E7F),)),
    ("NotoSansLao-Regular", ((0x0E80, 0x0EFF),)),
    ("NotoSansMyanmar-Regular", ((0x1000, 0x109F), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F))),
    ("NotoSansEthiopic-Regular", ((0x1200, 0x139F), (0x2D80, 0x2DDF))),
    ("NotoSansKhmer-Regular", ((0x1780, 0x17FF), (0x19E0, 0x19FF))),
    ("NanumSquareR", ((0x1100, 0x11FF), (0x3130, 0x318F), (0xAC00, 0xD7AF))),
    ("DroidSansFallbackFull", ((0x2E80, 0x312F), (0x3190, 0x9FFF), (0xF900, 0xFAFF), (0xFF00, 0xFFEF))),
)
"""Fonts beyond the main one and the Unicode blocks that they are loaded for."""

UNPRINTABLE = "\N{WHITE SQUARE}"
"""Stands for a character that no font of the package has."""

_MARGIN, _GAP = 12.0, 4.0  # mm
_WIDTH = 210.0 - 2 * _MARGIN  # of A4
_RED, _GRAY, _BLACK = (176, 0, 0), (90, 90, 90), (0, 0, 0)


@dataclass(frozen=True)
class Picture:
    """A picture with a line above it.

    Attributes:
        caption: the line.
        image: RGB or grey.
        width: as a part of the page's text width.
    """

    caption: str
    image: Image.Image
    width: float = 1.0


@dataclass(frozen=True)
class Page:
    """What the page shows, from top to bottom.

    Attributes:
        title: in large letters.
        warning: in red, above and below everything.
        facts: label and text of each line below the title, e.g. the patient's name.
        pictures: rows of pictures side by side.
        columns: headed lists side by side below the pictures.
        notes: lines below all.
    """

    title: str
    warning: str
    facts: Sequence[tuple[str, str]]
    pictures: Sequence[Sequence[Picture]]
    columns: Sequence[tuple[str, Sequence[str]]] = ()
    notes: Sequence[str] = field(default=())

    def texts(self) -> Iterable[str]:
        """All texts."""
        yield from (self.title, self.warning, *self.notes)
        for label, text in self.facts:
            yield from (label, text)
        for row in self.pictures:
            yield from (picture.caption for picture in row)
        for head, lines in self.columns:
            yield from (head, *lines)


def render(page: Page, moment: datetime) -> bytes:
    """The page as a PDF document.

    Args:
        page: what it shows.
        moment: creation date in the document; give the source's, so that equal pages are equal bytes.

    Returns:
        PDF of one A4 page with embedded fonts; the text can be selected and searched.
    """
    with quiet():
        document = _Document(page, moment)
        document.draw()
        return bytes(document.output())


class _Document(FPDF):
    """One page in the making."""

    def __init__(self, page: Page, moment: datetime) -> None:
        super().__init__(format="A4")
        self._page = page
        self.set_margin(_MARGIN)
        self.set_auto_page_break(False)
        self.set_creation_date(moment.replace(tzinfo=moment.tzinfo or UTC))
        self.set_title(page.title)
        self.set_producer("monai_xray2mri")
        self.add_page()
        self.add_font(MAIN_FONT, fname=FONTS / f"{MAIN_FONT}.ttf")
        others = [name for name, blocks in SCRIPTS if _needed(blocks, page.texts())]
        for name in others:
            self.add_font(name, fname=FONTS / f"{name}.ttf")
        self.set_fallback_fonts(others)
        self.set_text_shaping(True)
        self._known = {code for font in self.fonts.values() for code in font.cmap}  # type: ignore[union-attr]

    def draw(self) -> None:
        """Everything, from top to bottom."""
        self._line(self._page.warning, 8, _RED)
        self._line(self._page.title, 14, _BLACK, 8)
        for label, text in self._page.facts:
            self._fact(label, text)
        if any(self._printable(text) != text for text in self._page.texts()):
            self._line(f"{UNPRINTABLE} stands for letters that this page has no font for.", 7, _GRAY)
        for row in self._page.pictures:
            self._row(row)
        self._columns()
        for note in self._page.notes:
            self._line(note, 7, _GRAY)
        self.set_y(-_MARGIN - 4)
        self._line(self._page.warning, 8, _RED)

    def _printable(self, text: str) -> str:
        return "".join(letter if ord(letter) in self._known or letter.isspace() else UNPRINTABLE for letter in text)

    def _line(self, text: str, size: float, color: tuple[int, int, int], height: float = 0.0) -> None:
        self.set_font(MAIN_FONT, size=size)
        self.set_text_color(*color)
        self.multi_cell(_WIDTH, height or size * 0.45, self._printable(text), new_x="LMARGIN", new_y="NEXT", align="L")

    def _fact(self, label: str, text: str) -> None:
        self.set_font(MAIN_FONT, size=8)
        self.set_text_color(*_GRAY)
        self.cell(32, 4.2, self._printable(label))
        self.set_text_color(*_BLACK)
        self.multi_cell(_WIDTH - 32, 4.2, self._printable(text), new_x="LMARGIN", new_y="NEXT", align="L")

    def _row(self, row: Sequence[Picture]) -> None:
        """Pictures side by side, each as wide as it asks."""
        top, left, heights = self.get_y() + _GAP / 2, _MARGIN, [0.0]
        room = _WIDTH - _GAP * (len(row) - 1)
        for picture in row:
            width = picture.width * room
            height = width * picture.image.height / picture.image.width
            self.set_xy(left, top)
            self.set_font(MAIN_FONT, size=7)
            self.set_text_color(*_GRAY)
            self.cell(width, 4, self._printable(picture.caption))
            self.image(picture.image, x=left, y=top + 4.2, w=width, h=height)
            left += width + _GAP
            heights.append(height)
        self.set_xy(_MARGIN, top + 4.2 + max(heights) + _GAP / 2)

    def _columns(self) -> None:
        """Headed lists side by side."""
        top, lowest = self.get_y(), self.get_y()
        width = (_WIDTH - _GAP * (len(self._page.columns) - 1)) / max(1, len(self._page.columns))
        for number, (head, lines) in enumerate(self._page.columns):
            left = _MARGIN + number * (width + _GAP)
            self.set_xy(left, top)
            for size, color, line in ((8, _BLACK, head), *((7, _GRAY, line) for line in lines)):
                self.set_font(MAIN_FONT, size=size)
                self.set_text_color(*color)
                self.set_x(left)
                self.multi_cell(width, size * 0.45, self._printable(line), new_x="LEFT", new_y="NEXT", align="L")
            lowest = max(lowest, self.get_y())
        self.set_xy(_MARGIN, lowest + _GAP / 2)


def _needed(blocks: Sequence[tuple[int, int]], texts: Iterable[str]) -> bool:
    return any(low <= ord(letter) <= high for text in texts for letter in text for low, high in blocks)
