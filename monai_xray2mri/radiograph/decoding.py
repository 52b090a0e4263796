"""Stored pixel values of a DICOM radiograph, from every transfer syntax in use for CR and DX.

pydicom decodes where it can (uncompressed, deflated, RLE, baseline JPEG, JPEG 2000). What it cannot without further
plug-ins, above all JPEG lossless, goes to GDCM inside SimpleITK. SimpleITK would invert MONOCHROME1 and apply the
rescale slope; it is therefore given the frame alone, declared MONOCHROME2 without any look-up table, so that both
ways return the same stored values and polarity is decided in one place (``presentation.py``).
"""

from __future__ import annotations

import tempfile
from copy import copy
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import generate_frames
from pydicom.pixels import pixel_array
from pydicom.uid import ComputedRadiographyImageStorage, RLELossless, generate_uid

from monai_xray2mri.errors import InputRefused

END_OF_CODESTREAM = b"\xff\xd9"
"""EOI of JPEG and JPEG-LS, EOC of JPEG 2000: what a complete codestream ends with."""

_FRAME_KEYWORDS = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelData",
)


def decode_stored_values(dataset: Dataset, name: str) -> np.ndarray:
    """Decode the one frame of a radiograph (PS3.3 C.7.6.3, PS3.5 Annex A).

    Args:
        dataset: a data set with pixel data and, in its file meta information, the transfer syntax.
        name: how messages call the file.

    Returns:
        [H,W] int32 stored values; bits above Bits Stored (old overlays) are removed, signed values are signed.

    Raises:
        InputRefused: colour, several frames, unusual bit depths, cut-off or undecodable pixel data.
    """
    check_pixel_description(dataset, name)
    frame = _frame_alone(dataset)
    _check_complete(frame, name)
    try:
        values = pixel_array(frame)
    except Exception:  # whatever a decoder raises for what it cannot do; the second decoder has the last word
        values = _decode_with_gdcm(frame, name)
    if values.shape != (frame.Rows, frame.Columns):
        raise cut_off(name, "the decoded image has another size than Rows and Columns say")
    return _keep_stored_bits(values, frame.BitsStored, bool(frame.PixelRepresentation))


def check_pixel_description(dataset: Dataset, name: str) -> None:
    """Refuse what is not one grey frame of 8 to 16 bits (PS3.3 C.7.6.3).

    Args:
        dataset: the data set.
        name: how messages call the file.

    Raises:
        InputRefused: the rule that is broken and the value found.
    """
    pixel_data = dataset.get("PixelData")
    if not isinstance(pixel_data, bytes) or not pixel_data:
        raise InputRefused(
            f"radiograph {name}",
            "needs pixel data",
            "none, or cut off",
            "The file may be incomplete: fetch it again from its source.",
        )
    frames = dataset.get("NumberOfFrames") or 1
    if frames != 1:
        raise InputRefused(
            f"radiograph {name}", "must hold one frame", f"{_number(frames)} frames", "Give a single image."
        )
    photometric = str(dataset.get("PhotometricInterpretation") or "nothing")
    if dataset.get("SamplesPerPixel") != 1 or photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise InputRefused(
            f"radiograph {name}",
            "must be grey: one sample per pixel, MONOCHROME1 or MONOCHROME2",
            f"{dataset.get('SamplesPerPixel')} samples, {photometric}",
            "Give the original radiograph, not a colour copy or screen shot.",
        )
    _check_bits(dataset, name)


def _check_bits(dataset: Dataset, name: str) -> None:
    allocated, stored, high = (dataset.get(k) for k in ("BitsAllocated", "BitsStored", "HighBit"))
    usual = allocated in (8, 16) and isinstance(stored, int) and 8 <= stored <= allocated
    if not usual or high not in (None, stored - 1):
        raise InputRefused(
            f"radiograph {name}",
            "must store 8 to 16 bits in the low bits of 8 or 16",
            f"BitsAllocated {_number(allocated)}, BitsStored {_number(stored)}, HighBit {_number(high)}",
            "Export the radiograph again.",
        )
    size = [dataset.get(keyword) for keyword in ("Rows", "Columns")]
    if not all(isinstance(value, int) and value > 0 for value in size):
        found = "none or zero" if not any(size) else "values that are no numbers, or zero"
        raise InputRefused(f"radiograph {name}", "needs Rows and Columns", found, "The header is damaged.")
    if dataset.get("PixelRepresentation") not in (None, "", 0, 1):
        raise InputRefused(
            f"radiograph {name}", "must have a Pixel Representation of 0 or 1", "another", "The header is damaged."
        )


