"""Short documents that a service adds to a study: why nothing was made, what a result replaces, what is rejected.

They are Comprehensive SR and Key Object Selection documents (PS3.3 A.35.3, A.35.4) with patient, study and dates of the
source; UIDs are a hash of the content, so that the same note twice is the same instance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from highdicom.sr import CodedConcept
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ComprehensiveSRStorage, ExplicitVRLittleEndian, KeyObjectSelectionDocumentStorage

from monai_xray2mri.core.identity import package_version
from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.dicom.marks import sign_file
from monai_xray2mri.dicom.own_results import CODING_SCHEME, SOFTWARE
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.source import copy_patient_and_study, source_moment
from monai_xray2mri.dicom.uids import dataset_digest, deterministic_uid

NOT_SYNTHESIZED: Final = CodedConcept("NOTSYNTHESIZED", CODING_SCHEME, "Reason why no image was synthesized")
REPLACEMENT: Final = CodedConcept("REPLACEMENT", CODING_SCHEME, "Result that replaces an earlier one")
REPLACED: Final = CodedConcept("REPLACED", CODING_SCHEME, "Instance of the replaced result")
REPLACING: Final = CodedConcept("REPLACING", CODING_SCHEME, "Instance of the replacing result")
REJECTED: Final = CodedConcept("113001", "DCM", "Rejected for Quality Reasons")
_REASON: Final = CodedConcept("REASON", CODING_SCHEME, "Reason")
_EXAMINED: Final = CodedConcept("EXAMINED", CODING_SCHEME, "Object that was examined")
_COMMENT: Final = CodedConcept("121106", "DCM", "Comment")
_DESCRIPTION: Final = CodedConcept("113012", "DCM", "Key Object Description")
_REFUSAL_NUMBER, _REPLACEMENT_NUMBER, _REJECTION_NUMBER = 961, 962, 963
"""Series Numbers, after those of results."""
_IMAGE_CLASSES: Final = ("1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.7")
"""CR with DX below it, MR, Secondary Capture: images; other objects are referred to as composite."""


@dataclass(frozen=True)
class Referred:
    """An instance that a note names: its Series Instance UID, SOP Class UID and SOP Instance UID."""

    series: str
    kind: str
    uid: str


def refusal_report(source: Dataset, reasons: Sequence[str], examined: Sequence[Referred]) -> Dataset:
    """A report that says why nothing, or not everything, was synthesized.

    Args:
        source: header of an object of the study.
        reasons: in words, without patient data.
        examined: what was looked at.
    """
    items = [_text(_REASON, reason) for reason in reasons]
    items += [_reference(_EXAMINED, one) for one in examined]
    description = "SYNTHETIC image not made: report, not for clinical use"
    return _report(source, NOT_SYNTHESIZED, items, examined, _REFUSAL_NUMBER, description)


def replacement_report(source: Dataset, old: Sequence[Referred], new: Sequence[Referred]) -> Dataset:
    """A report that says which instances of an earlier result are replaced, and by which.

    Args:
        source: header of an object of the study.
        old: what is replaced.
        new: the result; empty where the study is refused now.
    """
    items = [_reference(REPLACED, one) for one in old] + [_reference(REPLACING, one) for one in new]
    description = "SYNTHETIC result replaced: report, not for clinical use"
    return _report(source, REPLACEMENT, items, [*old, *new], _REPLACEMENT_NUMBER, description)


def rejection_note(source: Dataset, rejected: Sequence[Referred], why: str) -> Dataset:
    """A rejection note (IHE RAD TF-2, 4.66), which hides instances from every consumer of the profile.

    Args:
        source: header of an object of the study.
        rejected: instances.
        why: Key Object Description, in words.
    """
    items = [_text(_DESCRIPTION, why)]
    items += [_reference(None, one) for one in rejected]
    note = _document(source, KeyObjectSelectionDocumentStorage, "KO", _REJECTION_NUMBER, REJECTED, items, rejected)
    note.SeriesDescription = "SYNTHETIC result rejected: note, not for clinical use"
    template = Dataset()
    template.MappingResource, template.TemplateIdentifier = "DCMR", "2010"
    note.ContentTemplateSequence = [template]
    return _named(note)


def _report(
    source: Dataset, title: CodedConcept, items: list[Dataset], evidence: Sequence[Referred], number: int, words: str
) -> Dataset:
    items = [*items, _text(_COMMENT, DISCLAIMER)]
    report = _document(source, ComprehensiveSRStorage, "SR", number, title, items, evidence)
    report.SeriesDescription = words
    report.CompletionFlag, report.VerificationFlag, report.PreliminaryFlag = "COMPLETE", "UNVERIFIED", "FINAL"
    report.PerformedProcedureCodeSequence = []
    return _named(report)


@quiet()
def _document(
    source: Dataset,
    kind: str,
    modality: str,
    number: int,
    title: CodedConcept,
    items: list[Dataset],
    evidence: Sequence[Referred],
) -> Dataset:
    """What both kinds of documents share: patient, study, series, equipment, root of the tree, evidence."""
    document = Dataset()
    document.file_meta = FileMetaDataset()
    document.file_meta.MediaStorageSOPClassUID = UID(kind)
    document.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    copy_patient_and_study(source, document)
    date, time = source_moment(source)
    document.SOPClassUID, document.Modality = kind, modality
    document.SeriesNumber, document.InstanceNumber = number, 1
    document.ReferencedPerformedProcedureStepSequence = []
    document.Manufacturer = document.ManufacturerModelName = SOFTWARE
    document.SoftwareVersions = package_version()
    document.ContentDate, document.ContentTime = date or "19000101", time or "000000"  # type 1
    document.CodingSchemeIdentificationSequence = [_scheme()]
    document.ValueType, document.ContinuityOfContent = "CONTAINER", "SEPARATE"
    document.ConceptNameCodeSequence = [title]
    document.ContentSequence = items
    if evidence:
        document.CurrentRequestedProcedureEvidenceSequence = [_evidence(str(source.StudyInstanceUID), evidence)]
    return document


def _named(document: Dataset) -> Dataset:
    """Give a document UIDs that are a hash of the rest."""
    digest = dataset_digest(document)
    document.SeriesInstanceUID = deterministic_uid("series", digest)
    document.SOPInstanceUID = deterministic_uid("instance", digest)
    sign_file(document)
    return document


def _scheme() -> Dataset:
    scheme = Dataset()
    scheme.CodingSchemeDesignator = CODING_SCHEME
    scheme.CodingSchemeName = "monai_xray2mri derivations"
    scheme.CodingSchemeResponsibleOrganization = SOFTWARE
    return scheme


def _text(concept: CodedConcept, text: str) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "TEXT"
    item.ConceptNameCodeSequence, item.TextValue = [concept], text
    return item


def _reference(concept: CodedConcept | None, referred: Referred) -> Dataset:
    """A content item that names an instance; the items of a rejection note have no concept name (TID 2010)."""
    item = Dataset()
    item.RelationshipType = "CONTAINS"
    is_image = any(f"{referred.kind}.".startswith(f"{kind}.") for kind in _IMAGE_CLASSES)
    item.ValueType = "IMAGE" if is_image else "COMPOSITE"
    if concept is not None:
        item.ConceptNameCodeSequence = [concept]
    item.ReferencedSOPSequence = [_instance(referred)]
    return item


def _instance(referred: Referred) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = referred.kind, referred.uid
    return item


def _evidence(study: str, referred: Sequence[Referred]) -> Dataset:
    """Hierarchical SOP Instance Reference (PS3.3 table C.17-3): every instance once, by series."""
    evidence = Dataset()
    evidence.StudyInstanceUID, evidence.ReferencedSeriesSequence = study, []
    for series in dict.fromkeys(one.series for one in referred):
        item = Dataset()
        item.SeriesInstanceUID = series
        own = dict.fromkeys(one for one in referred if one.series == series)
        item.ReferencedSOPSequence = [_instance(one) for one in own]
        evidence.ReferencedSeriesSequence.append(item)
    return evidence
