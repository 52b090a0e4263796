"""Small pictures of volumes."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from monai_xray2mri.types import Volume

HEIGHT = 560
"""Height of the two panels in pixels."""


YELLOW, GRAY, RED = (255, 208, 0), (150, 150, 150), (255, 96, 80)


def montage(volume: Volume, columns: int, rows: int) -> Image.Image:
    """``columns * rows`` evenly spaced slices of a volume, row by row, at panel height, orientation letters marked."""
    count = columns * rows
    chosen = np.linspace(0, len(volume.voxels) - 1, count + 2)[1:-1].round().astype(int)
    side = HEIGHT // rows
    sheet = Image.new("RGB", (columns * side, rows * side), "black")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for place, index in enumerate(chosen):
        tile = picture(volume.voxels[index]).resize((side - 4, side - 4), Image.Resampling.LANCZOS)
        left, top = place % columns * side + 2, place // columns * side + 2
        sheet.paste(tile.convert("RGB"), (left, top))
        draw.text((left + 4, top + side - 20), str(index + 1), GRAY, font)
    first, last = _letters(volume.affine[:3, 0])
    draw.text((5, side // 2), first, YELLOW, font)
    draw.text((columns * side - 14, side // 2), last, YELLOW, font)
    return sheet


def _letters(columns: np.ndarray) -> tuple[str, str]:
    """Letters of the patient's sides at which columns begin and end, of their direction [3] in LPS."""
    axis = int(np.abs(columns).argmax())
    negative, positive = ("RL", "AP", "FH")[axis]
    return (negative, positive) if columns[axis] > 0 else (positive, negative)


def picture(gray: np.ndarray) -> Image.Image:
    """Grey values [H,W] in [0,1] as an 8-bit picture."""
    scaled = np.clip(gray, 0, 1)
    scaled *= 255
    return Image.fromarray(np.rint(scaled, out=scaled).astype(np.uint8))
