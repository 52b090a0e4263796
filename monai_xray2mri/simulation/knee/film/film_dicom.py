"""A simulated film as a DICOM file: Computed Radiography (PS3.3 A.2) or Digital X-Ray For Presentation (A.26)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
)

from monai_xray2mri.dicom.uids import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    deterministic_uid,
    encoded,
)
from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.simulation.knee.film.film import SimulatedFilm
from monai_xray2mri.simulation.knee.film.film_frame import FilmFrame
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION
from monai_xray2mri.simulation.knee.xray.radiography import MAGNIFICATION, SOURCE_TO_DETECTOR_MM


def film_dataset(film: SimulatedFilm, photometric: str | None = None) -> Dataset:
    """The film as a radiograph of a clearly invented patient.

    Args:
        film: the film; its options give SOP class, bits, orientation and polarity.
        photometric: ``"MONOCHROME2"`` (bone has high values) or ``"MONOCHROME1"`` (bone has low values); None takes
            that of the options.

    Returns:
        A complete dataset with file meta information; its UIDs depend only on pixels, seed and version.
    """
    polarity = photometric or film.options.photometric
    highest = 2**film.options.bits - 1
    stored = np.round(film.pixels * highest).astype(np.uint16)
    if polarity == "MONOCHROME1":
        stored = highest - stored
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    dataset.file_meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    _describe_patient_and_study(dataset, film.seed)
    _describe_series(dataset, film)
    _describe_image(dataset, film, stored, polarity)
    if film.options.modality == "DX":
        _describe_digital_image(dataset, polarity)
    return dataset


def write_film(path: Path, film: SimulatedFilm, photometric: str | None = None) -> Dataset:
    """Write the film as a DICOM file.

    Args:
        path: the file; it is written whole or not at all.
        film: the film.
        photometric: as for :func:`film_dataset`.

    Returns:
        The dataset that was written.

    Raises:
        UsageError: the file cannot be written.
    """
    dataset = film_dataset(film, photometric)
    write_whole(path, encoded(dataset))
    return dataset


def _describe_patient_and_study(dataset: Dataset, seed: int) -> None:
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = "Simulated^Patient"
    dataset.PatientID = f"SIM{seed:07d}"
    dataset.PatientBirthDate = ""
    dataset.PatientSex = "O"
    dataset.PatientAge = "062Y"
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "Simulated; no person"
    dataset.StudyInstanceUID = deterministic_uid("simulated study", SIMULATOR_VERSION, seed)
    dataset.StudyDate, dataset.StudyTime = "20260101", "100000"
    dataset.StudyID = "1"
    dataset.AccessionNumber = f"0166{seed:08d}"
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = "Simulated knee examination"


def _describe_series(dataset: Dataset, film: SimulatedFilm) -> None:
    dataset.Modality = film.options.modality
    dataset.SeriesInstanceUID = deterministic_uid("simulated film series", SIMULATOR_VERSION, film.seed)
    dataset.SeriesNumber = 1
    dataset.SeriesDate, dataset.SeriesTime = dataset.StudyDate, dataset.StudyTime
    dataset.SeriesDescription = "Bilateral PA Fixed Flexion Knee"
    dataset.BodyPartExamined = "KNEE"
    dataset.ViewPosition = "PA"
    dataset.Manufacturer = "monai_xray2mri"
    dataset.ManufacturerModelName = "simulator"
    dataset.SoftwareVersions = SIMULATOR_VERSION


def _describe_image(dataset: Dataset, film: SimulatedFilm, stored: np.ndarray, polarity: str) -> None:
    options = film.options
    dataset.SOPClassUID = (
        DigitalXRayImageStorageForPresentation if options.modality == "DX" else ComputedRadiographyImageStorage
    )
    dataset.SOPInstanceUID = deterministic_uid("simulated film", stored, polarity, dataset.StudyInstanceUID)
    dataset.SyntheticData = "YES"
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.InstanceNumber = 1
    dataset.AcquisitionDate, dataset.AcquisitionTime = dataset.StudyDate, dataset.StudyTime
    dataset.ContentDate, dataset.ContentTime = dataset.StudyDate, dataset.StudyTime
    dataset.ImageComments = "Simulated radiograph of no real person. Not for clinical use."
    dataset.ImageLaterality = "B"
    # Type 2C: empty if unknown.
    dataset.PatientOrientation = list(FilmFrame.of(options).orientation) if options.orientation_told else []
    dataset.ImagerPixelSpacing = [options.pixel_mm, options.pixel_mm]
    dataset.DistanceSourceToDetector = SOURCE_TO_DETECTOR_MM
    dataset.EstimatedRadiographicMagnificationFactor = MAGNIFICATION
    dataset.BurnedInAnnotation = "NO"  # means text that identifies the patient
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = polarity
    dataset.Rows, dataset.Columns = stored.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, options.bits, options.bits - 1
    dataset.PixelRepresentation = 0
    dataset.WindowCenter, dataset.WindowWidth = 2 ** (options.bits - 1), 2**options.bits
    dataset.PixelData = stored.astype("<u2").tobytes()


def _describe_digital_image(dataset: Dataset, polarity: str) -> None:
    """What Digital X-Ray adds (PS3.3 C.8.11): intent, intensity relationship, region, detector and context."""
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", ""]
    dataset.PixelIntensityRelationship = "LOG"
    # +1: a higher dose has higher values, as in an image with dark bone.
    dataset.PixelIntensityRelationshipSign = 1 if polarity == "MONOCHROME1" else -1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "US"
    dataset.PresentationLUTShape = "INVERSE" if polarity == "MONOCHROME1" else "IDENTITY"
    dataset.LossyImageCompression = "00"
    dataset.DetectorType = "SCINTILLATOR"
    dataset.PositionerType = "NONE"
    dataset.AcquisitionContextSequence = []
    region = Dataset()
    region.CodeValue, region.CodingSchemeDesignator, region.CodeMeaning = "72696002", "SCT", "Knee"
    dataset.AnatomicRegionSequence = [region]
