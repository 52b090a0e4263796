"""The synthetic MR series of one knee: one MR Image Storage file per slice, whole or not at all.

UIDs are a hash of the content, so that equal inputs give equal files byte for byte, and any difference (pixels,
patient, weights, options, version, label) gives other UIDs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydicom import Dataset

from monai_xray2mri.core.identity import fingerprint
from monai_xray2mri.dicom.burn_in import Label, burn_in
from monai_xray2mri.dicom.mr_image import MAX_STORED, SeriesRecord, SlicePlane, SyntheticMRImage
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.source import anonymous_source
from monai_xray2mri.dicom.uids import encoded
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.runtime.files import whole_directory
from monai_xray2mri.types import KneeVolume, Radiograph, Side

SERIES_NUMBERS = {Side.RIGHT: 901, Side.LEFT: 902}
"""Series Number by knee, so that both knees of a film sort apart and after the study's own series."""

_SAMPLE_NUMBERS = {Side.RIGHT: 9100, Side.LEFT: 9200}
_TOLERANCE = 1e-6
"""Of the cosine between axes of the affine: what DS of 16 characters can hold, and less than any viewer asks for."""

Image = TypeVar("Image", bound=SyntheticMRImage)


def write_mr_series(
    directory: Path,
    volume: KneeVolume,
    radiograph: Radiograph | Dataset,
    *,
    provenance: Mapping[str, object],
    report: Dataset | None = None,
    label: Label = "corner",
    series_number: int | None = None,
) -> list[Path]:
    """Write a synthetic volume as a DICOM MR series in the study of its radiograph.

    Args:
        directory: folder to be made, with one file ``IM_0001.dcm`` ... per slice, the most anterior first.
        volume: [S,H,W] intensities in [0,1] (clipped), slice 0 the most anterior; ``round(4095 v)`` is stored.
        radiograph: the radiograph, or its DICOM header. For a picture without a header (PNG, JPEG) an anonymous patient
            and study are made up: Patient ID ``ANONYMOUS``, UIDs derived from the pixels, so that both knees of one
            picture fall into one study.
        provenance: what made the volume. ``weights_sha256`` is needed; ``version``, ``model`` and ``options`` are used
            if there. All of it enters the UIDs, so it must not hold times or anything else that differs between
            equal runs; values are texts, numbers, and lists and mappings of them.
        report: header of the structured report whose gradings were used.
        label: ``"corner"`` burns the word SYNTHETIC into the lower left corner, ``"none"`` does not.
        series_number: Series Number (0020,0011); 901 for a right knee and 902 for a left one if None.

    Returns:
        The files in slice order.

    Raises:
        InputRefused: the radiograph's header has no Study Instance UID.
        UsageError: the folder holds something or cannot be written.
        ValueError: the volume's shape, values or affine are not those of `KneeVolume`, or the provenance lacks the
            weights' hash.
    """
    with quiet():
        images = build_mr_series(
            volume, radiograph, provenance=provenance, report=report, label=label, series_number=series_number
        )
        return write_images(directory, images)


def write_images(directory: Path, images: Sequence[SyntheticMRImage]) -> list[Path]:
    """Write the images of a series as ``IM_0001.dcm`` ..., all or none.

    Raises:
        UsageError: the folder holds something or cannot be written.
    """
    names = [f"IM_{image.InstanceNumber:04d}.dcm" for image in images]
    with quiet(), whole_directory(directory) as draft:
        for name, image in zip(names, images, strict=True):
            (draft / name).write_bytes(encoded(image))
    return [Path(directory) / name for name in names]


def build_mr_series(
    volume: KneeVolume,
    radiograph: Radiograph | Dataset,
    *,
    provenance: Mapping[str, object],
    report: Dataset | None = None,
    label: Label = "corner",
    series_number: int | None = None,
) -> list[SyntheticMRImage]:
    """The images of `write_mr_series` in memory, with the same arguments and errors."""
    number = SERIES_NUMBERS[volume.side] if series_number is None else series_number
    record = SeriesRecord(volume.side, number, provenance)
    return build_images(SyntheticMRImage, _labelled(volume, label), volume, header_of(radiograph), record, report)


