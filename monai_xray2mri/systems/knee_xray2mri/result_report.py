"""What the report of a synthesis says of a knee: the radiographic features that were used, and where they are from.

The features stand where features were *used*, so that they are never taken for a reading of the film.
"""

from __future__ import annotations

from typing import Final

import highdicom as hd
from highdicom.sr import CodedConcept, RelationshipTypeValues

from monai_xray2mri.dicom.marks import is_instance
from monai_xray2mri.dicom.own_results import CODING_SCHEME
from monai_xray2mri.dicom.result_report import Reported, ResultReport
from monai_xray2mri.knee.grading.features import FEATURES
from monai_xray2mri.knee.grading.film_report import feature_measurement, knee_site, oai_scheme
from monai_xray2mri.systems.knee_xray2mri.products import Products

SYNTHESIS: Final = CodedConcept("SYNTHESIS", CODING_SCHEME, "Synthesis of an MR series from a radiograph")
FEATURE_SOURCE: Final = CodedConcept("FEATURESOURCE", CODING_SCHEME, "Source of the radiographic features used")
PLAIN_RADIOGRAPHY: Final = CodedConcept("168537006", "SCT", "Plain radiography")
_SOURCE_REPORT: Final = CodedConcept("SOURCEREPORT", CODING_SCHEME, "Report that the features come from")


def report_of(products: Products) -> ResultReport:
    """The report of one knee.

    Raises:
        InputRefused: a report cannot refer to the radiograph.
    """
    case, origin = products.synthesis.case, products.origin
    side, report, contains = case.side, origin.report, RelationshipTypeValues.CONTAINS
    items: list[hd.sr.ContentItem] = [hd.sr.TextContentItem(FEATURE_SOURCE, case.grading.source, contains)]
    if report is not None and is_instance(report):
        items.append(hd.sr.CompositeContentItem(_SOURCE_REPORT, report.SOPClassUID, report.SOPInstanceUID, contains))
    graded = [(feature, case.grading.grades.get(feature.stem)) for feature in FEATURES]
    reported = Reported(
        procedure=PLAIN_RADIOGRAPHY,
        synthesis=SYNTHESIS,
        site=knee_site(side),
        name=f"Knee {side.value}",
        key=side.value,
        source="film",
        items=items,
        measurements=[feature_measurement(feature, grade, side) for feature, grade in graded if grade is not None],
        remarks=case.remarks,
        schemes=[oai_scheme()],
    )
    return ResultReport(reported, products.product, origin, products.images, products.spread)
