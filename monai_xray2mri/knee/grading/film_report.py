"""What the structured reports about a film of knees have in common: sites, and features as measurements.

No coding scheme of DICOM PS3.16 has the 19 features, so they stand under their OAI names in the private scheme 99OAI,
which each report declares.
"""

from __future__ import annotations

import highdicom as hd
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept

from monai_xray2mri.dicom.image_report import NO_UNITS, SIDES
from monai_xray2mri.dicom.own_results import SOFTWARE
from monai_xray2mri.knee.grading.features import Feature
from monai_xray2mri.types import Side

SCHEME = "99OAI"
NOT_ATTEMPTED = CodedConcept("114007", "DCM", "Measurement not attempted")

_METHODS = {
    "KL": CodedConcept("KL", SCHEME, "Kellgren and Lawrence scale"),
    "OARSI": CodedConcept("OARSI", SCHEME, "OARSI atlas scale"),
}
_SITES = {
    "Knee joint": CodedConcept("49076000", "SCT", "Knee joint"),
    "Femur": CodedConcept("71341001", "SCT", "Femur"),
    "Tibia": CodedConcept("12611008", "SCT", "Tibia"),
}
_COMPARTMENTS = {
    "medial": CodedConcept("255561001", "SCT", "Medial"),
    "lateral": CodedConcept("49370004", "SCT", "Lateral"),
}


def oai_scheme() -> CodingSchemeIdentificationItem:
    """The declaration of 99OAI."""
    return CodingSchemeIdentificationItem(
        SCHEME, name="OAI semi-quantitative X-ray variables", responsible_organization=SOFTWARE
    )


def knee_site(side: Side) -> hd.sr.FindingSite:
    """The knee joint of a side."""
    return hd.sr.FindingSite(_SITES["Knee joint"], laterality=SIDES[side])


def feature_measurement(feature: Feature, grade: int | None, side: Side) -> hd.sr.Measurement:
    """TID 300 Measurement; an unknown grade holds a 0 that the caller has to take out."""
    return hd.sr.Measurement(
        name=CodedConcept(feature.stem, SCHEME, feature.description),
        value=grade or 0,
        unit=NO_UNITS,
        qualifier=NOT_ATTEMPTED if grade is None else None,
        method=_METHODS[feature.method],
        finding_sites=[
            hd.sr.FindingSite(
                _SITES[feature.site],
                laterality=SIDES[side],
                topographical_modifier=_COMPARTMENTS[feature.compartment] if feature.compartment else None,
            )
        ],
    )
