"""What this system writes, in the codes of DICOM: a synthetic radiograph of a foot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from highdicom.sr import CodedConcept
from pydicom import Dataset

from monai_xray2mri.core.system import Label
from monai_xray2mri.dicom.own_results import CODING_SCHEME
from monai_xray2mri.dicom.product import Origin, Product, SeriesNumbers
from monai_xray2mri.dicom.secondary_capture import (
    CaptureGrid,
    SpreadCapture,
    SyntheticCapture,
    build_capture,
    build_spread_capture,
)
from monai_xray2mri.dicom.source import anonymous_source, require_study
from monai_xray2mri.dicom.uncertainty import SpreadSummary
from monai_xray2mri.systems.foot_xray_sccdm.case import FootCase
from monai_xray2mri.systems.foot_xray_sccdm.records import Synthesis
from monai_xray2mri.types import Side

SERIES_NUMBERS: Final = {
    Side.RIGHT: SeriesNumbers(905, 915, 935, 945, 955, samples=9500),
    Side.LEFT: SeriesNumbers(906, 916, 936, 946, 956, samples=9600),
}
"""By foot, so that both feet of a photograph sort apart, and after those of the other systems."""
REGION: Final = CodedConcept("56459004", "SCT", "Foot")
DERIVATION: Final = CodedConcept("SYNTHCR", CODING_SCHEME, "Radiograph generated from a photograph")
"""CID 7203 has no code for a generative derivation."""
DERIVATION_DESCRIPTION: Final = (
    "Generated from a photograph by a diffusion model that was trained on pairs of photograph and radiograph; no "
    "X-rays were used, and nothing inside the foot was measured."
)
FORCED: Final = "An automatic check doubted the photograph and was overridden."
ORIENTATION: Final = ("R", "P")
"""Directions of rows and columns: from above and toes up, the patient's right is at the right of either foot."""
_FIDUCIALS: Final = {
    "disc": "A disc of known size in the photograph",
    "coded square": "A coded square of known size in the photograph",
}


def foot_product(side: Side) -> Product:
    """The synthetic radiograph of one foot."""
    return Product(
        subject=f"{side.name} FOOT",
        body_part="FOOT",
        region=REGION,
        laterality=side,
        modality="radiograph",
        appearance="DP X-ray",
        origin="from photo",
        numbers=SERIES_NUMBERS[side],
        derivation=DERIVATION,
        derivation_description=DERIVATION_DESCRIPTION,
        forced=FORCED,
        calibrated_on="",
        patient_position="",
    )


def capture_grid(case: FootCase) -> CaptureGrid:
    """What is known of the pixels of a foot's radiograph."""
    foot = case.foot
    spacing = None if foot.pixel_mm is None else (foot.pixel_mm, foot.pixel_mm)
    fiducial = _FIDUCIALS.get(foot.scale_source, "")
    return CaptureGrid(spacing, "FIDUCIAL" if fiducial else "", fiducial, ORIENTATION)


def source_header(case: FootCase) -> Dataset:
    """The header that patient and study of a result come from; that of nobody for a picture file.

    Raises:
        InputRefused: a header without Study Instance UID.
    """
    if case.header is None:
        return anonymous_source(case.foot.photograph.identity.encode())
    return require_study(case.header, f"photograph {case.foot.photograph.name}")


@dataclass(frozen=True)
class Products:
    """The images of one foot, and what every other file about them says of them.

    Attributes:
        result: what was generated.
        product: it in the codes of DICOM.
        origin: what it was made from. Its provenance lacks the remarks: they name files.
        grid: what is known of the pixels.
        mean: the radiograph.
        deviation: the spread of its samples; None for one sample.
        spread: the same in a few numbers; None for one sample.
    """

    result: Synthesis
    product: Product
    origin: Origin
    grid: CaptureGrid
    mean: SyntheticCapture
    deviation: SpreadCapture | None
    spread: SpreadSummary | None

    @property
    def images(self) -> list[SyntheticCapture]:
        """The radiograph, then its spread."""
        return [self.mean, *([self.deviation] if self.deviation is not None else [])]


def foot_products(result: Synthesis, label: Label = "corner") -> Products:
    """The images of a foot.

    Args:
        result: what was generated.
        label: ``"corner"`` burns a small SYNTHETIC into the radiograph, ``"none"`` does not.

    Raises:
        InputRefused: the photograph's header has no Study Instance UID.
        ValueError: the provenance lacks the weights' hash.
    """
    case, uncertainty = result.case, result.uncertainty
    provenance = {**result.provenance, "label": label}
    provenance.pop("remarks", None)
    product, origin, grid = foot_product(case.side), Origin(source_header(case), provenance), capture_grid(case)
    mean = build_capture(result.volume.voxels[0], grid, product, origin, label=label)
    if uncertainty is None:
        return Products(result, product, origin, grid, mean, None, None)
    deviation = build_spread_capture(uncertainty.voxels[0], grid, product, origin)
    spread = SpreadSummary.of(uncertainty.voxels, len(result.samples))
    return Products(result, product, origin, grid, mean, deviation, spread)
