"""The report of a synthesis: TID 1500 in a Comprehensive SR of what went in, what made it and how its samples agree.

It is written for programs. A system says what its case had (:class:`Reported`); the rest is the same for all.
`study.read_study` passes such a report over, so that a result that comes back with its study is never taken for a
reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import highdicom as hd
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept, RelationshipTypeValues
from pydicom import Dataset

from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.dicom.image_report import (
    DERIVED,
    IMAGE_UIDS,
    NO_UNITS,
    ImageReport,
    can_report,
    image_library,
    this_software,
)
from monai_xray2mri.dicom.marks import (
    coding_scheme,
    is_instance,
    mark_synthetic,
    model_name,
    parameters,
    software_versions,
)
from monai_xray2mri.dicom.own_results import CODING_SCHEME
from monai_xray2mri.dicom.product import Origin, Product
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.source import source_moment
from monai_xray2mri.dicom.uids import deterministic_uid
from monai_xray2mri.dicom.uncertainty import SpreadSummary, meaning_of
from monai_xray2mri.errors import InputRefused

SPREAD: Final = CodedConcept("SAMPLESPREAD", CODING_SCHEME, "Spread of the samples of a generative model")
CHECK: Final = CodedConcept("CHECKREMARK", CODING_SCHEME, "Remark of the input checks")
SAMPLES: Final = CodedConcept("SAMPLECOUNT", CODING_SCHEME, "Number of samples")
_SPREADS: Final = {
    "mean": CodedConcept("SDMEAN", CODING_SCHEME, "Mean standard deviation of intensity over voxels"),
    "percentile_95": CodedConcept("SDP95", CODING_SCHEME, "95th percentile of the standard deviation"),
    "highest": CodedConcept("SDMAX", CODING_SCHEME, "Highest standard deviation of any voxel"),
}
COMMENT: Final = CodedConcept("121106", "DCM", "Comment")
_SERIES_UID: Final = CodedConcept("112002", "DCM", "Series Instance UID")


@dataclass(frozen=True)
class Reported:
    """What a report says of one case, beside what every report says.

    Attributes:
        procedure: that made the source, such as plain radiography.
        synthesis: what was done.
        site: part of the body.
        name: of the case, for people: ``Foot R``.
        key: what tells the case from others of its source.
        source: what messages call the source: ``film``.
        items: content items (CONTAINS) of what was used.
        measurements: that were used, such as gradings.
        remarks: of the input checks.
        schemes: private coding schemes of these items, beside the package's own.
        groups: further measurement groups, such as what was measured on the result.
        derived: what the images of the result are called.
    """

    procedure: CodedConcept
    synthesis: CodedConcept
    site: hd.sr.FindingSite
    name: str
    key: str
    source: str = "image"
    items: Sequence[hd.sr.ContentItem] = ()
    measurements: Sequence[hd.sr.Measurement] = ()
    remarks: Sequence[str] = ()
    schemes: Sequence[CodingSchemeIdentificationItem] = ()
    groups: Sequence[hd.sr.MeasurementsAndQualitativeEvaluations] = ()
    derived: CodedConcept = DERIVED


class ResultReport(ImageReport):
    """Report of the synthesis of one case; valid and complete when the constructor returns."""

    def __init__(
        self,
        reported: Reported,
        product: Product,
        origin: Origin,
        images: Sequence[Dataset],
        spread: SpreadSummary | None = None,
    ) -> None:
        """Build the document.

        Args:
            reported: what it says of the case.
            product: what was generated.
            origin: from what. Numbers and short texts of the provenance (also those below ``options``) become
                parameters of the algorithm.
            images: that were generated.
            spread: of their samples; None for one.

        Raises:
            InputRefused: the source fails `can_report`.
        """
        source, provenance = origin.header, origin.provenance
        if not can_report(source):
            rule = f"needs a {reported.source} with a date that it can refer to"
            raise InputRefused("result report", rule, "another one")
        groups = [_synthesis_group(reported, origin, images), *reported.groups]
        if spread is not None:
            groups.append(_spread_group(reported, product, origin, spread))
        used = [header for header in origin.others if is_instance(header)]
        with quiet():
            super().__init__(
                _content(groups, reported, source, used, images),
                source,
                written=source_moment(source),
                final=True,
                series_number=product.numbers.report,
                description=f"SYNTHETIC {product.modality} of {product.subject}: report, not for clinical use",
                schemes=[*reported.schemes, coding_scheme()],
                evidence=[*images, *(_as_evidence(other, source) for other in used), *_source_report(origin)],
                model=model_name(provenance),
                software_versions=tuple(software_versions(provenance)),
            )
            mark_synthetic(self, provenance, f"Generated the {product.modality} series that this report is about.")
            self.name_by_content()


def _content(
    groups: Sequence[hd.sr.MeasurementsAndQualitativeEvaluations],
    reported: Reported,
    source: Dataset,
    used: Sequence[Dataset],
    images: Sequence[Dataset],
) -> hd.sr.MeasurementReport:
    content = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=this_software()),
        procedure_reported=reported.procedure,
        imaging_measurements=groups,
    )
    items = content[0].ContentSequence
    items.insert(
        len(items) - 1, image_library(source, images, reported.derived, others=used)
    )  # TID 1500: before the measurements
    return content


def _synthesis_group(
    reported: Reported, origin: Origin, images: Sequence[Dataset]
) -> hd.sr.MeasurementsAndQualitativeEvaluations:
    """TID 1501 Measurement Group: what was used, model, remarks, and where the result is."""
    source, provenance = origin.header, origin.provenance
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(reported.name, reported.key, source, "synthesis"),
        finding_type=reported.synthesis,
        finding_sites=[reported.site],
        algorithm_id=hd.sr.AlgorithmIdentification(
            name=model_name(provenance),
            version=software_versions(provenance)[0],
            parameters=parameters(provenance),
        ),
        measurements=list(reported.measurements),
        source_images=[hd.sr.SourceImageForMeasurementGroup(source.SOPClassUID, source.SOPInstanceUID)],
    )
    contains = RelationshipTypeValues.CONTAINS
    added: list[hd.sr.ContentItem] = list(reported.items)
    series = dict.fromkeys(str(image.SeriesInstanceUID) for image in images)
    added += [hd.sr.UIDRefContentItem(_SERIES_UID, uid, contains) for uid in series]
    added += [hd.sr.TextContentItem(CHECK, remark, contains) for remark in reported.remarks]
    added.append(hd.sr.TextContentItem(COMMENT, DISCLAIMER, contains))
    group[0].ContentSequence.extend(added)
    return group


def _spread_group(
    reported: Reported, product: Product, origin: Origin, spread: SpreadSummary
) -> hd.sr.MeasurementsAndQualitativeEvaluations:
    """TID 1501 Measurement Group: the spread in a few numbers."""
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(reported.name, reported.key, origin.header, "spread"),
        finding_type=SPREAD,
        finding_sites=[reported.site],
        measurements=[
            hd.sr.Measurement(SAMPLES, spread.samples, NO_UNITS),
            *(hd.sr.Measurement(concept, getattr(spread, name), NO_UNITS) for name, concept in _SPREADS.items()),
        ],
    )
    meaning = f"{meaning_of(product, origin.provenance)}."
    group[0].ContentSequence.append(hd.sr.TextContentItem(COMMENT, meaning, RelationshipTypeValues.CONTAINS))
    return group


def tracking(name: str, key: str, source: Dataset, what: str) -> hd.sr.TrackingIdentifier:
    """Identifier of a measurement group; equal for equal sources.

    Args:
        name: of the case, for people: ``Foot R``.
        key: what tells the case from others of its source.
        source: header of the source.
        what: the group is about.
    """
    uid = deterministic_uid(what, str(source.SOPInstanceUID), key)
    return hd.sr.TrackingIdentifier(uid=uid, identifier=f"{name} {what}")


def _source_report(origin: Origin) -> list[Dataset]:
    """The report that was used, where it can be referred to."""
    report = origin.report
    return [] if report is None or not is_instance(report) else [_as_evidence(report, origin.header)]


def _as_evidence(used: Dataset, source: Dataset) -> Dataset:
    """What was used, as highdicom wants evidence."""
    evidence = Dataset()
    for keyword in IMAGE_UIDS:
        setattr(evidence, keyword, used.get(keyword) or source.get(keyword))
    return evidence
