"""The synthetic MR series of one knee: one MR Image Storage file per slice, whole or not at all (DESIGN section 8).

UIDs are a hash of the content, so that equal inputs give equal files byte for byte, and any difference (pixels,
patient, weights, options, version, label) gives other UIDs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydicom import Dataset

from monai_xray2mri.dicom.burn_in import Label, burn_in
from monai_xray2mri.dicom.files import whole_directory
from monai_xray2mri.dicom.mr_image import MAX_STORED, SeriesRecord, SlicePlane, SyntheticMRImage
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.source import anonymous_source
from monai_xray2mri.dicom.uids import encoded, fingerprint
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.types import KneeVolume, Radiograph, Side

SERIES_NUMBERS = {Side.RIGHT: 901, Side.LEFT: 902}
"""Series Number by knee, so that both knees of a film sort apart and after the study's own series."""

_TOLERANCE = 1e-6
"""Of the cosine between axes of the affine: what DS of 16 characters can hold, and less than any viewer asks for."""


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
        names = [f"IM_{image.InstanceNumber:04d}.dcm" for image in images]
        with whole_directory(directory) as draft:
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
    _check_affine(volume.affine)
    source = _header(radiograph)
    pixels = stored_pixels(volume.voxels)  # [S,H,W]
    if label == "corner":
        pixels = burn_in(pixels, white=MAX_STORED)  # [S,H,W]
    elif label != "none":
        raise ValueError(f"Argument 'label' must be 'corner' or 'none'. Found {label!r}.")
    number = SERIES_NUMBERS[volume.side] if series_number is None else series_number
    series = SeriesRecord(side=volume.side, number=number, provenance=provenance)
    images = [
        SyntheticMRImage.from_radiograph(
            source, pixels[index], SlicePlane.of_affine(volume.affine, index), series, index + 1, report
        )
        for index in range(len(pixels))
    ]
    digest = fingerprint(provenance, *(image.content_digest() for image in images))
    for image in images:
        image.name_by(digest)
    return images


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


def _header(radiograph: Radiograph | Dataset) -> Dataset:
    """The header that patient and study come from."""
    if isinstance(radiograph, Dataset):
        name, header = "radiograph", radiograph
    elif radiograph.dataset is None:
        return anonymous_source(fingerprint(radiograph.pixels))
    else:
        name, header = f"radiograph {radiograph.name}", radiograph.dataset
    if not header.get("StudyInstanceUID"):
        raise InputRefused(name, "needs a Study Instance UID, which the MR series must share", "none")
    return header


def _check_affine(affine: np.ndarray) -> None:
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
