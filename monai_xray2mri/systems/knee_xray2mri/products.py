"""What the knee systems write, in the codes of DICOM: a synthetic coronal MR volume of one knee."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from highdicom.sr import CodedConcept
from pydicom import Dataset

from monai_xray2mri.core.identity import fingerprint
from monai_xray2mri.core.system import Label
from monai_xray2mri.dicom.mr_image import SyntheticMRImage
from monai_xray2mri.dicom.mr_series import build_mr_series
from monai_xray2mri.dicom.own_results import CODING_SCHEME
from monai_xray2mri.dicom.product import ImitatedSequence, Origin, Product, SeriesNumbers
from monai_xray2mri.dicom.source import anonymous_source, require_study
from monai_xray2mri.dicom.uncertainty import SpreadSummary, UncertaintyImage, build_uncertainty_series
from monai_xray2mri.systems.knee_xray2mri.records import Synthesis
from monai_xray2mri.types import Radiograph, Side

SERIES_NUMBERS = {
    Side.RIGHT: SeriesNumbers(901, 911, 931, 941, 951, samples=9100),
    Side.LEFT: SeriesNumbers(902, 912, 932, 942, 952, samples=9200),
}
"""By knee, so that both knees of a film sort apart, and after the series that the study had before."""

REGION = CodedConcept("72696002", "SCT", "Knee")

DERIVATION = CodedConcept("SYNTHMR", CODING_SCHEME, "MR image generated from a radiograph")
"""CID 7203 has no code for a generative derivation."""

DERIVATION_DESCRIPTION = (
    "Generated from a radiograph by a diffusion model that was trained on pairs of radiograph and MR series; "
    "not measured."
)
SEQUENCE = ImitatedSequence("3D FLASH with water excitation", "GR", "SP", "3D", repetition_ms=20.0, echo_ms=7.57)
"""COR_T1_3D_FLASH of the OAI, which the networks are trained on (Peterfy et al., Osteoarthritis Cartilage 2008)."""
FORCED = "An automatic check doubted the radiograph and was overridden."


def knee_product(side: Side) -> Product:
    """The synthetic MR volume of one knee."""
    return Product(
        subject=f"{side.name} KNEE",
        body_part="KNEE",
        region=REGION,
        laterality=side,
        modality="MR",
        appearance="COR T1",
        origin="from X-ray",
        numbers=SERIES_NUMBERS[side],
        derivation=DERIVATION,
        derivation_description=DERIVATION_DESCRIPTION,
        forced=FORCED,
        calibrated_on="simulated knees (calibrated on {knees})",
        patient_position="FFS",
        sequence=SEQUENCE,
        check_order=check_anterior_first,
    )


def check_anterior_first(affine: np.ndarray) -> None:
    """Refuse slices that do not run from anterior to posterior, as those of coronal series of the knee do.

    Args:
        affine: [4,4], maps (column, row, slice) to LPS mm.

    Raises:
        ValueError: slice 0 is not the most anterior one.
    """
    if affine[1, 2] <= 0:
        raise ValueError("Argument 'affine' must run from anterior to posterior with rising slice index.")


def source_header(radiograph: Radiograph) -> Dataset:
    """The header that patient and study of a result come from.

    A picture without a header (PNG, JPEG) gets one of nobody: Patient ID ``ANONYMOUS``, UIDs derived from the pixels,
    so that both knees of one picture fall into one study.

    Raises:
        InputRefused: a header without Study Instance UID.
    """
    if radiograph.dataset is None:
        return anonymous_source(fingerprint(radiograph.pixels))
    return require_study(radiograph.dataset, f"radiograph {radiograph.name}")


@dataclass(frozen=True)
class Products:
    """The images of one knee, and what every other file about them says of them.

    Attributes:
        synthesis: what was generated.
        product: it in the codes of DICOM.
        origin: what it was made from. Its provenance lacks the remarks: they name files, and a study is the same
            whatever its files are called.
        mean: images of the volume.
        deviation: images of the uncertainty; empty for one sample.
        spread: the uncertainty in a few numbers; None for one sample.
    """

    synthesis: Synthesis
    product: Product
    origin: Origin
    mean: list[SyntheticMRImage]
    deviation: list[UncertaintyImage]
    spread: SpreadSummary | None

    @property
    def images(self) -> list[SyntheticMRImage]:
        """Of the volume, then of its uncertainty."""
        return [*self.mean, *self.deviation]


def knee_products(synthesis: Synthesis, label: Label = "corner") -> Products:
    """The images of a knee.

    Args:
        synthesis: what was generated.
        label: ``"corner"`` burns a small SYNTHETIC into the slices of the volume, ``"none"`` does not.

    Raises:
        InputRefused: the radiograph's header has no Study Instance UID.
        ValueError: the provenance lacks the weights' hash.
    """
    case, uncertainty = synthesis.case, synthesis.uncertainty
    provenance = {**synthesis.provenance, "label": label}
    provenance.pop("remarks", None)
    product, origin = knee_product(case.side), Origin(source_header(case.radiograph), provenance, case.report)
    mean = build_mr_series(synthesis.volume, product, origin, label=label)
    if uncertainty is None:
        return Products(synthesis, product, origin, mean, [], None)
    deviation = build_uncertainty_series(uncertainty, product, origin, mean)
    spread = SpreadSummary.of(uncertainty.voxels, len(synthesis.samples))
    return Products(synthesis, product, origin, mean, deviation, spread)
