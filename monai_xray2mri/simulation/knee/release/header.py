"""The common part of the headers of a participant's images: the invented patient, the study, the visit of the trial.

PatientID is the participant number, AccessionNumber the barcode, by which OAI's tables are joined. The visit is in the
Clinical Trial attributes (PS3.3 C.7.1.3, C.7.2.3), where public code reads it. OAI's own values of the time point are
not published; this module writes ``00m`` and ``Baseline``.
"""

from __future__ import annotations

from typing import Final

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from monai_xray2mri.dicom.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, deterministic_uid
from monai_xray2mri.simulation.knee.people.participants import Participant
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION
from monai_xray2mri.simulation.knee.release.layout import VISIT

MANUFACTURER: Final = "monai_xray2mri"
MODEL: Final = "simulator"
STUDY_DESCRIPTION: Final = "Simulated OAI visit"


def file_meta() -> FileMetaDataset:
    """File meta information (PS3.10) of a file that this package writes, without its SOP class and instance."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return meta


def describe_patient(dataset: Dataset, participant: Participant) -> None:
    """Set the Patient, Patient Study and Clinical Trial modules.

    Args:
        dataset: the dataset that is changed.
        participant: the simulated participant.
    """
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = "Simulated^Participant"
    dataset.PatientID = f"{participant.number:07d}"
    dataset.PatientBirthDate = f"{participant.birth_date:%Y%m%d}"
    dataset.PatientSex = participant.sex
    dataset.PatientSize = round(participant.height_cm / 100, 3)
    dataset.PatientWeight = round(participant.bmi * (participant.height_cm / 100) ** 2, 1)
    dataset.PatientAge = f"{participant.age_years:03d}Y"
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "Simulated; no person"
    dataset.ClinicalTrialSponsorName = "monai_xray2mri, simulated"
    dataset.ClinicalTrialProtocolID = "SIMULATED KNEES"
    dataset.ClinicalTrialSubjectID = dataset.PatientID
    for keyword in ("ClinicalTrialProtocolName", "ClinicalTrialSiteID", "ClinicalTrialSiteName"):
        setattr(dataset, keyword, "")  # type 2
    dataset.ClinicalTrialTimePointID = VISIT
    dataset.ClinicalTrialTimePointDescription = "Baseline"


def describe_study(dataset: Dataset, participant: Participant, kind: str, barcode: str, time: str) -> None:
    """Set the General Study module. Radiograph and MR have different barcodes, so they are two studies.

    Args:
        dataset: the dataset that is changed.
        participant: the simulated participant.
        kind: ``"radiograph"`` or ``"MR"``; the Study Instance UID depends on it.
        barcode: the Accession Number, twelve digits.
        time: Study Time, ``hhmmss``.
    """
    dataset.StudyInstanceUID = deterministic_uid(
        "release study", SIMULATOR_VERSION, participant.seed, participant.number, kind
    )
    dataset.StudyDate, dataset.StudyTime = f"{participant.exam_date:%Y%m%d}", time
    dataset.SeriesDate, dataset.SeriesTime = dataset.StudyDate, dataset.StudyTime
    dataset.AcquisitionDate, dataset.AcquisitionTime = dataset.StudyDate, dataset.StudyTime
    dataset.ContentDate, dataset.ContentTime = dataset.StudyDate, dataset.StudyTime
    dataset.StudyID = "1"
    dataset.AccessionNumber = barcode
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = STUDY_DESCRIPTION
