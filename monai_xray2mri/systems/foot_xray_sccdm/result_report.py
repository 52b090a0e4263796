"""The report of a foot: TID 1500 in a Comprehensive SR of angles measured on a synthetic image, with intervals.

Each angle is a number with the range of its measurement uncertainty (TID 300 and 310) and the two axes that it lies
between as spatial coordinates on the radiograph.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import highdicom as hd
import numpy as np
from highdicom.sr import CodedConcept, GraphicTypeValues, RelationshipTypeValues
from pydicom import Dataset

from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.dicom.image_report import NO_UNITS, SIDES, ImageReport, can_report, image_library, this_software
from monai_xray2mri.dicom.marks import (
    CODING_SCHEME,
    coding_scheme,
    mark_synthetic,
    model_name,
    parameters,
    software_versions,
)
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.source import source_moment
from monai_xray2mri.dicom.uids import deterministic_uid
from monai_xray2mri.dicom.uncertainty import SpreadSummary, meaning_of
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.systems.foot_xray_sccdm.angles import AXES, MEASURED_ON, MeasuredAngle
from monai_xray2mri.systems.foot_xray_sccdm.products import Products

ANGLES_OF: Final = CodedConcept("SYNTHANGLES", CODING_SCHEME, "Angles of the forefoot on a synthetic radiograph")
CONCEPTS: Final = {
    "hallux_valgus": CodedConcept("HVA", CODING_SCHEME, "Hallux valgus angle"),
    "intermetatarsal": CodedConcept("IMA", CODING_SCHEME, "First intermetatarsal angle"),
}
"""PS3.16 has no code for either."""
KEYPOINT_METHOD: Final = CodedConcept("KEYPOINTAXES", CODING_SCHEME, "Axes between keypoints found by a network")
COMPLETENESS: Final = CodedConcept("KCC", CODING_SCHEME, "Keypoint confidence-completeness")
GENERATED: Final = CodedConcept("DERIVEDCR", CODING_SCHEME, "Radiograph generated from the source image")
SPREAD: Final = CodedConcept("SAMPLESPREAD", CODING_SCHEME, "Spread of the samples of a generative model")
SAMPLES: Final = CodedConcept("SAMPLECOUNT", CODING_SCHEME, "Number of samples")
CHECK: Final = CodedConcept("CHECKREMARK", CODING_SCHEME, "Remark of the input checks")
_SPREADS: Final = {
    "mean": CodedConcept("SDMEAN", CODING_SCHEME, "Mean standard deviation of intensity over pixels"),
    "percentile_95": CodedConcept("SDP95", CODING_SCHEME, "95th percentile of the standard deviation"),
    "highest": CodedConcept("SDMAX", CODING_SCHEME, "Highest standard deviation of any pixel"),
}
_PHOTOGRAPHY: Final = CodedConcept("XC", "DCM", "External-camera Photography")
_MEDIAN: Final = CodedConcept("373099004", "SCT", "Median")
_DEGREES: Final = CodedConcept("deg", "UCUM", "degree")
_COMMENT: Final = CodedConcept("121106", "DCM", "Comment")
_PIXEL_CENTER: Final = 0.5
"""Spatial coordinates count from the corner of the first pixel, arrays from its middle (PS3.3 C.18.6.1.1)."""


class ResultReport(ImageReport):
    """Report of the radiograph of one foot; valid and complete when the constructor returns."""

    def __init__(self, products: Products) -> None:
        """Build the document.

        Args:
            products: what was generated and measured, and from what. Numbers and short texts of the provenance (also
                those below ``options``) become parameters of the algorithm.

        Raises:
            InputRefused: the photograph fails `can_report`.
        """
        product, origin = products.product, products.origin
        photograph, provenance = origin.header, origin.provenance
        if not can_report(photograph):
            raise InputRefused("result report", "needs a photograph with a date that it can refer to", "another one")
        groups = [_angles_group(products)]
        if products.spread is not None:
            groups.append(_spread_group(products, products.spread))
        with quiet():
            super().__init__(
                _content(groups, photograph, products.images),
                photograph,
                written=source_moment(photograph),
                final=True,
                series_number=product.numbers.report,
                description=f"SYNTHETIC {product.modality} of {product.subject}: report, not for clinical use",
                schemes=[coding_scheme()],
                evidence=products.images,
                model=model_name(provenance),
                software_versions=tuple(software_versions(provenance)),
            )
            mark_synthetic(self, provenance, "Generated the radiograph that this report is about.")
            self.name_by_content()


def _content(
    groups: Sequence[hd.sr.MeasurementsAndQualitativeEvaluations], photograph: Dataset, images: Sequence[Dataset]
) -> hd.sr.MeasurementReport:
    content = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=this_software()),
        procedure_reported=_PHOTOGRAPHY,
        imaging_measurements=groups,
    )
    items = content[0].ContentSequence
    library = image_library(photograph, images, GENERATED)
    items.insert(len(items) - 1, library)  # TID 1500 wants it before the measurements
    return content


def _angles_group(products: Products) -> hd.sr.MeasurementsAndQualitativeEvaluations:
    """TID 1501 Measurement Group: the angles, what their interval is, and how sure the keypoints are."""
    result, provenance, image = products.result, products.origin.provenance, products.mean
    measures = result.measures
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(products, "angles"),
        finding_type=ANGLES_OF,
        finding_sites=[_site(products)],
        algorithm_id=hd.sr.AlgorithmIdentification(
            name=model_name(provenance), version=software_versions(provenance)[0], parameters=parameters(provenance)
        ),
        measurements=[
            *(_angle(products, name, angle) for name, angle in measures.angles.items()),
            hd.sr.Measurement(COMPLETENESS, round(measures.completeness, 4), NO_UNITS),
        ],
        source_images=[hd.sr.SourceImageForMeasurementGroup(image.SOPClassUID, image.SOPInstanceUID)],
    )
    contains = RelationshipTypeValues.CONTAINS
    remarks = (*result.case.remarks, *measures.remarks)
    comments = (MEASURED_ON, f"Interval: {measures.meaning}.", DISCLAIMER)
    added = [hd.sr.TextContentItem(CHECK, remark, contains) for remark in remarks]
    added += [hd.sr.TextContentItem(_COMMENT, comment, contains) for comment in comments]
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


def _spread_group(products: Products, spread: SpreadSummary) -> hd.sr.MeasurementsAndQualitativeEvaluations:
    """TID 1501 Measurement Group: the spread in a few numbers."""
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(products, "spread"),
        finding_type=SPREAD,
        finding_sites=[_site(products)],
        measurements=[
            hd.sr.Measurement(SAMPLES, spread.samples, NO_UNITS),
            *(hd.sr.Measurement(concept, getattr(spread, name), NO_UNITS) for name, concept in _SPREADS.items()),
        ],
    )
    meaning = f"{meaning_of(products.product, products.origin.provenance)}."
    group[0].ContentSequence.append(hd.sr.TextContentItem(_COMMENT, meaning, RelationshipTypeValues.CONTAINS))
    return group


def _site(products: Products) -> hd.sr.FindingSite:
    return hd.sr.FindingSite(products.product.region, laterality=SIDES[products.result.case.side])


def _tracking(products: Products, what: str) -> hd.sr.TrackingIdentifier:
    side = products.result.case.side.value
    uid = deterministic_uid(what, str(products.origin.header.SOPInstanceUID), side)
    return hd.sr.TrackingIdentifier(uid=uid, identifier=f"Foot {side} {what}")
