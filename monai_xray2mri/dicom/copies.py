"""Studies that are copies of one, with people and UIDs of their own: what trials of many studies are made of."""

from __future__ import annotations

import copy

from pydicom import Dataset

from monai_xray2mri.dicom.uids import deterministic_uid


def as_other_study(dataset: Dataset, patient: str, study_uid: str, name: str) -> Dataset:
    """An image as another patient's, in another study.

    Args:
        dataset: with file meta information; it stays as it is.
        patient: Patient ID, and the first part of the name.
        study_uid: Study Instance UID.
        name: of the image in its study; UIDs of series and instance follow from it.
    """
    other = copy.deepcopy(dataset)
    other.PatientID, other.PatientName = patient, f"{patient}^Copy"
    other.StudyInstanceUID = study_uid
    other.SeriesInstanceUID = deterministic_uid(study_uid, name, "series")
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = deterministic_uid(study_uid, name)
    return other
