"""One synthetic image that lies nowhere in the patient: Secondary Capture Image Storage (DICOM PS3.3 A.8.1).

A picture that was made of a picture has no frame of reference. Where its scale is known it has Pixel Spacing, and says
how (PS3.3 10.7.1.3). Its Conversion Type is SYN, synthetic image (C.8.6.1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

import numpy as np
from highdicom.sr import CodedConcept
from pydicom import Dataset
from pydicom.uid import UID, SecondaryCaptureImageStorage

from monai_xray2mri.core.identity import fingerprint
from monai_xray2mri.core.system import Label
from monai_xray2mri.dicom.laterality_codes import SIDE_CODES
from monai_xray2mri.dicom.product import Origin, Product
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.synthetic_image import SeriesRecord, SyntheticImage, decimal, labeled_pixels
from monai_xray2mri.dicom.uncertainty import SpreadPixels, spread_record, stored_deviations


@dataclass(frozen=True)
class CaptureGrid:
    """What is known of an image's pixels, of which nobody knows where they lie in the patient.

    Attributes:
        spacing_mm: (row, column) distance of pixel centers; None where no scale is known.
        calibration: Pixel Spacing Calibration Type (0028,0A02): ``"FIDUCIAL"`` where an object of known size is in
            the picture, ``"GEOMETRY"``, or empty.
        calibration_words: Pixel Spacing Calibration Description (0028,0A04), with a calibration type alone.
        orientation: Patient Orientation (0020,0020): the directions of the rows and of the columns.
    """

    spacing_mm: tuple[float, float] | None
    calibration: str
    calibration_words: str
    orientation: tuple[str, str]


class SyntheticCapture(SyntheticImage):
    """A synthetic image without a place; valid when the constructor returns."""

    storage: ClassVar[UID] = SecondaryCaptureImageStorage
    kind: ClassVar[str] = "CR"

    def __init__(self, pixels: np.ndarray, grid: CaptureGrid, series: SeriesRecord) -> None:
        """Make the only image of its series in the patient and study of its source, to which it refers.

        Args:
            pixels: [H,W] uint16 stored values of at most `bits` bits.
            grid: what is known of them.
            series: what it is; dates are those of its source.

        Raises:
            ValueError: `pixels` has another shape, type or range, or the provenance lacks the weights' hash.
        """
        super().__init__(pixels, series, instance_number=1)
        self.ConversionType = "SYN"
        self.PatientOrientation = list(grid.orientation)
        self._set_side(series.product)
        if grid.spacing_mm is not None:
            self.PixelSpacing = [decimal(value) for value in grid.spacing_mm]
            if grid.calibration:
                self.PixelSpacingCalibrationType = grid.calibration
                self.PixelSpacingCalibrationDescription = grid.calibration_words
        self.name_by(fingerprint(series.origin.provenance, self.content_digest()))

    def _set_side(self, product: Product) -> None:
        """The side as a modifier of the anatomic region, too (PS3.3 10.5, CID 244): Laterality is one of the series."""
        if product.laterality is not None:
            region = Dataset()
            region.update(product.region)
            region.AnatomicRegionModifierSequence = [CodedConcept.from_code(SIDE_CODES[product.laterality])]
            self.AnatomicRegionSequence = [region]


class SpreadCapture(SpreadPixels, SyntheticCapture):
    """The standard deviation of the samples of an image; valid when the constructor returns."""


Capture = TypeVar("Capture", bound=SyntheticCapture)


def build_capture(
    image: np.ndarray, grid: CaptureGrid, product: Product, origin: Origin, *, label: Label = "corner"
) -> SyntheticCapture:
    """A synthetic image in the study of its source.

    Args:
        image: [H,W] intensities in [0,1] (clipped); ``round(4095 v)`` is stored.
        grid: what is known of its pixels.
        product: what it shows.
        origin: what it was made from, and how.
        label: ``"corner"`` burns the word SYNTHETIC into the lower left corner, ``"none"`` does not.

    Raises:
        ValueError: shape or values are none that DICOM can say, or the provenance lacks the weights' hash.
    """
    record = SeriesRecord(product, origin, product.numbers.images, product.images)
    return _built(SyntheticCapture, labeled_pixels(image[None], label)[0], grid, record)


def build_sample_capture(
    image: np.ndarray, sample: int, grid: CaptureGrid, product: Product, origin: Origin, *, label: Label = "corner"
) -> SyntheticCapture:
    """One sample of an image, from 1, as a series of its own; the number enters the provenance.

    Raises:
        ValueError: as `build_capture`.
    """
    own = replace(origin, provenance={**origin.provenance, "sample": sample})
    record = SeriesRecord(product, own, product.numbers.samples + sample, product.sample(sample))
    return _built(SyntheticCapture, labeled_pixels(image[None], label)[0], grid, record)


def build_spread_capture(deviation: np.ndarray, grid: CaptureGrid, product: Product, origin: Origin) -> SpreadCapture:
    """The standard deviation [H,W] of an image's samples, in units of the intensity range; no word is burnt in.

    Raises:
        ValueError: values are not finite, or the provenance lacks the weights' hash.
    """
    return _built(SpreadCapture, stored_deviations(deviation), grid, spread_record(product, origin))


def _built(kind: type[Capture], pixels: np.ndarray, grid: CaptureGrid, record: SeriesRecord) -> Capture:
    with quiet():
        return kind(pixels, grid, record)
