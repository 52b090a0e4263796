"""What a derived object takes over from its source: patient, study, de-identification, dates.

Texts are decoded from the source's character set, sequences included, so that they can be written in UTF-8
(``ISO_IR 192``) whatever the source's script.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydicom import Dataset
from pydicom.config import RAISE
from pydicom.datadict import dictionary_VR
from pydicom.valuerep import DA, TM, validate_value

from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.uids import deterministic_uid
from monai_xray2mri.errors import InputRefused

if TYPE_CHECKING:
    from pydicom import DataElement

CHARACTER_SET = "ISO_IR 192"
"""UTF-8, which holds every script."""

PATIENT_KEYWORDS = (  # PS3.3 C.7.1.1 Patient, C.7.1.3 Clinical Trial Subject
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "TypeOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "PatientBirthDate",
    "PatientBirthTime",
    "PatientBirthDateInAlternativeCalendar",
    "PatientDeathDateInAlternativeCalendar",
    "PatientAlternativeCalendar",
    "PatientSex",
    "QualityControlSubject",
    "OtherPatientIDsSequence",
    "OtherPatientNames",
    "PatientSpeciesDescription",
    "EthnicGroup",
    "PatientComments",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "ClinicalTrialSponsorName",
    "ClinicalTrialProtocolID",
    "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID",
    "ClinicalTrialSiteName",
    "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID",
    "ClinicalTrialProtocolEthicsCommitteeName",
    "ClinicalTrialProtocolEthicsCommitteeApprovalNumber",
)

STUDY_KEYWORDS = (  # PS3.3 C.7.2.1 General Study, C.7.2.2 Patient Study, C.7.2.3 Clinical Trial Study
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "ReferringPhysicianIdentificationSequence",
    "ConsultingPhysicianName",
    "StudyID",
    "AccessionNumber",
    "IssuerOfAccessionNumberSequence",
    "StudyDescription",
    "PhysiciansOfRecord",
    "NameOfPhysiciansReadingStudy",
    "RequestingService",
    "ReferencedStudySequence",
    "ProcedureCodeSequence",
    "AdmittingDiagnosesDescription",
    "AdmittingDiagnosesCodeSequence",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "PatientBodyMassIndex",
    "MedicalAlerts",
    "Allergies",
    "Occupation",
    "SmokingStatus",
    "AdditionalPatientHistory",
    "PregnancyStatus",
    "PatientSexNeutered",
    "PatientState",
    "AdmissionID",
    "IssuerOfAdmissionIDSequence",
    "ServiceEpisodeID",
    "ServiceEpisodeDescription",
    "ClinicalTrialTimePointID",
    "ClinicalTrialTimePointDescription",
    "LongitudinalTemporalOffsetFromEvent",
    "LongitudinalTemporalEventType",
    "ConsentForClinicalTrialUseSequence",
)

COMMON_KEYWORDS = ("TimezoneOffsetFromUTC", "LongitudinalTemporalInformationModified")
"""SOP Common (PS3.3 C.12.1): they say how the dates that are taken over are to be read."""

TYPE_2_KEYWORDS = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
"""Present in every object, empty where the source has no value."""

_CHECKED_VRS = ("AS", "CS", "DA", "DS", "IS", "TM")
"""Values of these kinds are left out if DICOM does not allow them; identifiers and texts are taken over as they are."""

_MOMENTS = (
    ("AcquisitionDate", "AcquisitionTime"),
    ("ContentDate", "ContentTime"),
    ("SeriesDate", "SeriesTime"),
    ("StudyDate", "StudyTime"),
)


def copy_patient_and_study(source: Dataset, target: Dataset) -> None:
    """Take over patient, study and de-identification attributes and set the type 2 ones that the source lacks.

    Args:
        source: header of the object that the target is derived from; it is not changed.
        target: a dataset that is (to be) written in `CHARACTER_SET`.
    """
    for element in _elements(source, (*PATIENT_KEYWORDS, *STUDY_KEYWORDS, *COMMON_KEYWORDS)):
        target.add(element)
    for keyword in TYPE_2_KEYWORDS:
        if keyword not in target:
            setattr(target, keyword, None)
    target.SpecificCharacterSet = CHARACTER_SET


def copy_attributes(source: Dataset, target: Dataset, keywords: Iterable[str]) -> None:
    """Take over single attributes that have a value, decoded.

    Args:
        source: where they come from; it is not changed.
        target: a dataset that is (to be) written in `CHARACTER_SET`.
        keywords: DICOM keywords.
    """
    for element in _elements(source, keywords):
        target.add(element)


@quiet()
def _elements(source: Dataset, keywords: Iterable[str]) -> list[DataElement]:
    """Copies of the attributes that have a readable value, with all texts decoded."""
    found: list[DataElement] = []
    for keyword in keywords:
        try:
            element = _element(source, keyword)
        except Exception:  # a damaged value raises what its bytes provoke; it is not taken over
            continue
        if element is not None:
            found.append(element)
    return found


def _element(source: Dataset, keyword: str) -> DataElement | None:
    """A copy of one attribute with its texts decoded; None if it has no value or is of another kind than it should."""
    if keyword not in source or source[keyword].is_empty:
        return None
    element = copy.deepcopy(source[keyword])
    if dictionary_VR(keyword) != element.VR:
        return None
    if element.VR == "SQ":
        for item in element.value:
            _decode(item)
    elif element.VR in _CHECKED_VRS:
        for value in element.value if element.VM > 1 else [element.value]:
            validate_value(element.VR, str(value), RAISE)
    return element


def _decode(item: Dataset) -> None:
    """Decode the texts of a sequence item by its own character set, which it then no longer names."""
    for element in item:  # pydicom decodes an element when it is read
        for nested in element.value if element.VR == "SQ" else ():
            _decode(nested)
    if "SpecificCharacterSet" in item:
        del item.SpecificCharacterSet


def source_moment(source: Dataset) -> tuple[str, str]:
    """When the source was taken: its acquisition, else content, series or study date, each with its own time.

    Args:
        source: header of the object that something is derived from.

    Returns:
        DICOM date (DA) and time (TM); empty where the source has none that can be read.
    """
    for date_keyword, time_keyword in _MOMENTS:
        date = _valid(source, date_keyword, DA)
        if date:
            return date, _valid(source, time_keyword, TM)
    return "", ""


def _valid(source: Dataset, keyword: str, kind: type[DA] | type[TM]) -> str:
    """A date or time of the source; empty if absent or not in DICOM's form."""
    with quiet():
        try:
            text = str(source.get(keyword) or "").strip()
            return text if text and kind(text) is not None else ""
        except Exception:  # as above
            return ""


def require_study(source: Dataset, name: str) -> Dataset:
    """A source's header, if something can be added to its study.

    Args:
        source: header of the object that something is derived from.
        name: how messages call it, never patient data.

    Raises:
        InputRefused: it has no Study Instance UID.
    """
    if not source.get("StudyInstanceUID"):
        raise InputRefused(name, "needs a Study Instance UID, which its result must share", "none")
    return source


def anonymous_source(content: bytes) -> Dataset:
    """Stand-in for the header of a picture that has none (PNG, JPEG): patient and study without a person.

    Args:
        content: what the picture is recognised by, e.g. its file's bytes; equal content gives equal UIDs.

    Returns:
        A dataset with Patient ID ``ANONYMOUS``, no name, no dates, and UIDs derived from the content. It has no SOP
        Class UID, which tells that there is no instance to refer to.
    """
    source = Dataset()
    source.SpecificCharacterSet = CHARACTER_SET
    source.PatientID = "ANONYMOUS"
    source.StudyInstanceUID = deterministic_uid("study of a picture", content)
    source.SOPInstanceUID = deterministic_uid("picture", content)
    source.StudyDescription = "Picture without DICOM header"
    return source
