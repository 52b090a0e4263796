"""The MR series of a simulated participant as DICOM files with an acquisition protocol, marked as simulated.

Classic MR Image Storage (PS3.3 A.4), one file per slice, with the protocol of OAI's COR_T1_3D_FLASH_RIGHT (Peterfy et
al., Osteoarthritis Cartilage 2008;16:1433; PMC5871621 Table 1: coronal, water excitation, 160 mm field of view, 80
slices of 1.5 mm without gap, TR 20 ms, TE 7.57 ms, flip angle 12 degrees, 130 Hz per pixel, 3 T). The signal was
computed with these values. Synthetic Data (0008,001C), manufacturer and comments say that it is simulated; with
Synthetic Data, equipment and technique attributes may hold simulated values (PS3.3 C.12.1).

Files are numbered from the posterior end. OAI does not document its order; this one is inferred. An irregularity may
reverse it, so software must sort by Image Position (Patient).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from highdicom.sr import CodedConcept
from pydicom import Dataset
from pydicom.uid import MRImageStorage
from pydicom.valuerep import DSfloat

from monai_xray2mri.core.identity import fingerprint
from monai_xray2mri.dicom.mr_image import SlicePlane
from monai_xray2mri.dicom.synthetic_image import MAX_STORED, stored_pixels
from monai_xray2mri.dicom.uids import dataset_digest, deterministic_uid
from monai_xray2mri.simulation.knee.knee import SimulatedKnee
from monai_xray2mri.simulation.knee.mri import contrast, mr
from monai_xray2mri.simulation.knee.people.participants import Participant
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION
from monai_xray2mri.simulation.knee.release.header import (
    MANUFACTURER,
    MODEL,
    describe_patient,
    describe_study,
    file_meta,
)
from monai_xray2mri.simulation.knee.release.layout import MR_DESCRIPTION, mr_barcode

IMAGE_COMMENTS: Final = "SIMULATED MR image of no real person, computed from a model of the knee. Not for clinical use."
KNEE: Final = CodedConcept("72696002", "SCT", "Knee")
SERIES_NUMBER: Final = 7
BANDWIDTH_HZ: Final = 130.0
FIELD_TESLA: Final = 3.0
_PROTON_MHZ_PER_TESLA: Final = 42.577
_TIME: Final = "110000"


def mr_images(
    knee: SimulatedKnee, participant: Participant, *, matrix: int = mr.MATRIX, anterior_first: bool = False
) -> list[Dataset]:
    """The MR series of a simulated knee in the order of its files.

    Args:
        knee: the right knee; ``volume`` [80,256,256] in [0,1] is stored as ``round(4095 v)``.
        participant: the participant of the knee.
        matrix: rows and columns of the images, 256 or 512. 512 repeats every pixel 2 x 2 times, so averaging 2 x 2
            pixels gives the 256 x 256 image exactly.
        anterior_first: number the files from the anterior end instead of the posterior.

    Returns:
        One complete dataset with file meta information per slice. UIDs are a hash of the whole series.

    Raises:
        ValueError: the matrix is not a multiple of the volume's.
    """
    pixels, affine = enlarged(stored_pixels(knee.volume), knee.affine, matrix)  # [S,M,M]
    order = range(len(pixels) - 1, -1, -1) if anterior_first else range(len(pixels))
    images = []
    for number, index in enumerate(order, start=1):
        image = _common(participant)
        image.InstanceNumber = number
        _set_plane(image, SlicePlane.of_affine(affine, index))
        _set_pixels(image, pixels[index])
        images.append(image)
    digest = fingerprint(*(dataset_digest(image) for image in images))
    for image in images:
        _name(image, digest)
    return images


def enlarged(pixels: np.ndarray, affine: np.ndarray, matrix: int) -> tuple[np.ndarray, np.ndarray]:
    """Repeat pixels within the slices, and adapt the affine.

    Args:
        pixels: [S,H,H] stored values.
        affine: [4,4], maps (column, row, slice) to LPS mm.
        matrix: H or a multiple of it.

    Returns:
        [S,matrix,matrix] stored values, and the affine [4,4] of the smaller pixels.

    Raises:
        ValueError: the matrix is not a multiple of H.
    """
    factor, rest = divmod(matrix, pixels.shape[1])
    if rest or factor < 1:
        raise ValueError(f"Argument 'matrix' must be a multiple of {pixels.shape[1]}. Found {matrix}.")
    finer = affine.copy()
    finer[:3, :2] /= factor
    finer[:3, 3] -= (affine[:3, 0] + affine[:3, 1]) * (0.5 - 0.5 / factor)
    return pixels.repeat(factor, axis=1).repeat(factor, axis=2), finer


def _common(participant: Participant) -> Dataset:
    """The attributes that all slices share, without UIDs, which are set last."""
    image = Dataset()
    image.file_meta = file_meta()
    describe_patient(image, participant)
    describe_study(image, participant, "MR", mr_barcode(participant), _TIME)
    _set_series(image)
    _set_technique(image)
    return image


def _set_series(image: Dataset) -> None:
    """General Series, Equipment, Frame of Reference and the marks of simulation (PS3.3 C.7.3 to C.7.5, C.12.1)."""
    image.SOPClassUID = MRImageStorage
    image.Modality = "MR"
    image.SeriesNumber = SERIES_NUMBER
    image.SeriesDescription = image.ProtocolName = MR_DESCRIPTION
    image.BodyPartExamined = "KNEE"
    image.Laterality = "R"
    image.AnatomicRegionSequence = [KNEE]
    image.PatientPosition = "FFS"
    image.PositionReferenceIndicator = ""
    image.Manufacturer, image.ManufacturerModelName = MANUFACTURER, MODEL
    image.SoftwareVersions = SIMULATOR_VERSION
    image.SyntheticData = "YES"
    image.ImageType = ["ORIGINAL", "PRIMARY", "OTHER", "SIMULATED"]
    image.ImageComments = IMAGE_COMMENTS
    image.BurnedInAnnotation = "NO"


def _set_technique(image: Dataset) -> None:
    """MR Image (PS3.3 C.8.3.1): spoiled 3-D gradient echo. no defined term is water excitation; FS is closest."""
    image.ScanningSequence, image.SequenceVariant, image.ScanOptions = "GR", "SP", "FS"
    image.SequenceName = "simulated FLASH"
    image.MRAcquisitionType = "3D"
    image.RepetitionTime, image.EchoTime, image.FlipAngle = (
        contrast.REPETITION_MS,
        contrast.ECHO_MS,
        contrast.FLIP_DEGREES,
    )
    image.EchoTrainLength = image.EchoNumbers = image.NumberOfAverages = 1
    image.PixelBandwidth = BANDWIDTH_HZ
    image.MagneticFieldStrength = FIELD_TESLA
    image.ImagingFrequency = round(FIELD_TESLA * _PROTON_MHZ_PER_TESLA, 3)
    image.ImagedNucleus = "1H"
    image.AcquisitionMatrix = [0, mr.MATRIX, mr.MATRIX, 0]
    image.InPlanePhaseEncodingDirection = "ROW"
    image.ReconstructionDiameter = mr.MATRIX * mr.PIXEL_MM
    image.VariableFlipAngleFlag = "N"


def _set_plane(image: Dataset, plane: SlicePlane) -> None:
    """Image Plane (PS3.3 C.7.6.2)."""
    column, row, thickness = plane.spacing
    image.PixelSpacing = [_ds(row), _ds(column)]
    image.ImageOrientationPatient = [_ds(value) for value in plane.orientation]
    image.ImagePositionPatient = [_ds(value) for value in plane.position]
    image.SliceThickness = image.SpacingBetweenSlices = _ds(thickness)
    image.SliceLocation = _ds(plane.location)


def _set_pixels(image: Dataset, pixels: np.ndarray) -> None:
    """Image Pixel (PS3.3 C.7.6.3): 12 bits in 16, one scale and one window for all knees."""
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.Rows, image.Columns = pixels.shape
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    image.WindowCenter, image.WindowWidth = (MAX_STORED + 1) // 2, MAX_STORED + 1
    image.PixelData = pixels.astype("<u2").tobytes()


def _name(image: Dataset, digest: bytes) -> None:
    """UIDs from the hash of the series."""
    image.SeriesInstanceUID = deterministic_uid("release MR series", digest)
    image.FrameOfReferenceUID = deterministic_uid("release frame of reference", digest)
    image.SOPInstanceUID = deterministic_uid("release MR image", digest, int(image.InstanceNumber))
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID


def _ds(value: float) -> DSfloat:
    """A decimal string of at most 16 characters."""
    return DSfloat(value, auto_format=True)
