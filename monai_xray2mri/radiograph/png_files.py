"""Radiographs as PNG and JPEG, for researchers."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.types import Radiograph, Side

_GRAY_TOLERANCE = 4 / 255
"""Largest difference between the colour channels of a grey image after JPEG rounding."""


def read_picture(path: Path, name: str) -> Radiograph:
    """Read a PNG or JPEG; bone is taken to be bright, the side may be in an OAI-like file name (``9001695L.png``).

    It is turned and mirrored as its EXIF orientation says, so that it is read as viewers show it.

    Args:
        path: the file.
        name: how messages call it.

    Returns:
        The radiograph, without header and spacing; what was taken for granted is remarked.

    Raises:
        InputRefused: the picture is cut off, coloured or animated.
    """
    pixels, turned = _gray(path, name)
    match = re.fullmatch(r"\d+([RL])", path.stem)
    remarks = ["a picture without header: bone is taken to be bright, the display to be the usual one"]
    if turned:
        remarks.append("turned or mirrored as its EXIF orientation says")
    if match:
        remarks.append(f"side {match[1]} taken from the file name")
    sides = (Side(match[1]),) if match else ()
    source = "file name" if match else "none"
    return Radiograph(pixels, None, "none", sides, source, name, None, path, tuple(remarks))


def _gray(path: Path, name: str) -> tuple[np.ndarray, bool]:
    """Load a grey picture of 8 or 16 bits: [H,W] float32 in [0,1], and whether its EXIF orientation turned it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=("PNG", "JPEG")) as picture:
                frames = getattr(picture, "n_frames", 1)
                picture.load()
                mode, turned = picture.mode, _exif_orientation(picture) in range(2, 9)
                shown = ImageOps.exif_transpose(picture) if turned else picture
                values = np.asarray(shown.convert("RGBA") if mode in ("P", "RGB", "RGBA", "LA", "1") else shown)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputRefused(
            f"radiograph {name}", "must be a complete picture", "cut off or damaged", "Fetch it again from its source."
        ) from None
    if frames != 1 or mode not in ("L", "LA", "P", "RGB", "RGBA", "1", "I", "I;16", "I;16B", "I;16L"):
        raise InputRefused(
            f"radiograph {name}", "must be one grey picture", f"mode {mode}, {frames} frames", "Export it as grey PNG."
        )
    if values.ndim == 2 and mode == "L":
        return values.astype(np.float32) / np.float32(255), turned
    if values.ndim == 2:  # 16 bits of which a detector may fill 10 or 12
        low, high = int(values.min()), int(values.max())
        return ((values.astype(np.float64) - low) / max(high - low, 1)).astype(np.float32), turned
    return _gray_of_channels(values.astype(np.float32) / np.float32(255), name), turned


def _exif_orientation(picture: Image.Image) -> object:
    """Orientation (EXIF 0x0112); 1, as stored, where there is none or its data are damaged."""
    try:
        return picture.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # Pillow raises what the bytes provoke
        return 1


def _gray_of_channels(channels: np.ndarray, name: str) -> np.ndarray:
    """Reduce [H,W,4] red, green, blue and opacity to grey [H,W]; what is transparent is dark."""
    colors = channels[..., :3]
    if float(np.ptp(colors, axis=2).max()) > _GRAY_TOLERANCE:
        raise InputRefused(
            f"radiograph {name}", "must be grey", "a colour picture", "Export the radiograph without colours."
        )
    return np.where(channels[..., 3] > 0, colors[..., 1], 0).astype(np.float32)
