"""The film of a simulated participant with the header of OAI's films."""

from __future__ import annotations

from typing import Final

from pydicom import Dataset

from monai_xray2mri.dicom.uids import dataset_digest, deterministic_uid
from monai_xray2mri.simulation.knee.film.film import SimulatedFilm
from monai_xray2mri.simulation.knee.film.film_dicom import film_dataset
from monai_xray2mri.simulation.knee.people.oai_tables import FILM_DESCRIPTION
from monai_xray2mri.simulation.knee.people.participants import Participant
from monai_xray2mri.simulation.knee.release.header import describe_patient, describe_study
from monai_xray2mri.simulation.knee.release.oddities import ImageOddities

_TIME: Final = "100000"


def film_image(film: SimulatedFilm, participant: Participant, oddities: ImageOddities) -> Dataset:
    """The film as a DICOM radiograph of the participant; the film's options determine the SOP class.

    Args:
        film: the film.
        participant: the participant of the film; the barcode becomes the Accession Number.
        oddities: attribute of a computed radiograph's pixel spacing; digital X-rays always have Imager Pixel Spacing.

    Returns:
        A complete dataset with file meta information; UIDs are a hash of the content.
    """
    dataset = film_dataset(film)
    describe_patient(dataset, participant)
    describe_study(dataset, participant, "radiograph", participant.barcode, _TIME)
    dataset.SeriesDescription = FILM_DESCRIPTION
    if dataset.Modality == "CR":
        _move_spacing(dataset, oddities.spacing)
    for keyword in ("SeriesInstanceUID", "SOPInstanceUID"):
        delattr(dataset, keyword)
    digest = dataset_digest(dataset)
    dataset.SeriesInstanceUID = deterministic_uid("release film series", digest)
    dataset.SOPInstanceUID = deterministic_uid("release film", digest)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


def _move_spacing(dataset: Dataset, keyword: str | None) -> None:
    """Move the pixel spacing to another attribute, or remove it if ``keyword`` is None."""
    if keyword != "ImagerPixelSpacing":
        spacing = dataset.ImagerPixelSpacing
        del dataset.ImagerPixelSpacing
        if keyword is not None:
            setattr(dataset, keyword, spacing)
