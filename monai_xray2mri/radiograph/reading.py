"""Radiographs from DICOM files and data sets; from PNG, JPEG, NIfTI and NRRD for researchers and viewers."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Final

from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_description
from pydicom.dataset import FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from monai_xray2mri.dicom.files import with_pixels
from monai_xray2mri.dicom.inflation import require_bounded
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.readable import unreadable_tags
from monai_xray2mri.errors import InputRefused, NotAKnee, UsageError
from monai_xray2mri.radiograph.decoding import check_pixel_description, decode_stored_values
from monai_xray2mri.radiograph.geometry import detector_spacing, turn_to_usual_display
from monai_xray2mri.radiograph.kinds import RADIOGRAPH_MODALITIES, is_image_file
from monai_xray2mri.radiograph.laterality import sides_of
from monai_xray2mri.radiograph.png_files import read_picture
from monai_xray2mri.radiograph.presentation import present_bone_bright
from monai_xray2mri.types import Radiograph, Side

RADIOGRAPH_CLASSES: Final = (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
)
"""SOP classes of radiographs (PS3.3 A.2 and A.26)."""

PIXEL_GROUP = 0x7FE0

SHOWING: Final = (
    "ModalityLUTSequence",
    "RescaleSlope",
    "RescaleIntercept",
    "VOILUTSequence",
    "WindowCenter",
    "WindowWidth",
)
"""What turns stored values into brightness; to pass over one of these is worth a remark."""

SubjectCheck = Callable[[Dataset, str], object]
"""Called with the header of a film and its name; refuses a film of something else."""

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00")
"""Little-endian group numbers with which a DICOM data set without preamble begins."""


def read_radiograph(
    path: Path, name: str | None = None, check_subject: SubjectCheck | None = None, header: Dataset | None = None
) -> Radiograph:
    """Read a radiograph from a DICOM (with or without preamble), PNG, JPEG, NIfTI or NRRD file.

    Args:
        path: the file.
        name: how messages call it, relative to the user's input; the file name if None.
        check_subject: asked where the header contradicts itself about the side: of a film of something else the
            contradiction is not the reason to name.
        header: of the file, where it was parsed before (:func:`~monai_xray2mri.dicom.files.read_header`): only the
            pixels are read then.

    Returns:
        The radiograph, bone bright, in the usual display.

    Raises:
        UsageError: there is no such file.
        NotAKnee: it is no radiograph, or a lateral or axial one.
        InputRefused: its pixels, side or spacing cannot be trusted.
    """
    name = name or path.name
    if header is None:
        start = _start_of(path, name)
        if start.startswith((_PNG, _JPEG)):
            return read_picture(path, name)
        if is_image_file(path):
            from monai_xray2mri.radiograph.nifti_files import read_image_file  # loads SimpleITK, which DICOM needs not

            return read_image_file(path, name)
        if start[128:] != b"DICM" and start[:2] not in _FIRST_GROUPS:
            raise InputRefused(
                f"file {name}",
                "must be a DICOM, PNG, JPEG, NIfTI or NRRD file",
                "another kind of file",
                "Give the radiograph itself.",
            )
        require_bounded(path, name)
    return radiograph_from_dataset(_read_dataset(path, name, header), name, path, check_subject)


def _start_of(path: Path, name: str) -> bytes:
    """The first bytes of a file, which tell its kind."""
    if not path.is_file():
        raise UsageError(f"radiograph {name}", "must be a file", "none of that name", "Check the path.")
    try:
        with path.open("rb") as file:
            return file.read(132)
    except OSError:
        raise InputRefused(f"radiograph {name}", "must be readable", "no permission or a broken medium") from None


def radiograph_from_dataset(
    dataset: Dataset, name: str, path: Path | None = None, check_subject: SubjectCheck | None = None
) -> Radiograph:
    """Make a radiograph of a DICOM data set that was read elsewhere.

    Args:
        dataset: CR, DX For Presentation or DX For Processing, with pixel data; it is not changed.
        name: how messages call it; never patient data.
        path: the file that it was read from, if any.
        check_subject: see :func:`read_radiograph`.

    Returns:
        The radiograph, bone bright, in the usual display.

    Raises:
        NotAKnee: it is no radiograph, or a lateral or axial one.
        InputRefused: its pixels, orientation, side or spacing cannot be trusted.
    """
    with quiet():
        readable, unread_remarks = _readable(dataset)
        header = _without_pixels(readable)
        _check_class(header, name)
        check_pixel_description(readable, name)
        sides, sides_source = _sides(header, name, check_subject)
        spacing, spacing_source, spacing_remarks = detector_spacing(header, name)
        stored, bit_remarks = decode_stored_values(readable, name)  # [H,W]
        bright, shown_remarks = present_bone_bright(stored, header)  # [H,W] in [0,1]
        pixels, swapped, turn_remarks = turn_to_usual_display(bright, header, name)
    if swapped and spacing:
        spacing = spacing[1], spacing[0]
    lossy = ("the radiograph was compressed with loss",) if header.get("LossyImageCompression") == "01" else ()
    remarks = (*unread_remarks, *shown_remarks, *bit_remarks, *turn_remarks, *spacing_remarks, *lossy)
    return Radiograph(pixels, spacing, spacing_source, sides, sides_source, name, header, path, remarks)


def _read_dataset(path: Path, name: str, header: Dataset | None) -> Dataset:
    """Read a DICOM file, or only the pixels that belong to a header."""
    with quiet():
        try:
            if header is None:
                header = dcmread(path, force=True, stop_before_pixels=True)
            return with_pixels(header, path, SHOWING)
        except Exception:  # pydicom and zlib raise many kinds for damaged files
            raise InputRefused(
                f"file {name}",
                "must be a complete DICOM file",
                "a data set that is damaged or cut off",
                "Fetch it again from its source.",
            ) from None


def _readable(dataset: Dataset) -> tuple[Dataset, tuple[str, ...]]:
    """Copy a data set without the elements whose value cannot be read; its transfer syntax is always told.

    Returns:
        The copy, and a remark for each element that the picture would look different with.
    """
    readable, unreadable = Dataset(), unreadable_tags(dataset, inside_sequences=True)
    for tag in dataset.keys():  # noqa: SIM118 - iterating a Dataset yields its elements
        if tag not in unreadable:
            readable[tag] = copy(dataset[tag])
    readable.file_meta = FileMetaDataset()
    readable.file_meta.update(getattr(dataset, "file_meta", {}))
    if not readable.file_meta.get("TransferSyntaxUID"):
        readable.file_meta.TransferSyntaxUID = _encoding_read(dataset)
    passed_over = [tag for tag in map(Tag, SHOWING) if tag in unreadable]
    return readable, tuple(
        f"{dictionary_description(tag)} ({tag.group:04X},{tag.element:04X}) is not applied: its value cannot be read"
        for tag in passed_over
    )


def _encoding_read(dataset: Dataset) -> UID:
    """Return the transfer syntax of a file without meta header, from the way pydicom could read it."""
    implicit, little = getattr(dataset, "original_encoding", (True, True))
    if little is False:
        return ExplicitVRBigEndian
    return ExplicitVRLittleEndian if implicit is False else ImplicitVRLittleEndian


def _without_pixels(dataset: Dataset) -> Dataset:
    header = Dataset()
    header.update({element.tag: element for element in dataset if element.tag.group != PIXEL_GROUP})
    header.file_meta = dataset.file_meta
    return header


def _sides(header: Dataset, name: str, check_subject: SubjectCheck | None) -> tuple[tuple[Side, ...], str]:
    try:
        return sides_of(header, name)
    except InputRefused:
        if check_subject is not None:
            check_subject(header, name)
        raise


def _check_class(header: Dataset, name: str) -> None:
    """Refuse what is not a CR or DX image (PS3.3 A.2 and A.26), and phantoms (Quality Control Image, C.7.6.1)."""
    if str(header.get("QualityControlImage") or "").upper() == "YES":
        remedy = "Give the knee radiograph of the study."
        raise NotAKnee(f"file {name}", "must show a patient", "Quality Control Image (0028,0300) YES", remedy)
    sop_class, modality = header.get("SOPClassUID"), str(header.get("Modality") or "")
    known = sop_class in RADIOGRAPH_CLASSES if sop_class else bool(modality)
    if known and (modality in RADIOGRAPH_MODALITIES or not modality):
        return
    class_name = getattr(sop_class, "name", "") if sop_class else "no SOP class"
    # names of classes come from pydicom's dictionary; an unknown one is only called so
    shown = "an unknown SOP class" if class_name[:1].isdigit() else class_name or "an unknown SOP class"
    code = modality if re.fullmatch(r"[A-Z]{2,8}", modality) else "none"
    raise NotAKnee(
        f"file {name}",
        "must be a radiograph: Computed Radiography or Digital X-Ray Image Storage, modality CR, DX or RG",
        f"{shown}, modality {code}",
        "Give the knee radiograph of the study.",
    )
