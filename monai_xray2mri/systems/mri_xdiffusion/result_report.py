"""What the report of a synthesis says of a volume: which slices of the series it was generated from."""

from __future__ import annotations

from typing import Final

import highdicom as hd
from highdicom.sr import CodedConcept, RelationshipTypeValues

from monai_xray2mri.dicom.image_report import SIDES
from monai_xray2mri.dicom.own_results import CODING_SCHEME
from monai_xray2mri.dicom.result_report import Reported, ResultReport
from monai_xray2mri.systems.mri_xdiffusion.case import SliceCase
from monai_xray2mri.systems.mri_xdiffusion.products import DERIVATION, Products

MRI: Final = CodedConcept("113091000", "SCT", "Magnetic resonance imaging")
GIVEN: Final = CodedConcept("GIVENSLICES", CODING_SCHEME, "Slices of the series that the volume was generated from")


def given_words(case: SliceCase) -> str:
    """The given slices: ``3, 7 of 20``."""
    return f"{', '.join(str(one.number) for one in case.given)} of {case.of}"


def report_of(case: SliceCase, products: Products) -> ResultReport:
    """The report of one volume.

    Raises:
        InputRefused: a report cannot refer to the slices.
    """
    product, side = products.product, case.side
    reported = Reported(
        procedure=MRI,
        synthesis=DERIVATION,
        site=hd.sr.FindingSite(product.region, laterality=SIDES[side] if side else None),
        name=f"{product.subject.capitalize()} volume",
        key="volume",
        source="slice",
        items=[hd.sr.TextContentItem(GIVEN, given_words(case), RelationshipTypeValues.CONTAINS)],
        remarks=case.remarks,
    )
    return ResultReport(reported, product, products.origin, products.images, products.spread)
