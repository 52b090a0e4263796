"""Photographs from PNG, JPEG and VL Photographic DICOM files (PS3.3 A.32.4)."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from pathlib import Path
from typing import Final

import numpy as np
from PIL import ExifTags, Image, ImageOps
from pydicom import Dataset
from pydicom.pixels import apply_color_lut, pixel_array
from pydicom.uid import VLPhotographicImageStorage

from monai_xray2mri.dicom.files import read_header, with_pixels
from monai_xray2mri.dicom.inflation import require_bounded
from monai_xray2mri.dicom.laterality_codes import LATERALITY_CODES
from monai_xray2mri.dicom.own_results import is_own_result
from monai_xray2mri.dicom.placeholders import is_placeholder
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.structured_report import sequence_items, text_value
from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.photograph.kinds import PHOTOGRAPH_MODALITIES
from monai_xray2mri.photograph.record import Photograph
from monai_xray2mri.types import Side

LARGEST_PIXELS: Final = 80_000_000
"""Pixels of the largest photograph that is opened; telephones make 12 to 50 million."""
HELD_SIDE: Final = 2400
"""Pixels of the longer side from which on a photograph is held smaller: a foot has 1500 of them then."""
SMALLEST_SIDE: Final = 64
"""Pixels of the shorter side below which there is no photograph of anything."""
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_MODES: Final = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "I;16", "I;16B", "I;16L")
_LARGEST_FILE: Final = 400_000_000
_REMEDY: Final = "Give the photograph itself, as PNG, JPEG or DICOM (VL Photographic)."


def read_photograph(path: Path | str, name: str | None = None) -> Photograph:
    """Read a photograph.

    The EXIF orientation of a picture is applied. Everything else that its file says (place, time, device, comments,
    thumbnails) is dropped here and reaches nothing.

    Args:
        path: a PNG, JPEG or DICOM file.
        name: how messages call it; the file name if None.

    Raises:
        UsageError: there is no such file.
        InputRefused: it is something else, damaged, too large or our own result.
    """
    path = Path(path)
    name = name or path.name
    if not path.is_file():
        raise UsageError(f"photograph {name}", "must be a file", "none of that name", "Check the path.")
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= _LARGEST_FILE else b""
    except OSError:
        raise InputRefused(f"photograph {name}", "must be readable", "no permission or a broken medium") from None
    if size > _LARGEST_FILE:
        found = f"{size / 1e6:.0f} MB"
        raise InputRefused(f"photograph {name}", f"must have at most {_LARGEST_FILE / 1e6:.0f} MB", found, _REMEDY)
    digest = hashlib.sha256(content).hexdigest()
    if content.startswith((_PNG, _JPEG)):
        return _picture(content, name, digest)
    require_bounded(path, name)
    header = read_header(path)
    if header is None:
        raise InputRefused(f"file {name}", "must be a PNG, JPEG or DICOM file", "another kind of file", _REMEDY)
    return _of_dataset(header, path, name, digest)


def _picture(content: bytes, name: str, digest: str) -> Photograph:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own limit; ours is the one that holds
            with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as picture:
                _check_size(picture.width, picture.height, name)
                # of several pictures in a JPEG (CIPA DC-007) the first is the photograph, the others its previews
                frames = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
                mode, columns = picture.mode, picture.width
                if frames != 1 or mode not in _MODES:
                    raise InputRefused(
                        f"photograph {name}", "must be one picture, grey or in color",
                        f"mode {mode}, {frames} frames", "Export it as PNG or JPEG.",
                    )  # fmt: skip
                if max(picture.size) >= 2 * HELD_SIDE:
                    picture.draft(None, (HELD_SIDE, HELD_SIDE))  # a JPEG is decoded to a half, a quarter, an eighth
                picture.load()
                turned = _exif_orientation(picture) in range(2, 9)
                drafted = columns / picture.width
                pixels = _colors(ImageOps.exif_transpose(picture) if turned else picture)
    except Image.DecompressionBombError:  # Pillow's limit lies above ours and is met before
        raise _too_large(name, "more") from None
    except (OSError, ValueError, SyntaxError):
        raise _damaged(name) from None
    remarks = ("turned or mirrored as its EXIF orientation says",) if turned else ()
    held, more = _held(pixels)
    return Photograph(held, name, digest, remarks=remarks, reduction=drafted * more)


def _check_size(columns: int, rows: int, name: str) -> None:
    if rows * columns > LARGEST_PIXELS:
        raise _too_large(name, f"{columns} x {rows}")
    if min(rows, columns) < SMALLEST_SIDE:
        raise InputRefused(
            f"photograph {name}", f"must have {SMALLEST_SIDE} pixels a side at least", f"{columns} x {rows}",
            "Give the photograph itself, not a thumbnail.",
        )  # fmt: skip


def _too_large(name: str, found: str) -> InputRefused:
    rule = f"must have at most {LARGEST_PIXELS // 1_000_000} million pixels"
    return InputRefused(f"photograph {name}", rule, found, "Reduce it.")


def _exif_orientation(picture: Image.Image) -> object:
    """Orientation (EXIF 0x0112); 1, as stored, where there is none or its data are damaged."""
    try:
        return picture.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # Pillow raises what the bytes provoke
        return 1


def _colors(picture: Image.Image) -> np.ndarray:
    """A picture of any mode: [H,W,3] uint8; what is transparent is black."""
    if picture.mode.startswith("I"):
        values = np.asarray(picture).astype(np.float32)
        gray = values * (255 / 65535 if values.max(initial=0) > 255 else 1)
        return np.repeat(np.rint(gray.clip(0, 255)).astype(np.uint8)[..., None], 3, axis=2)
    if picture.mode == "P" or picture.has_transparency_data:
        layered = np.asarray(picture.convert("RGBA"))
        return np.where(layered[..., 3:] >= 128, layered[..., :3], np.uint8(0))
    return np.array(picture.convert("RGB"))


def _held(pixels: np.ndarray) -> tuple[np.ndarray, float]:
    """The pixels, made smaller where they are many, and how many of the given ones lie along a side of one held."""
    longer = max(pixels.shape[:2])
    if longer <= HELD_SIDE:
        return np.ascontiguousarray(pixels), 1.0
    shape = [max(round(side * HELD_SIDE / longer), 1) for side in pixels.shape[:2]]
    smaller = Image.fromarray(pixels).resize((shape[1], shape[0]), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(smaller), longer / HELD_SIDE


def _damaged(name: str) -> InputRefused:
    return InputRefused(
        f"photograph {name}", "must be a complete picture", "cut off or damaged", "Fetch it again from its source."
    )


def _of_dataset(header: Dataset, path: Path, name: str, digest: str) -> Photograph:
    _check_class(header, name)
    columns, rows = header.get("Columns"), header.get("Rows")
    if not isinstance(rows, int) or not isinstance(columns, int):
        raise _damaged(name)
    _check_size(columns, rows, name)
    if (header.get("NumberOfFrames") or 1) != 1:
        raise InputRefused(f"photograph {name}", "must hold one frame", f"{header.NumberOfFrames} frames")
    with quiet():
        try:
            pixels = _decoded(with_pixels(header, path))
        except Exception:  # pydicom and its decoders raise many kinds for damaged pixel data
            raise _damaged(name) from None
    sides, source = sides_in_header(header, name)
    held, more = _held(pixels)
    lossy = ("the photograph was compressed with loss",) if header.get("LossyImageCompression") == "01" else ()
    return Photograph(held, name, digest, header, sides, source, lossy, more)


def _check_class(header: Dataset, name: str) -> None:
    if is_own_result(header):
        raise InputRefused(
            f"file {name}", "must be a photograph", "a result of this software, which is synthetic",
            "Give the photograph that it was made from.",
        )  # fmt: skip
    modality = str(header.get("Modality") or "")
    photographic = header.get("SOPClassUID") == VLPhotographicImageStorage
    if modality in PHOTOGRAPH_MODALITIES or (photographic and not modality):
        return
    shown = modality if re.fullmatch(r"[A-Z]{2,8}", modality) else "none"
    raise InputRefused(
        f"file {name}", "must be a photograph: modality XC, VL Photographic Image Storage", f"modality {shown}", _REMEDY
    )


def _decoded(dataset: Dataset) -> np.ndarray:
    """The frame [H,W,3] uint8 of a data set, red, green, blue (PS3.3 C.7.6.3.1.2)."""
    photometric, stored = str(dataset.PhotometricInterpretation), int(dataset.BitsStored)
    values = pixel_array(dataset)  # of Y, Cb, Cr it makes red, green, blue
    if photometric == "PALETTE COLOR":
        values = apply_color_lut(values, dataset)
        stored = values.dtype.itemsize * 8
    if values.ndim == 2:
        values = np.repeat(values[..., None], 3, axis=2)
    if values.ndim != 3 or values.shape[2] != 3 or values.dtype.kind != "u":
        raise ValueError(photometric)
    bright = np.rint(values * (255 / (2**stored - 1))).astype(np.uint8) if stored != 8 else values
    return 255 - bright if photometric == "MONOCHROME1" else bright


def sides_in_header(header: Dataset, name: str) -> tuple[tuple[Side, ...], str]:
    """The sides that coded values of a header tell, and the attribute that tells them first.

    Image Laterality (0020,0062), Laterality (0020,0060) and the modifiers of the anatomic region (PS3.3 10.5) count.
    Words in descriptions do not.

    Raises:
        InputRefused: two of them contradict each other.
    """
    told: list[tuple[tuple[Side, ...], str]] = []
    for keyword in ("ImageLaterality", "Laterality"):
        value = text_value(header, keyword).strip().upper()
        if value in ("R", "L", "B"):
            told.append((tuple(Side) if value == "B" else (Side(value),), keyword))
        elif value not in ("", "U") and not is_placeholder(value):
            raise InputRefused(f"photograph {name}", f"needs R, L or B in {keyword}", "another value")
    for region in [header, *sequence_items(header, "AnatomicRegionSequence")]:
        for item in sequence_items(region, "AnatomicRegionModifierSequence"):
            code = text_value(item, "CodeValue"), text_value(item, "CodingSchemeDesignator")
            if letter := LATERALITY_CODES.get(code):
                told.append((tuple(Side) if letter == "B" else (Side(letter),), "AnatomicRegionModifierSequence"))
    if not told:
        return (), "none"
    for sides, keyword in told[1:]:
        if not set(sides) & set(told[0][0]):
            raise InputRefused(
                f"photograph {name}", "needs sources of the side that agree",
                f"{told[0][1]} says {told[0][0][0].word}, {keyword} says {sides[0].word}", "Correct the header.",
            )  # fmt: skip
    return told[0]
