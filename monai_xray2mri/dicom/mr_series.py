"""A synthetic MR series: one MR Image Storage file per slice, whole or not at all.

UIDs are a hash of the content, so that equal inputs give equal files byte for byte, and any difference (pixels,
patient, weights, options, version, label) gives other UIDs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from monai_xray2mri.core.identity import fingerprint
from monai_xray2mri.core.system import Label
from monai_xray2mri.dicom.burn_in import burn_in
from monai_xray2mri.dicom.mr_image import MAX_STORED, SeriesRecord, SlicePlane, SyntheticMRImage
from monai_xray2mri.dicom.product import Origin, Product
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.uids import encoded
from monai_xray2mri.runtime.files import whole_directory
from monai_xray2mri.types import Volume

_TOLERANCE = 1e-6
"""Of the cosine between axes of the affine: what DS of 16 characters can hold, and less than any viewer asks for."""

Image = TypeVar("Image", bound=SyntheticMRImage)


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
    volume: Volume, product: Product, origin: Origin, *, label: Label = "corner"
) -> list[SyntheticMRImage]:
    """The images of a synthetic MR series in the study of its source.

    Args:
        volume: [S,H,W] intensities in [0,1] (clipped); ``round(4095 v)`` is stored.
        product: what the volume shows.
        origin: what it was made from, and how.
        label: ``"corner"`` burns the word SYNTHETIC into the lower left corner, ``"none"`` does not.

    Returns:
        One image per slice, in slice order.

    Raises:
        ValueError: shape, values or affine are none that DICOM can say or the product allows, or the provenance lacks
            the weights' hash.
    """
    record = SeriesRecord(product, origin, product.numbers.images, product.images)
    return build_images(SyntheticMRImage, _labeled(volume, label), volume.affine, record)


def build_sample_series(
    volume: Volume,
    sample: int,
    product: Product,
    origin: Origin,
    mean: Sequence[SyntheticMRImage],
    *,
    label: Label = "corner",
) -> list[SyntheticMRImage]:
    """The images of one sample, in the frame of reference of the mean.

    Args:
        volume: the sample, on the grid of the mean.
        sample: its number, from 1.
        product: as for `build_mr_series`.
        origin: as for `build_mr_series`; the sample's number is added to the provenance.
        mean: the series of the samples' mean.
        label: as for `build_mr_series`.

    Raises:
        ValueError: as `build_mr_series`.
    """
    own = replace(origin, provenance={**origin.provenance, "sample": sample})
    record = SeriesRecord(product, own, product.numbers.samples + sample, product.sample(sample))
    return build_images(
        SyntheticMRImage, _labeled(volume, label), volume.affine, record, str(mean[0].FrameOfReferenceUID)
    )


def build_images(
    kind: type[Image],
    pixels: np.ndarray,
    affine: np.ndarray,
    record: SeriesRecord,
    frame_of_reference: str | None = None,
) -> list[Image]:
    """Images of a series, named by a hash of all of them.

    Args:
        kind: the class of its images.
        pixels: [S,H,W] uint16 stored values.
        affine: [4,4], maps (column, row, slice) to LPS mm.
        record: what the images share.
        frame_of_reference: of the series that this one lies on; None = that of the source if the product lies in it,
            else one of its own.

    Raises:
        ValueError: DICOM cannot say the geometry or the product does not allow it, or the provenance lacks the
            weights' hash.
    """
    check_affine(affine)
    product, origin = record.product, record.origin
    if product.check_order is not None:
        product.check_order(affine)
    if frame_of_reference is None and product.in_source_space:
        frame_of_reference = str(origin.header.FrameOfReferenceUID)
    with quiet():
        images = [
            kind(stored, SlicePlane.of_affine(affine, index), record, index + 1) for index, stored in enumerate(pixels)
        ]
        contents = (image.content_digest() for image in images)
        digest = fingerprint(origin.provenance, frame_of_reference, *contents)
        for image in images:
            image.name_by(digest, frame_of_reference)
    return images


def _labeled(volume: Volume, label: Label) -> np.ndarray:
    """[S,H,W] stored values, with the word in the corner if wanted."""
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


def check_affine(affine: np.ndarray) -> None:
    """Refuse what DICOM's row and column cosines cannot say.

    Args:
        affine: [4,4], maps (column, row, slice) to LPS mm.

    Raises:
        ValueError: it is no affine, or its axes are of no length, not orthogonal or left-handed.
    """
    if affine.shape != (4, 4) or not np.allclose(affine[3], (0.0, 0.0, 0.0, 1.0)):
        raise ValueError("Argument 'affine' must be [4,4] with a final row of 0, 0, 0, 1.")
    axes = affine[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if not np.isfinite(affine).all() or lengths.min() <= 0:
        raise ValueError("Argument 'affine' must have three axes of positive finite length.")
    cosines = (axes / lengths).T @ (axes / lengths)
    if np.abs(cosines - np.eye(3)).max() > _TOLERANCE or np.linalg.det(axes) <= 0:
        raise ValueError("Argument 'affine' must have orthogonal, right-handed axes.")
