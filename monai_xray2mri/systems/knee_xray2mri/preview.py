"""The preview picture: the radiograph with the region marked, and a montage of slices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from monai_xray2mri.core.pictures import GRAY, HEIGHT, RED, YELLOW, montage, picture
from monai_xray2mri.core.wording import SHORT_DISCLAIMER
from monai_xray2mri.systems.knee_xray2mri.records import Synthesis
from monai_xray2mri.types import Box, Radiograph

_MARGIN, _CAPTION = 12, 26
_FINER = 2
"""How many times finer than the panel a film is before it is drawn, at least."""


@dataclass(frozen=True)
class Pictures:
    """What preview and result page show of one knee, drawn once.

    Attributes:
        film: the radiograph with its region.
        slices: ten slices from anterior to posterior.
    """

    film: Image.Image
    slices: Image.Image

    @classmethod
    def of(cls, synthesis: Synthesis) -> Pictures:
        """Draw what was generated."""
        case = synthesis.case
        return cls(film_with_box(case.radiograph, case.roi.box), montage(synthesis.volume, 5, 2))


def preview(synthesis: Synthesis, pictures: Pictures | None = None) -> Image.Image:
    """Radiograph with box at the left, slices from anterior to posterior at the right.

    Args:
        synthesis: what was generated.
        pictures: of it; None draws them.

    Returns:
        An RGB picture.
    """
    case, pictures = synthesis.case, pictures or Pictures.of(synthesis)
    film, slices = pictures.film, pictures.slices
    width = film.width + slices.width + 3 * _MARGIN
    canvas = Image.new("RGB", (width, HEIGHT + 2 * _CAPTION + _MARGIN), "black")
    canvas.paste(film, (_MARGIN, _CAPTION))
    canvas.paste(slices, (film.width + 2 * _MARGIN, _CAPTION))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(14)
    draw.text((_MARGIN, 5), f"Radiograph, {case.title} in the box", GRAY, font)
    draw.text((film.width + 2 * _MARGIN, 5), f"Synthetic coronal MR, {case.title}, anterior to posterior", GRAY, font)
    draw.text((_MARGIN, HEIGHT + _CAPTION + 8), SHORT_DISCLAIMER, RED, font)
    return canvas


def film_with_box(radiograph: Radiograph, box: Box) -> Image.Image:
    """The whole film as RGB at panel height, window between its 1st and 99th percentile, with the region marked.

    Of a film that is much larger than the panel, means of blocks are drawn, and the window is that of every few pixels.
    Of a region that reaches beyond the film the border of the film is marked there.
    """
    pixels = radiograph.pixels
    rows, columns = pixels.shape
    scale, step = HEIGHT / rows, max(1, rows // (_FINER * HEIGHT))
    low, high = np.percentile(pixels[::step, ::step], (1, 99))
    gray = np.asarray(Image.fromarray(pixels).reduce(step)) - low  # a tenth of the numbers of a large film
    gray /= max(float(high - low), 1e-6)
    size, whole = (max(1, round(columns * scale)), HEIGHT), (0.0, 0.0, columns / step, rows / step)
    film = picture(gray).resize(size, Image.Resampling.LANCZOS, whole).convert("RGB")
    last_row, last_column = rows - 1, columns - 1
    corners = (
        max(box.left, 0),
        max(box.top, 0),
        min(box.left + box.columns - 1, last_column),
        min(box.top + box.rows - 1, last_row),
    )
    ImageDraw.Draw(film).rectangle([scale * corner for corner in corners], outline=YELLOW, width=3)
    return film
