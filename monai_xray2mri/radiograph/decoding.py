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
from typing import Final

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import generate_frames
from pydicom.pixels import pixel_array
from pydicom.uid import ComputedRadiographyImageStorage, RLELossless, generate_uid

from monai_xray2mri.dicom.inflation import LARGEST_INFLATED
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.radiograph.codestream import Precision, precision_of, size_of
from monai_xray2mri.radiograph.stored_bits import Layout, overlay_planes, read_values, sign_remark

LARGEST_PIXELS: Final = LARGEST_INFLATED // 2
"""Pixels of the largest frame that is decoded: those of the largest data set, at 16 bits."""
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


def decode_stored_values(dataset: Dataset, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Decode the one frame of a radiograph (PS3.3 C.7.6.3, PS3.5 Annex A).

    Args:
        dataset: a data set with pixel data and, in its file meta information, the transfer syntax.
        name: how messages call the file.

    Returns:
        [H,W] int32 stored values; overlays in unused bits are removed, signed values are signed. And remarks, where
        the values are not as the header describes them (:mod:`~monai_xray2mri.radiograph.stored_bits`).

    Raises:
        InputRefused: colour, several frames, unusual bit depths, cut-off or undecodable pixel data.
    """
    check_pixel_description(dataset, name)
    frame = _frame_alone(dataset)
    precision, signed = _precision(frame, name), bool(frame.PixelRepresentation)
    remarks = list[str]()
    if precision is None:
        layout = Layout(frame.BitsAllocated, frame.BitsStored, signed)
        _describe(frame, Precision(frame.BitsAllocated, signed))
    else:
        stored = frame.get("BitsStored")
        bits = stored if isinstance(stored, int) and 8 <= stored <= precision.bits else precision.bits
        layout = Layout(precision.bits, bits, signed or precision.signed)
        remarks += [sign_remark(True)] if precision.signed and not signed else []
        _describe(frame, precision)
    try:
        decoded = pixel_array(frame)
    except Exception:  # whatever a decoder raises for what it cannot do; the second decoder has the last word
        decoded = _decode_with_gdcm(frame, name)
    if decoded.shape != (frame.Rows, frame.Columns):
        raise cut_off(name, "the decoded image has another size than Rows and Columns say")
    codes = decoded.astype(np.int32) & (((1 << layout.container) - 1) & ~_overlays(dataset, layout))
    if precision is None:
        codes, moved = _to_the_low_bits(codes, dataset, name)
        remarks += moved
    values, read = read_values(codes, layout, dataset)
    return values, (*remarks, *read)


def _overlays(dataset: Dataset, layout: Layout) -> int:
    """A mask of the bits that hold overlays; where values lie there is none, whatever the header says."""
    high = dataset.get("HighBit")
    lowest = high + 1 - layout.bits if isinstance(high, int) and layout.bits - 1 <= high < layout.container else 0
    return overlay_planes(dataset) & ~(((1 << layout.bits) - 1) << lowest)


def _to_the_low_bits(codes: np.ndarray, dataset: Dataset, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Values whose High Bit is not Bits Stored - 1, moved to the low bits if they are where it says.

    Raises:
        InputRefused: they are neither there nor in the low bits.
    """
    allocated, stored, high = (dataset.get(keyword) for keyword in ("BitsAllocated", "BitsStored", "HighBit"))
    if high in (None, stored - 1):
        return codes, ()
    above = high + 1 - stored if isinstance(high, int) and stored <= high < allocated else 0
    if above and not np.any(codes & ((1 << above) - 1)):
        return codes >> above, (f"values lie in the bits below High Bit (0028,0102) {high}",)
    if int(codes.max()) >> stored:
        raise _unusual_bits(dataset, name)
    return codes, (f"High Bit (0028,0102) {_number(high)} is not followed: values lie in the {stored} low bits",)


def check_pixel_description(dataset: Dataset, name: str) -> None:
    """Refuse what is not one grey frame of 8 to 16 bits (PS3.3 C.7.6.3); a codestream tells its bits itself.

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
    if not _has_codestream(dataset):
        _check_bits(dataset, name)
    _check_size(dataset, name)


def _has_codestream(dataset: Dataset) -> bool:
    """Whether the frame is compressed by a method that writes down the precision of its values."""
    syntax = dataset.file_meta.TransferSyntaxUID
    return syntax.is_transfer_syntax and syntax.is_compressed and not syntax.is_deflated and syntax != RLELossless


def _check_bits(dataset: Dataset, name: str) -> None:
    allocated, stored = dataset.get("BitsAllocated"), dataset.get("BitsStored")
    if allocated not in (8, 16) or not isinstance(stored, int) or not 8 <= stored <= allocated:
        raise _unusual_bits(dataset, name)


def _unusual_bits(dataset: Dataset, name: str) -> InputRefused:
    found = (f"{keyword} {_number(dataset.get(keyword))}" for keyword in ("BitsAllocated", "BitsStored", "HighBit"))
    return InputRefused(
        f"radiograph {name}",
        "must store 8 to 16 bits in the low bits of 8 or 16",
        ", ".join(found),
        "Export the radiograph again.",
    )


def _check_size(dataset: Dataset, name: str) -> None:
    size = [dataset.get(keyword) for keyword in ("Rows", "Columns")]
    if not all(isinstance(value, int) and value > 0 for value in size):
        found = "none or zero" if not any(size) else "values that are no numbers, or zero"
        raise InputRefused(f"radiograph {name}", "needs Rows and Columns", found, "The header is damaged.")
    if size[0] * size[1] > LARGEST_PIXELS:
        raise InputRefused(
            f"radiograph {name}",
            f"must have at most {LARGEST_PIXELS // 1_000_000} million pixels",
            f"{size[0]} x {size[1]}",
            "Give the original radiograph, not an enlarged copy.",
        )
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
    frame.PixelRepresentation = dataset.get("PixelRepresentation") or 0
    frame.file_meta = FileMetaDataset()
    frame.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    return frame


def _describe(frame: Dataset, precision: Precision) -> None:
    """Describe a frame so that decoders give all bits of it: they unpack it so, or remove what is not described."""
    described = {
        "BitsAllocated": 8 if precision.bits <= 8 else 16,
        "BitsStored": precision.bits,
        "HighBit": precision.bits - 1,
        "PixelRepresentation": int(precision.signed),
    }
    for keyword, value in described.items():
        frame.add_new(keyword, "US", value)  # an element that is there may have a VR that takes no number


def _precision(frame: Dataset, name: str) -> Precision | None:
    """What the codestream says of its values; None for what has none.

    Raises:
        InputRefused: pixel data that are cut off, which decoders may pad in silence or with a warning only, or unusual
            bits.
    """
    syntax = frame.file_meta.TransferSyntaxUID
    if not syntax.is_transfer_syntax:
        remedy = "Export the radiograph again."
        raise InputRefused(f"radiograph {name}", "must name a transfer syntax of DICOM", "another UID", remedy)
    if not syntax.is_compressed or syntax.is_deflated:
        _check_length(frame, name)
        return None
    try:
        codestream = b"".join(generate_frames(frame.PixelData, number_of_frames=1))
    except Exception:  # pydicom raises several kinds for broken items; all mean the same here
        raise cut_off(name, "broken items in the compressed pixel data") from None
    if syntax == RLELossless:
        return None
    # zeros and one fill byte may follow the end marker to make the length even
    if END_OF_CODESTREAM not in codestream.rstrip(b"\0")[-3:]:
        raise cut_off(name, "compressed pixel data without their end marker")
    if size_of(codestream) not in (None, (frame.Rows, frame.Columns)):  # a decoder would make room for it
        raise cut_off(name, "a compressed image of another size than Rows and Columns say")
    precision = precision_of(codestream)
    if precision is None or not 8 <= precision.bits <= 16:
        _check_bits(frame, name)
        return None
    return precision


def _check_length(frame: Dataset, name: str) -> None:
    """Refuse fewer bytes than an uncompressed frame has, or so many more that the description cannot be right."""
    expected, found = frame.Rows * frame.Columns * frame.BitsAllocated // 8, len(frame.PixelData)
    if found < expected:
        raise cut_off(name, f"{found} of {expected} bytes of pixel data")
    if found >= 2 * expected:
        raise InputRefused(
            f"radiograph {name}",
            "must have as many bytes of pixel data as Rows, Columns and Bits Allocated say",
            f"{found} bytes in place of {expected}",
            "Export the radiograph again.",
        )


def _decode_with_gdcm(frame: Dataset, name: str) -> np.ndarray:
    """Decode a frame with GDCM: [H,W] stored values."""
    import SimpleITK as sitk  # few files need it, and it takes as long to load as a film to read

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


def cut_off(name: str, found: str) -> InputRefused:
    """The refusal of pixel data that are incomplete; ``found`` says what was there instead."""
    return InputRefused(
        f"radiograph {name}",
        "needs complete, decodable pixel data",
        found,
        "The file is cut off or damaged: fetch it again from its source.",
    )
