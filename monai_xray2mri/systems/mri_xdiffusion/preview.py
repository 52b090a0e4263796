"""Pictures of a result for people: the given slice beside the volume."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from monai_xray2mri.core.pictures import GRAY, HEIGHT, RED, montage, picture
from monai_xray2mri.core.wording import SHORT_DISCLAIMER
from monai_xray2mri.systems.mri_xdiffusion.case import SliceCase
from monai_xray2mri.systems.mri_xdiffusion.records import Synthesis
from monai_xray2mri.types import Volume

_MARGIN, _CAPTION = 12, 26


def preview(result: Synthesis) -> Image.Image:
    """The first given slice at the left, slices of the volume at the right, in the directions of the series."""
    case = result.case
    given, slices = given_picture(case), montage(squared(result.volume), 5, 2)
    canvas = Image.new("RGB", (given.width + slices.width + 3 * _MARGIN, HEIGHT + 2 * _CAPTION + _MARGIN), "black")
    canvas.paste(given, (_MARGIN, _CAPTION))
    canvas.paste(slices, (given.width + 2 * _MARGIN, _CAPTION))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(14)
    draw.text((_MARGIN, 5), f"Given: slice {case.given[0].number} of {case.of}, as the network sees it", GRAY, font)
    draw.text((given.width + 2 * _MARGIN, 5), f"Synthetic {case.title}, evenly spaced", GRAY, font)
    draw.text((_MARGIN, HEIGHT + _CAPTION + 8), SHORT_DISCLAIMER, RED, font)
    return canvas


def given_picture(case: SliceCase) -> Image.Image:
    """The first given slice as the network sees it, at panel height."""
    pixels = case.frame.section(case.given[0])[0].numpy()
    low, high = np.percentile(pixels, (1, 99.5))
    shown = picture((pixels - low) / max(float(high - low), 1e-6))
    return shown.resize((HEIGHT, HEIGHT), Image.Resampling.LANCZOS).convert("RGB")


def squared(volume: Volume) -> Volume:
    """A volume whose slices are filled up to squares, for pictures."""
    _, rows, columns = volume.voxels.shape
    side = max(rows, columns)
    top, left = (side - rows) // 2, (side - columns) // 2
    padding = ((0, 0), (top, side - rows - top), (left, side - columns - left))
    return Volume(np.pad(volume.voxels, padding), volume.affine)
