"""What this system writes, in the codes of DICOM: a synthetic MR volume in the frame of reference of its slices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from highdicom.sr import CodedConcept
from pydicom import Dataset

from monai_xray2mri.core.system import Label
from monai_xray2mri.dicom.mr_image import SyntheticMRImage
from monai_xray2mri.dicom.mr_series import build_mr_series
from monai_xray2mri.dicom.own_results import CODING_SCHEME
from monai_xray2mri.dicom.product import Origin, Product, SeriesNumbers
from monai_xray2mri.dicom.source import anonymous_source, require_study
from monai_xray2mri.dicom.uids import deterministic_uid
from monai_xray2mri.dicom.uncertainty import SpreadSummary, UncertaintyImage, build_uncertainty_series
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.systems.mri_xdiffusion.case import SliceCase
from monai_xray2mri.systems.mri_xdiffusion.records import Synthesis

SERIES_NUMBERS: Final = SeriesNumbers(903, 913, 933, 943, 953, samples=9300)
"""After those of the knee system."""

REGIONS: Final = {
    "KNEE": CodedConcept("72696002", "SCT", "Knee"),
    "BRAIN": CodedConcept("12738006", "SCT", "Brain"),
    "HEAD": CodedConcept("69536005", "SCT", "Head"),
}
"""Of PS3.16 CID 4; other parts are coded as unspecified."""
UNSPECIFIED: Final = CodedConcept("123037004", "SCT", "Body structure")

DERIVATION: Final = CodedConcept("SYNTHXS", CODING_SCHEME, "MR volume generated from MR slices")
"""CID 7203 has no code for a generative derivation."""
FORCED: Final = "An automatic check doubted the series and was overridden."


def volume_product(case: SliceCase) -> Product:
    """The synthetic volume of a case."""
    numbers = ", ".join(str(one.number) for one in case.given)
    part, side = case.body_part or "UNSPECIFIED", case.side
    return Product(
        subject=f"{side.name} {part}" if side else part,
        body_part=part,
        region=REGIONS.get(part, UNSPECIFIED),
        laterality=side,
        modality="MR",
        appearance="MR",
        origin=f"from {len(case.given)} slice{'s' * (len(case.given) > 1)}",
        numbers=SERIES_NUMBERS,
        derivation=DERIVATION,
        derivation_description=(
            f"Generated from slice {numbers} of {case.of} of an MR series by a diffusion model; only the voxels of "
            "given slices were measured."
        ),
        forced=FORCED,
        calibrated_on="simulated volumes (calibrated on {volumes})",
        patient_position=str(case.headers[0].get("PatientPosition") or "HFS") if case.headers else "HFS",
        in_source_space=True,
    )


def source_header(case: SliceCase) -> Dataset:
    """The header that patient, study and frame of reference of a result come from: that of the first given slice.

    A file without a header (NIfTI, NRRD) gets one of nobody.

    Raises:
        InputRefused: no Study Instance UID or no Frame of Reference UID.
    """
    if not case.headers:
        header = anonymous_source(case.identity.encode())
        header.FrameOfReferenceUID = deterministic_uid("frame of a volume file", case.identity.encode())
        return header
    header = require_study(case.headers[0], case.source)
    if not header.get("FrameOfReferenceUID"):
        rule = "needs a Frame of Reference UID, in which its result lies"
        raise InputRefused(case.source, rule, "none", "Convert it to NIfTI.")
    return header


@dataclass(frozen=True)
class Products:
    """The images of one case, and what other files say of them.

    Attributes:
        product: the volume in the codes of DICOM.
        origin: what it was made from. Its provenance lacks the remarks: they name files.
        volume: images of the volume.
        deviation: images of the uncertainty; empty for one view.
        spread: the uncertainty in a few numbers; None for one view.
    """

    product: Product
    origin: Origin
    volume: list[SyntheticMRImage]
    deviation: list[UncertaintyImage]
    spread: SpreadSummary | None

    @property
    def images(self) -> list[SyntheticMRImage]:
        """Of the volume, then of its uncertainty."""
        return [*self.volume, *self.deviation]


def volume_products(result: Synthesis, label: Label = "corner") -> Products:
    """The images of a result.

    Args:
        result: what was generated.
        label: ``"corner"`` burns a small SYNTHETIC into the slices of the volume, ``"none"`` does not.

    Raises:
        InputRefused: the source's header lacks what a result must share with it.
    """
    case, uncertainty = result.case, result.uncertainty
    provenance = {**result.provenance, "label": label}
    provenance.pop("remarks", None)
    product = volume_product(case)
    origin = Origin(source_header(case), provenance, others=case.headers[1:])
    images = build_mr_series(result.volume, product, origin, label=label)
    if uncertainty is None:
        return Products(product, origin, images, [], None)
    deviation = build_uncertainty_series(uncertainty, product, origin, images)
    return Products(product, origin, images, deviation, SpreadSummary.of(uncertainty.voxels, len(result.views)))
