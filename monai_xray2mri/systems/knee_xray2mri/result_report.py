"""The report of a synthesis: TID 1500 in a Comprehensive SR of what went in, what made it and how its samples agree.

It is written for programs. Its features stand where features were *used*; `study.read_study` passes such a report over,
so that a result that comes back with its study is never taken for a reading of the film.
"""

from __future__ import annotations

from collections.abc import Sequence

import highdicom as hd
from highdicom.sr import CodedConcept, RelationshipTypeValues
from pydicom import Dataset

from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.dicom.image_report import (
    IMAGE_UIDS,
    NO_UNITS,
    ImageReport,
    can_report,
    image_library,
    this_software,
)
from monai_xray2mri.dicom.marks import (
    CODING_SCHEME,
    coding_scheme,
    is_instance,
    mark_synthetic,
    model_name,
    parameters,
    software_versions,
)
from monai_xray2mri.dicom.product import Origin, Product
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.source import source_moment
from monai_xray2mri.dicom.uids import deterministic_uid
from monai_xray2mri.dicom.uncertainty import SpreadSummary, meaning_of
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.grading.features import FEATURES
from monai_xray2mri.knee.grading.film_report import feature_measurement, knee_site, oai_scheme
from monai_xray2mri.systems.knee_xray2mri.products import Products
from monai_xray2mri.types import Side

SYNTHESIS = CodedConcept("SYNTHESIS", CODING_SCHEME, "Synthesis of an MR series from a radiograph")
SPREAD = CodedConcept("SAMPLESPREAD", CODING_SCHEME, "Spread of the samples of a generative model")
FEATURE_SOURCE = CodedConcept("FEATURESOURCE", CODING_SCHEME, "Source of the radiographic features used")
CHECK = CodedConcept("CHECKREMARK", CODING_SCHEME, "Remark of the input checks")
SAMPLES = CodedConcept("SAMPLECOUNT", CODING_SCHEME, "Number of samples")
_SPREADS = {
    "mean": CodedConcept("SDMEAN", CODING_SCHEME, "Mean standard deviation of intensity over voxels"),
    "percentile_95": CodedConcept("SDP95", CODING_SCHEME, "95th percentile of the standard deviation"),
    "highest": CodedConcept("SDMAX", CODING_SCHEME, "Highest standard deviation of any voxel"),
}
_COMMENT = CodedConcept("121106", "DCM", "Comment")
_SERIES_UID = CodedConcept("112002", "DCM", "Series Instance UID")
_SOURCE_REPORT = CodedConcept("SOURCEREPORT", CODING_SCHEME, "Report that the features come from")


class ResultReport(ImageReport):
    """Report of the synthesis of one knee; valid and complete when the constructor returns."""

    def __init__(self, products: Products) -> None:
        """Build the document.

        Args:
            products: what was generated, and from what. Numbers and short texts of the provenance (also those below
                ``options``) become parameters of the algorithm.

        Raises:
            InputRefused: the radiograph fails `can_report`.
        """
        product, origin, images = products.product, products.origin, products.images
        film, provenance = origin.header, origin.provenance
        if not can_report(film):
            raise InputRefused("result report", "needs a film with a date that it can refer to", "another one")
        side = products.synthesis.case.side
        groups = [_synthesis_group(products, side)]
        if products.spread is not None:
            groups.append(_spread_group(product, origin, products.spread, side))
        with quiet():
            super().__init__(
                _content(groups, film, images),
                film,
                written=source_moment(film),
                final=True,
                series_number=product.numbers.report,
                description=f"SYNTHETIC {product.modality} of {product.subject}: report, not for clinical use",
                schemes=[oai_scheme(), coding_scheme()],
                evidence=[*images, *_as_evidence(origin)],
                model=model_name(provenance),
                software_versions=tuple(software_versions(provenance)),
            )
            mark_synthetic(self, provenance, "Generated the MR series that this report is about.")
            self.name_by_content()


def _content(
    groups: Sequence[hd.sr.MeasurementsAndQualitativeEvaluations], film: Dataset, images: Sequence[Dataset]
) -> hd.sr.MeasurementReport:
    content = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=this_software()),
        procedure_reported=CodedConcept("168537006", "SCT", "Plain radiography"),
        imaging_measurements=groups,
    )
    items = content[0].ContentSequence
    items.insert(len(items) - 1, image_library(film, images))  # TID 1500 wants it before the measurements
    return content


def _synthesis_group(products: Products, side: Side) -> hd.sr.MeasurementsAndQualitativeEvaluations:
    """TID 1501 Measurement Group: features, model, remarks, and where the result is."""
    case, origin, images = products.synthesis.case, products.origin, products.images
    film, provenance, report = origin.header, origin.provenance, origin.report
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(film, side, "synthesis"),
        finding_type=SYNTHESIS,
        finding_sites=[knee_site(side)],
        algorithm_id=hd.sr.AlgorithmIdentification(
            name=model_name(provenance),
            version=software_versions(provenance)[0],
            parameters=parameters(provenance),
        ),
        measurements=[
            feature_measurement(feature, grade, side)
            for feature in FEATURES
            if (grade := case.grading.grades.get(feature.stem)) is not None
        ],
        source_images=[hd.sr.SourceImageForMeasurementGroup(film.SOPClassUID, film.SOPInstanceUID)],
    )
    contains = RelationshipTypeValues.CONTAINS
    added: list[hd.sr.ContentItem] = [hd.sr.TextContentItem(FEATURE_SOURCE, case.grading.source, contains)]
    if report is not None and is_instance(report):
        added.append(hd.sr.CompositeContentItem(_SOURCE_REPORT, report.SOPClassUID, report.SOPInstanceUID, contains))
    series = dict.fromkeys(str(image.SeriesInstanceUID) for image in images)
    added += [hd.sr.UIDRefContentItem(_SERIES_UID, uid, contains) for uid in series]
    added += [hd.sr.TextContentItem(CHECK, remark, contains) for remark in case.remarks]
    added.append(hd.sr.TextContentItem(_COMMENT, DISCLAIMER, contains))
    group[0].ContentSequence.extend(added)
    return group


def _spread_group(
    product: Product, origin: Origin, spread: SpreadSummary, side: Side
) -> hd.sr.MeasurementsAndQualitativeEvaluations:
    """TID 1501 Measurement Group: the spread in a few numbers."""
    values = {name: getattr(spread, name) for name in _SPREADS}
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(origin.header, side, "spread"),
        finding_type=SPREAD,
        finding_sites=[knee_site(side)],
        measurements=[
            hd.sr.Measurement(SAMPLES, spread.samples, NO_UNITS),
            *(hd.sr.Measurement(_SPREADS[name], value, NO_UNITS) for name, value in values.items()),
        ],
    )
    meaning = f"{meaning_of(product, origin.provenance)}."
    group[0].ContentSequence.append(hd.sr.TextContentItem(_COMMENT, meaning, RelationshipTypeValues.CONTAINS))
    return group


def _tracking(film: Dataset, side: Side, what: str) -> hd.sr.TrackingIdentifier:
    uid = deterministic_uid(what, str(film.SOPInstanceUID), side.value)
    return hd.sr.TrackingIdentifier(uid=uid, identifier=f"Knee {side.value} {what}")


def _as_evidence(origin: Origin) -> list[Dataset]:
    """The source report as highdicom wants evidence, where it can be referred to."""
    report, film = origin.report, origin.header
    if report is None or not is_instance(report):
        return []
    evidence = Dataset()
    for keyword in IMAGE_UIDS:
        setattr(evidence, keyword, report.get(keyword) or film.get(keyword))
    return [evidence]