def build_sample_series(
    volume: KneeVolume,
    sample: int,
    radiograph: Radiograph | Dataset,
    mean: Sequence[SyntheticMRImage],
    *,
    provenance: Mapping[str, object],
    report: Dataset | None = None,
    label: Label = "corner",
) -> list[SyntheticMRImage]:
    """The images of one sample, in the frame of reference of the mean.

    Args:
        volume: the sample, on the grid of the mean.
        sample: its number, from 1; Series Number 9101 ... (right knee) or 9201 ... (left knee).
        radiograph: as for `write_mr_series`.
        mean: the series of the samples' mean.
        provenance: as for `write_mr_series`; the sample's number is added.
        report: as for `write_mr_series`.
        label: as for `write_mr_series`.

    Raises:
        InputRefused, ValueError: as `write_mr_series`.
    """
    number = _SAMPLE_NUMBERS[volume.side] + sample
    content = f"COR T1 {{side}} KNEE sample {sample}"
    record = SeriesRecord(volume.side, number, {**provenance, "sample": sample}, content)
    frame = str(mean[0].FrameOfReferenceUID)
    pixels = _labelled(volume, label)
    return build_images(SyntheticMRImage, pixels, volume, header_of(radiograph), record, report, frame)


def build_images(
    kind: type[Image],
    pixels: np.ndarray,
    volume: KneeVolume,
    source: Dataset,
    record: SeriesRecord,
    report: Dataset | None = None,
    frame_of_reference: str | None = None,
) -> list[Image]:
    """Images of a series, named by a hash of all of them.

    Args:
        kind: the class of its images.
        pixels: [S,H,W] uint16 stored values.
        volume: whose geometry they have.
        source: header of the radiograph.
        record: what the images share.
        report: header of the structured report whose gradings were used.
        frame_of_reference: of the series that this one lies on; None = one of its own.

    Raises:
        ValueError: the geometry cannot be said in DICOM, or the provenance lacks the weights' hash.
    """
    check_affine(volume.affine)
    images = [
        kind.from_radiograph(source, plane, SlicePlane.of_affine(volume.affine, index), record, index + 1, report)
        for index, plane in enumerate(pixels)
    ]
    contents = (image.content_digest() for image in images)
    digest = fingerprint(record.provenance, frame_of_reference, *contents)
    for image in images:
        image.name_by(digest, frame_of_reference)
    return images


def _labelled(volume: KneeVolume, label: Label) -> np.ndarray:
    """[S,H,W] stored values, with the word in the corner if wanted."""
    check_affine(volume.affine)
    pixels = stored_pixels(volume.voxels)  # [S,H,W]
    if label == "corner":
        return burn_in(pixels, white=MAX_STORED)
    if label != "none":
        raise ValueError(f"Argument 'label' must be 'corner' or 'none'. Found {label!r}.")
    return pixels


def stored_pixels(voxels: np.ndarray) -> np.ndarray:
    """Intensities as they are stored.

    Args:
        voxels: [S,H,W] in [0,1]; values beyond are clipped.

    Returns:
        [S,H,W] uint16, ``round(4095 v)``.

    Raises:
        ValueError: not three-dimensional, empty, or not finite.
    """
    if voxels.ndim != 3 or voxels.size == 0:
        raise ValueError(f"Argument 'voxels' must be [S,H,W]. Found shape {voxels.shape}.")
    if not np.isfinite(voxels).all():
        raise ValueError("Argument 'voxels' must be finite. Found NaN or infinity.")
    return np.rint(np.clip(voxels, 0.0, 1.0) * MAX_STORED).astype(np.uint16)


def header_of(radiograph: Radiograph | Dataset) -> Dataset:
    """The header that patient and study come from; for a picture without one a stand-in of nobody.

    Raises:
        InputRefused: a header without Study Instance UID.
    """
    if isinstance(radiograph, Dataset):
        name, header = "radiograph", radiograph
    elif radiograph.dataset is None:
        return anonymous_source(fingerprint(radiograph.pixels))
    else:
        name, header = f"radiograph {radiograph.name}", radiograph.dataset
    if not header.get("StudyInstanceUID"):
        raise InputRefused(name, "needs a Study Instance UID, which the MR series must share", "none")
    return header


def check_affine(affine: np.ndarray) -> None:
    """Refuse what DICOM's row and column cosines cannot say, and slices in another order than `KneeVolume` promises."""
    if affine.shape != (4, 4) or not np.allclose(affine[3], (0.0, 0.0, 0.0, 1.0)):
        raise ValueError("Argument 'affine' must be [4,4] with a final row of 0, 0, 0, 1.")
    axes = affine[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if not np.isfinite(affine).all() or lengths.min() <= 0:
        raise ValueError("Argument 'affine' must have three axes of positive finite length.")
    cosines = (axes / lengths).T @ (axes / lengths)
    if np.abs(cosines - np.eye(3)).max() > _TOLERANCE or np.linalg.det(axes) <= 0:
        raise ValueError("Argument 'affine' must have orthogonal, right-handed axes.")
    if axes[1, 2] <= 0:
        raise ValueError("Argument 'affine' must run from anterior to posterior with rising slice index.")
