"""The report of a foot: TID 1500 in a Comprehensive SR of angles measured on a synthetic image, with intervals.

Each angle is a number with the range of its measurement uncertainty (TID 300 and 310) and the two axes that it lies
between as spatial coordinates on the radiograph.
"""

from __future__ import annotations

from typing import Final

import highdicom as hd
import numpy as np
from highdicom.sr import CodedConcept, GraphicTypeValues, RelationshipTypeValues

from monai_xray2mri.dicom.image_report import NO_UNITS, SIDES
from monai_xray2mri.dicom.own_results import CODING_SCHEME
from monai_xray2mri.dicom.result_report import CHECK, COMMENT, Reported, tracking
from monai_xray2mri.systems.foot_xray_sccdm.angles import AXES, MEASURED_ON, MeasuredAngle
from monai_xray2mri.systems.foot_xray_sccdm.products import Products

SYNTHESIS: Final = CodedConcept("SYNTHFOOT", CODING_SCHEME, "Synthesis of a radiograph from a photograph")
ANGLES_OF: Final = CodedConcept("SYNTHANGLES", CODING_SCHEME, "Angles of the forefoot on a synthetic radiograph")
CONCEPTS: Final = {
    "hallux_valgus": CodedConcept("HVA", CODING_SCHEME, "Hallux valgus angle"),
    "intermetatarsal": CodedConcept("IMA", CODING_SCHEME, "First intermetatarsal angle"),
}
"""PS3.16 has no code for either."""
KEYPOINT_METHOD: Final = CodedConcept("KEYPOINTAXES", CODING_SCHEME, "Axes between keypoints found by a network")
COMPLETENESS: Final = CodedConcept("KCC", CODING_SCHEME, "Keypoint confidence-completeness")
GENERATED: Final = CodedConcept("DERIVEDCR", CODING_SCHEME, "Radiograph generated from the source image")
_PHOTOGRAPHY: Final = CodedConcept("XC", "DCM", "External-camera Photography")
_MEDIAN: Final = CodedConcept("373099004", "SCT", "Median")
_DEGREES: Final = CodedConcept("deg", "UCUM", "degree")
_PIXEL_CENTER: Final = 0.5
"""Spatial coordinates count from the corner of the first pixel, arrays from its middle (PS3.3 C.18.6.1.1)."""


def reported_of(products: Products) -> Reported:
    """What the report says of one foot."""
    case = products.result.case
    return Reported(
        procedure=_PHOTOGRAPHY,
        synthesis=SYNTHESIS,
        site=_site(products),
        name=_name(products),
        key=case.key,
        source="photograph",
        remarks=case.remarks,
        groups=[_angles_group(products)],
        derived=GENERATED,
    )


def _angles_group(products: Products) -> hd.sr.MeasurementsAndQualitativeEvaluations:
    """TID 1501 Measurement Group: the angles, what their interval is, and how sure the keypoints are."""
    measures, image = products.result.measures, products.mean
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(_name(products), products.result.case.key, products.origin.header, "angles"),
        finding_type=ANGLES_OF,
        finding_sites=[_site(products)],
        measurements=[
            *(_angle(products, name, angle) for name, angle in measures.angles.items()),
            hd.sr.Measurement(COMPLETENESS, round(measures.completeness, 4), NO_UNITS),
        ],
        source_images=[hd.sr.SourceImageForMeasurementGroup(image.SOPClassUID, image.SOPInstanceUID)],
    )
    contains = RelationshipTypeValues.CONTAINS
    added = [hd.sr.TextContentItem(CHECK, remark, contains) for remark in measures.remarks]
    added += [
        hd.sr.TextContentItem(COMMENT, text, contains) for text in (MEASURED_ON, f"Interval: {measures.meaning}.")
    ]
    group[0].ContentSequence.extend(added)
    return group


def _angle(products: Products, name: str, angle: MeasuredAngle) -> hd.sr.Measurement:
    """TID 300 Measurement of an angle with its axes; lower and upper measurement uncertainty are TID 310's."""
    properties = None
    if angle.low is not None and angle.high is not None:
        properties = hd.sr.MeasurementProperties(
            lower_measurement_uncertainty=round(angle.median - angle.low, 2),
            upper_measurement_uncertainty=round(angle.high - angle.median, 2),
        )
    found = hd.sr.Measurement(
        name=CONCEPTS[name],
        value=round(angle.median, 2),
        unit=_DEGREES,
        method=KEYPOINT_METHOD,
        derivation=_MEDIAN if len(angle.samples) > 1 else None,
        finding_sites=[_site(products)],
        properties=properties,
        referenced_coordinates=[_axis(products, axis) for axis in AXES[name]],
    )
    for item in found[0].ContentSequence:  # TID 310 wants the unit of the angle, highdicom writes none
        if item.ValueType == "NUM":
            item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence = [_DEGREES]
    return found


def _axis(products: Products, axis: tuple[str, str]) -> hd.sr.CoordinatesForMeasurement:
    """TID 320: the line between two keypoints on the radiograph."""
    points, image = products.result.points, products.mean
    line = [[column + _PIXEL_CENTER, row + _PIXEL_CENTER] for row, column in (points[name] for name in axis)]
    limits = (float(image.Columns), float(image.Rows))
    return hd.sr.CoordinatesForMeasurement(
        graphic_type=GraphicTypeValues.POLYLINE,
        graphic_data=np.clip(np.array(line), 0.0, limits),
        source_image=hd.sr.SourceImageForRegion(image.SOPClassUID, image.SOPInstanceUID),
    )


def _site(products: Products) -> hd.sr.FindingSite:
    return hd.sr.FindingSite(products.product.region, laterality=SIDES[products.result.case.side])


def _name(products: Products) -> str:
    return f"Foot {products.result.case.key}"
