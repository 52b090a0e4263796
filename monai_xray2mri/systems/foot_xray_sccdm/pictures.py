"""Pictures for people: the photograph, its radiograph, and the keypoints on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from monai_xray2mri.core.pictures import GRAY, HEIGHT, RED, YELLOW, picture
from monai_xray2mri.core.wording import SHORT_DISCLAIMER
from monai_xray2mri.dicom.synthetic_image import MAX_STORED
from monai_xray2mri.dicom.uncertainty import SHOWN
from monai_xray2mri.systems.foot_xray_sccdm.angles import AXES, NAMES
from monai_xray2mri.systems.foot_xray_sccdm.records import Synthesis

_MARGIN, _CAPTION = 12, 26
_CYAN: Final = (64, 208, 255)
_BEYOND: Final = 0.25
"""By how much of its length an axis is drawn beyond its points, so that the angle between axes is seen."""


def photograph_picture(result: Synthesis) -> Image.Image:
    """The foot as it was cut out of the photograph, at panel height."""
    return _enlarged(Image.fromarray(result.case.shown(result.case.foot.color)))


def radiograph_picture(result: Synthesis) -> Image.Image:
    """The radiograph, at panel height."""
    return _enlarged(picture(result.volume.voxels[0])).convert("RGB")


def spread_picture(result: Synthesis) -> Image.Image | None:
    """The standard deviation of the samples at panel height, white = ``SHOWN``; None for one sample."""
    if result.uncertainty is None:
        return None
    return _enlarged(picture(result.uncertainty.voxels[0] / SHOWN)).convert("RGB")


def keypoint_picture(result: Synthesis) -> Image.Image:
    """The radiograph with the ten keypoints and the axes of both angles, at panel height."""
    canvas = radiograph_picture(result)
    draw, scale = ImageDraw.Draw(canvas), canvas.height / result.volume.voxels.shape[-2]
    points = {name: _placed(point, scale) for name, point in result.points.items()}
    for axis in {axis: None for axes in AXES.values() for axis in axes}:
        draw.line(_beyond(points, axis), fill=YELLOW, width=2)
    for x, y in points.values():
        draw.ellipse((x - 4, y - 4, x + 4, y + 4), outline=_CYAN, width=2)
    return canvas


def preview(result: Synthesis) -> Image.Image:
    """Photograph, radiograph, and radiograph with keypoints side by side, with the angles."""
    panels = [photograph_picture(result), radiograph_picture(result), keypoint_picture(result)]
    names = ["Photograph, cut out", f"Synthetic radiograph, {result.case.title}", "Keypoints and axes found on it"]
    lines = angle_lines(result)
    width = sum(panel.width + _MARGIN for panel in panels) + _MARGIN
    height = HEIGHT + _CAPTION * (2 + len(lines)) + _MARGIN
    canvas = Image.new("RGB", (width, height), "black")
    draw, font, left = ImageDraw.Draw(canvas), ImageFont.load_default(14), _MARGIN
    for panel, name in zip(panels, names, strict=True):
        draw.text((left, 5), name, GRAY, font)
        canvas.paste(panel, (left, _CAPTION))
        left += panel.width + _MARGIN
    for number, line in enumerate(lines):
        draw.text((_MARGIN, HEIGHT + _CAPTION * (1 + number) + 8), line, GRAY, font)
    draw.text((_MARGIN, height - _CAPTION), SHORT_DISCLAIMER, RED, font)
    return canvas


def angle_lines(result: Synthesis) -> list[str]:
    """Each angle on a line, then what its interval is and what it was measured on."""
    measures = result.measures
    lines = [f"{NAMES[name].capitalize()}: {angle.text}" for name, angle in measures.angles.items()]
    return [*lines, f"Measured on a synthetic image; {measures.meaning}."]


def write_picture(path: Path, stored: np.ndarray) -> None:
    """Write stored values [H,W] of a radiograph as a PNG of 8 bits."""
    save_png(Image.fromarray((stored * (255 / MAX_STORED)).round().astype(np.uint8)), path)


def save_png(image: Image.Image, path: Path) -> None:
    """Write a PNG with a text inside that says what it is, so that one that comes back is known."""
    about = PngImagePlugin.PngInfo()
    about.add_text("Description", SHORT_DISCLAIMER)
    image.save(path, pnginfo=about)


def is_own_picture(path: Path) -> bool:
    """Whether a file is a PNG that :func:`save_png` wrote; False for one that cannot be opened."""
    try:
        with Image.open(path, formats=("PNG",)) as image:
            return image.info.get("Description") == SHORT_DISCLAIMER
    except Exception:  # Pillow raises what the bytes provoke; who reads the photograph says what is wrong
        return False


def _enlarged(image: Image.Image) -> Image.Image:
    return image.resize((round(image.width * HEIGHT / image.height), HEIGHT), Image.Resampling.LANCZOS)


def _placed(point: tuple[float, float], scale: float) -> tuple[float, float]:
    """(x, y) on the enlarged picture of a (row, column); both count from the middle of the first pixel."""
    row, column = point
    return (column + 0.5) * scale - 0.5, (row + 0.5) * scale - 0.5


def _beyond(points: Mapping[str, tuple[float, float]], axis: tuple[str, str]) -> list[tuple[float, float]]:
    first, last = (np.array(points[name]) for name in axis)
    more = _BEYOND * (last - first)
    return [(float(x), float(y)) for x, y in (first - more, last + more)]
