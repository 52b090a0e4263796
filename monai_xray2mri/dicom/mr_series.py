"""A synthetic MR series: one MR Image Storage file per slice, whole or not at all.

UIDs are a hash of the content, so that equal inputs give equal files byte for byte, and any difference (pixels,
patient, weights, options, version, label) gives other UIDs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from monai_xray2mri.core.identity import fingerprint
from monai_xray2mri.core.system import Label
from monai_xray2mri.dicom.mr_image import SlicePlane, SyntheticMRImage
from monai_xray2mri.dicom.product import Origin, Product
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.synthetic_image import SeriesRecord, labeled_pixels
from monai_xray2mri.types import Volume

_TOLERANCE = 1e-6
"""Of the cosine between axes of the affine: what DS of 16 characters can hold, and less than any viewer asks for."""

Image = TypeVar("Image", bound=SyntheticMRImage)


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
    return build_images(SyntheticMRImage, labeled_pixels(volume.voxels, label), volume.affine, record)


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
        SyntheticMRImage, labeled_pixels(volume.voxels, label), volume.affine, record, str(mean[0].FrameOfReferenceUID)
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
        first = kind(pixels[0], SlicePlane.of_affine(affine, 0), record, 1)
        known: dict[int, bytes] = {}
        others = (
            first.neighbor(pixels[index], SlicePlane.of_affine(affine, index), index + 1, known)
            for index in range(1, len(pixels))
        )
        images = [first, *others]
        contents = (image.own_digest for image in images)
        digest = fingerprint(origin.provenance, frame_of_reference, *contents)
        for image in images:
            image.name_by(digest, frame_of_reference)
    return images


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