def _number(value: object) -> str:
    """A number as text; whatever else a damaged header may hold is not quoted."""
    return str(value) if value is None or isinstance(value, int) else "(no number)"


def _frame_alone(dataset: Dataset) -> Dataset:
    """Copy what describes the frame and nothing else: no patient data, no tables, no overlays."""
    frame = Dataset()
    for keyword in _FRAME_KEYWORDS:
        if keyword in dataset:
            frame[keyword] = copy(dataset[keyword])  # what is set below must not reach the header
    frame.HighBit = frame.BitsStored - 1
    frame.PixelRepresentation = dataset.get("PixelRepresentation") or 0
    frame.file_meta = FileMetaDataset()
    frame.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    return frame


def _check_complete(frame: Dataset, name: str) -> None:
    """Refuse cut-off pixel data; decoders may pad it in silence or with a warning only."""
    syntax = frame.file_meta.TransferSyntaxUID
    if not syntax.is_transfer_syntax:
        remedy = "Export the radiograph again."
        raise InputRefused(f"radiograph {name}", "must name a transfer syntax of DICOM", "another UID", remedy)
    if not syntax.is_compressed or syntax.is_deflated:
        expected = frame.Rows * frame.Columns * frame.BitsAllocated // 8
        if len(frame.PixelData) < expected:
            raise cut_off(name, f"{len(frame.PixelData)} of {expected} bytes of pixel data")
        return
    try:
        codestream = b"".join(generate_frames(frame.PixelData, number_of_frames=1))
    except Exception:  # pydicom raises several kinds for broken items; all mean the same here
        raise cut_off(name, "broken items in the compressed pixel data") from None
    # zeros and one fill byte may follow the end marker to make the length even
    if syntax != RLELossless and END_OF_CODESTREAM not in codestream.rstrip(b"\0")[-3:]:
        raise cut_off(name, "compressed pixel data without their end marker")


def _decode_with_gdcm(frame: Dataset, name: str) -> np.ndarray:
    """Decode a frame with GDCM: [H,W] stored values."""
    alone = Dataset()
    alone.update({element.tag: copy(element) for element in frame})
    alone.PhotometricInterpretation = "MONOCHROME2"
    alone.Modality = "CR"
    alone.SOPClassUID = ComputedRadiographyImageStorage
    alone.SOPInstanceUID = generate_uid()
    alone.file_meta = FileMetaDataset()
    alone.file_meta.TransferSyntaxUID = frame.file_meta.TransferSyntaxUID
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.dcm"
        try:
            alone.save_as(path, enforce_file_format=True)
            reader = sitk.ImageFileReader()
            reader.SetImageIO("GDCMImageIO")
            reader.SetFileName(str(path))
            values = sitk.GetArrayFromImage(reader.Execute())
        except (RuntimeError, ValueError, NotImplementedError):
            # the decoders' own texts name temporary files and say little to a user
            raise cut_off(name, f"{frame.file_meta.TransferSyntaxUID.name} that no decoder here can read") from None
    return values[0] if values.ndim == 3 else values


def _keep_stored_bits(values: np.ndarray, bits: int, signed: bool) -> np.ndarray:
    """Mask everything above Bits Stored and extend the sign: [H,W] int32."""
    kept = values.astype(np.int32) & ((1 << bits) - 1)
    if not signed:
        return kept
    sign = 1 << (bits - 1)
    return (kept ^ sign) - sign


def cut_off(name: str, found: str) -> InputRefused:
    """The refusal of pixel data that are incomplete; ``found`` says what was there instead."""
    return InputRefused(
        f"radiograph {name}",
        "needs complete, decodable pixel data",
        found,
        "The file is cut off or damaged: fetch it again from its source.",
    )
