"""The spread of a model's samples as a second MR series on the grid and in the frame of reference of their mean.

Stored values are 16 bit; a Real World Value Mapping (PS3.3 C.7.6.16.2.11) turns them into standard deviations in units
of the mean's intensity range. No word is burnt in: it would be read as values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import highdicom as hd
import numpy as np
from highdicom.sr import CodedConcept

from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.dicom.mr_image import SyntheticMRImage
from monai_xray2mri.dicom.mr_series import build_images
from monai_xray2mri.dicom.product import Origin, Product
from monai_xray2mri.dicom.synthetic_image import SeriesRecord, SyntheticImage
from monai_xray2mri.types import Volume

MAX_STORED_DEVIATION = 65535
"""Stored value of a standard deviation of 1, the whole range of intensities: 16 bits."""

SHOWN = 0.2
"""Standard deviation that the window shows as white; the same in every series."""

_MEANING = "Standard deviation of the samples of a generative model (model spread)"

STANDARD_DEVIATION = CodedConcept("113061", "DCM", "Standard Deviation")
NO_UNITS = CodedConcept("1", "UCUM", "no units")


def meaning_of(product: Product, provenance: Mapping[str, object]) -> str:
    """What the values are, in the words that every file of them uses; with the calibrated interval if it holds."""
    known: Any = provenance.get("interval")
    if not known:
        return f"{_MEANING}; not calibrated"
    return (
        f"{_MEANING}, SD; mean +/- {known['scale']:.2f} x (SD + {known['floor']:g}) held {known['level']:.0%} of the "
        f"voxels of {product.calibrated_on.format(**known)}, which says nothing of patients"
    )


@dataclass(frozen=True)
class SpreadSummary:
    """A spread in a few numbers, in units of the intensity range.

    Attributes:
        samples: how many samples it was taken from.
        mean: mean over all voxels.
        percentile_95: 95th percentile over all voxels.
        highest: of any voxel.
    """

    samples: int
    mean: float
    percentile_95: float
    highest: float

    @classmethod
    def of(cls, deviation: np.ndarray, samples: int) -> SpreadSummary:
        """Of [S,H,W] standard deviations of a number of samples."""
        values = deviation.astype(np.float64)
        high = float(np.percentile(values, 95))
        return cls(samples, round(float(values.mean()), 6), round(high, 6), round(float(values.max()), 6))


class SpreadPixels(SyntheticImage):
    """What an image of standard deviations has in place of intensities, whatever its SOP class."""

    bits: ClassVar[int] = 16
    window: ClassVar[tuple[int, int]] = (round(SHOWN * MAX_STORED_DEVIATION / 2), round(SHOWN * MAX_STORED_DEVIATION))

    @classmethod
    def comments_of(cls, series: SeriesRecord) -> str:
        """What the values are."""
        meaning = meaning_of(series.product, series.origin.provenance)
        return f"{DISCLAIMER} {meaning}. It does not tell how far the image is from the patient."

    def _set_pixels(self, pixels: np.ndarray) -> None:
        super()._set_pixels(pixels)
        self.RealWorldValueMappingSequence = [deviation_mapping()]


class UncertaintyImage(SpreadPixels, SyntheticMRImage):
    """One slice of an uncertainty series; valid when the constructor returns."""


def deviation_mapping() -> hd.pm.RealWorldValueMapping:
    """Stored values to standard deviations: ``value / 65535``, no units."""
    return hd.pm.RealWorldValueMapping(
        lut_label="SD",
        lut_explanation="Standard deviation, in units of the intensity range",  # LO: at most 64 characters
        unit=NO_UNITS,
        value_range=(0, MAX_STORED_DEVIATION),
        slope=1 / MAX_STORED_DEVIATION,
        intercept=0.0,
        quantity_definition=STANDARD_DEVIATION,
    )


def build_uncertainty_series(
    deviation: Volume, product: Product, origin: Origin, mean: Sequence[SyntheticMRImage]
) -> list[UncertaintyImage]:
    """The images of the uncertainty series of a result.

    Args:
        deviation: [S,H,W] standard deviations in units of the intensity range, on the grid of the mean; clipped to
            [0,1].
        product: what the mean shows.
        origin: what the mean was made from, and how.
        mean: the series of the samples' mean, whose frame of reference is shared.

    Raises:
        ValueError: the grid differs from the mean's, values are not finite, or the weights' hash is missing.
    """
    shape = (len(mean), int(mean[0].Rows), int(mean[0].Columns))
    if deviation.voxels.shape != shape:
        raise ValueError(f"Argument 'deviation' must have the mean's shape {shape}. Found {deviation.voxels.shape}.")
    record = spread_record(product, origin)
    return build_images(
        UncertaintyImage,
        stored_deviations(deviation.voxels),
        deviation.affine,
        record,
        str(mean[0].FrameOfReferenceUID),
    )


def spread_record(product: Product, origin: Origin) -> SeriesRecord:
    """What the images of an uncertainty series share."""
    return SeriesRecord(product, origin, product.numbers.uncertainty, f"uncertainty (SD) {product.subject}")


def stored_deviations(deviation: np.ndarray) -> np.ndarray:
    """Standard deviations in units of the intensity range as they are stored: uint16, clipped to [0,1].

    Raises:
        ValueError: not finite.
    """
    if not np.isfinite(deviation).all():
        raise ValueError("Argument 'deviation' must be finite. Found NaN or infinity.")
    return np.rint(np.clip(deviation, 0.0, 1.0) * MAX_STORED_DEVIATION).astype(np.uint16)
