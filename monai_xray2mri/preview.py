"""The preview picture: the radiograph with the region marked, and a montage of slices."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from monai_xray2mri.types import Box, KneeVolume, Radiograph, Synthesis

HEIGHT = 560
"""Height of the two panels in pixels."""

_MARGIN, _CAPTION = 12, 26
_YELLOW, _GREY, _RED = (255, 208, 0), (150, 150, 150), (255, 96, 80)


def preview(synthesis: Synthesis, radiograph: Radiograph, columns: int = 5, rows: int = 2) -> Image.Image:
    """Radiograph with box at the left, slices from anterior to posterior at the right.

    Args:
        synthesis: what was generated.
        radiograph: the film it was generated from.
        columns: slices per row.
        rows: rows of slices.

    Returns:
        An RGB picture.
    """
    film = film_with_box(radiograph, synthesis.roi.box)
    slices = montage(synthesis.volume, columns, rows)
    width = film.width + slices.width + 3 * _MARGIN
    canvas = Image.new("RGB", (width, HEIGHT + 2 * _CAPTION + _MARGIN), "black")
    canvas.paste(film, (_MARGIN, _CAPTION))
    canvas.paste(slices, (film.width + 2 * _MARGIN, _CAPTION))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(14)
    side = synthesis.roi.side.word
    draw.text((_MARGIN, 5), f"Radiograph, {side} knee in the box", _GREY, font)
    draw.text((film.width + 2 * _MARGIN, 5), f"Synthetic coronal MR, {side} knee, anterior to posterior", _GREY, font)
    warning = "SYNTHETIC: generated from the radiograph, not acquired. Not for clinical use."
    draw.text((_MARGIN, HEIGHT + _CAPTION + 8), warning, _RED, font)
    return canvas


def film_with_box(radiograph: Radiograph, box: Box) -> Image.Image:
    """The whole film as RGB at panel height, window between its 1st and 99th percentile, with the region marked."""
    pixels = radiograph.pixels
    low, high = np.percentile(pixels, (1, 99))
    grey = np.clip((pixels - low) / max(float(high - low), 1e-6), 0, 1)
    scale = HEIGHT / pixels.shape[0]
    size = (max(1, round(pixels.shape[1] * scale)), HEIGHT)
    film = _picture(grey).resize(size, Image.Resampling.LANCZOS).convert("RGB")
    corners = (box.left, box.top, box.left + box.columns - 1, box.top + box.rows - 1)
    ImageDraw.Draw(film).rectangle([scale * corner for corner in corners], outline=_YELLOW, width=3)
    return film


def montage(volume: KneeVolume, columns: int, rows: int) -> Image.Image:
    """``columns * rows`` evenly spaced slices of a volume, row by row, at panel height, orientation letters marked."""
    count = columns * rows
    chosen = np.linspace(0, len(volume.voxels) - 1, count + 2)[1:-1].round().astype(int)
    side = HEIGHT // rows
    sheet = Image.new("RGB", (columns * side, rows * side), "black")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for place, index in enumerate(chosen):
        tile = _picture(volume.voxels[index]).resize((side - 4, side - 4), Image.Resampling.LANCZOS)
        left, top = place % columns * side + 2, place // columns * side + 2
        sheet.paste(tile.convert("RGB"), (left, top))
        draw.text((left + 4, top + side - 20), str(index + 1), _GREY, font)
    draw.text((5, side // 2), "R", _YELLOW, font)
    draw.text((columns * side - 14, side // 2), "L", _YELLOW, font)
    return sheet


def _picture(grey: np.ndarray) -> Image.Image:
    return Image.fromarray(np.rint(np.clip(grey, 0, 1) * 255).astype(np.uint8))
