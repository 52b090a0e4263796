"""Bilateral film of a simulated patient, as CR DICOM: 43 x 35 cm, both knees, collimation, a side marker.

The right knee is the one of :func:`~monai_xray2mri.simulation.knee.simulate_knee`; the left has the same shape,
mirrored, and its own gradings and lesions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian
from torch import Tensor

from monai_xray2mri.dicom.files import write_whole
from monai_xray2mri.dicom.uids import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    deterministic_uid,
    encoded,
)
from monai_xray2mri.simulation import radiography
from monai_xray2mri.simulation.knee import draw_patient_knee
from monai_xray2mri.simulation.pathology import Pathology
from monai_xray2mri.simulation.radiography import JOINT_ROW, MAGNIFICATION, REGION_MM, Detector
from monai_xray2mri.simulation.seeds import SEED_RANGES, SIMULATOR_VERSION, knee_generator, seed_range_name
from monai_xray2mri.simulation.shape import KneeShape
from monai_xray2mri.simulation.threads import one_thread
from monai_xray2mri.types import Box, Side

ROWS: Final = 1166
COLUMNS: Final = 1432
PIXEL_MM: Final = 0.3
"""At the detector, as Imager Pixel Spacing has it."""
BITS: Final = 12
_HALF: Final = COLUMNS // 2
_KNEE_FROM_MIDDLE_MM: Final = 104.0
_MARKER_PIXELS: Final = 6
_LETTER_R: Final = ("11110", "10001", "10001", "11110", "10100", "10010", "10001")


@dataclass(frozen=True)
class SimulatedFilm:
    """A bilateral film with its truth.

    Attributes:
        pixels: [1166,1432] float32 in [0,1], bone bright, the patient's right at the image's left; 0.3 mm.
        boxes: side to the square around the joint that a perfect detector finds.
        grades: side to the 19 grades.
        seed: the patient's seed.
        version: version of the simulator.
    """

    pixels: np.ndarray
    boxes: Mapping[Side, Box]
    grades: Mapping[Side, Mapping[str, int]]
    seed: int
    version: str = SIMULATOR_VERSION


@one_thread()
def simulate_film(
    seed: int, grades: Mapping[Side, Mapping[str, int]] | None = None, visibility: float = 0.5
) -> SimulatedFilm:
    """Simulate the film of a patient.

    Args:
        seed: the patient's seed, which is the right knee's.
        grades: side to grades that replace the drawn ones.
        visibility: how far cysts, chondrocalcinosis and attrition show, 0 to 1.

    Raises:
        InputRefused: as :func:`~monai_xray2mri.simulation.knee.simulate_knee`.
    """
    knees = {side: _knee_of(seed, side, (grades or {}).get(side)) for side in Side}
    generator = knee_generator(seed, "bilateral film")
    exposure = replace(radiography.draw_exposure(generator), contrast=0.24)
    joint_row = ROWS / 2 + float(torch.randn((), generator=generator).clamp(-2, 2)) * 8.0 / PIXEL_MM
    halves, boxes = [], {}
    for side, (shape, pathology) in knees.items():
        column = _HALF - (_KNEE_FROM_MIDDLE_MM + 4.0 * float(torch.randn((), generator=generator))) / PIXEL_MM
        pose = radiography.draw_pose(shape, generator)
        texture = knee_generator(_own_seed(seed, side), "trabeculae")
        visible = replace(pathology, scale=visibility)
        half = radiography.attenuation(shape, visible, pose, _half_detector(joint_row, column), texture)
        # The left knee is a right knee in the mirror.
        halves.append(half if side is Side.RIGHT else half.flip(1))
        boxes[side] = _joint_box(joint_row, column if side is Side.RIGHT else COLUMNS - column)
    total = torch.cat(halves, 1)
    reference = _reference(total, boxes)
    image = radiography.exposed(total, exposure, reference, PIXEL_MM / MAGNIFICATION, generator)
    pixels = _collimated(_marked(image), generator).numpy()
    return SimulatedFilm(pixels, boxes, {side: dict(knee[1].grades) for side, knee in knees.items()}, seed)


def film_dataset(film: SimulatedFilm, photometric: str = "MONOCHROME2") -> Dataset:
    """The film as a Computed Radiography image (PS3.3 A.2) of a clearly invented patient.

    Args:
        film: the film.
        photometric: ``"MONOCHROME2"`` (bone has high values) or ``"MONOCHROME1"`` (bone has low values).

    Returns:
        A complete dataset with file meta information; its UIDs depend on the pixels, seed and version alone.
    """
    highest = 2**BITS - 1
    stored = np.round(film.pixels * highest).astype(np.uint16)
    if photometric == "MONOCHROME1":
        stored = highest - stored
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    dataset.file_meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    _describe_patient_and_study(dataset, film.seed)
    _describe_series(dataset, film.seed)
    _describe_image(dataset, stored, photometric)
    return dataset


def write_film(path: Path, film: SimulatedFilm, photometric: str = "MONOCHROME2") -> Dataset:
    """Write the film as a DICOM file.

    Args:
        path: the file; it appears whole or not at all.
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


def _own_seed(seed: int, side: Side) -> int:
    """Seed of the lesions of one knee: the patient's, or its partner half a range away."""
    if side is Side.RIGHT:
        return seed
    seeds = SEED_RANGES[seed_range_name(seed)]
    return seeds.start + (seed - seeds.start + len(seeds) // 2) % len(seeds)


def _knee_of(seed: int, side: Side, grades: Mapping[str, int] | None) -> tuple[KneeShape, Pathology]:
    shape, _ = draw_patient_knee(seed)
    return shape, draw_patient_knee(_own_seed(seed, side), grades)[1]


def _half_detector(joint_row: float, column: float) -> Detector:
    """Sample points of the half film of a right knee whose joint lies at the given row and column."""
    pixel = PIXEL_MM / MAGNIFICATION
    return Detector((joint_row - torch.arange(ROWS) - 0.5) * pixel, (torch.arange(_HALF) + 0.5 - column) * pixel)


def _joint_box(joint_row: float, column: float) -> Box:
    side = REGION_MM / PIXEL_MM
    return Box(joint_row - JOINT_ROW * side, column - side / 2, side, side)


def _reference(total: Tensor, boxes: Mapping[Side, Box]) -> float:
    """Typical line integral of bone, from both joints, which sets the exposure of the one film."""
    levels = []
    for box in boxes.values():
        rows, columns = slice(int(box.top), int(box.top + box.rows)), slice(int(box.left), int(box.left + box.columns))
        levels.append(radiography.reference_attenuation(total[rows, columns]))
    return sum(levels) / len(levels)


def _marked(image: Tensor) -> Tensor:
    """Lead letter R beside the right leg."""
    letter = torch.tensor([[int(bit) for bit in row] for row in _LETTER_R], dtype=image.dtype)
    letter = letter.repeat_interleave(_MARKER_PIXELS, 0).repeat_interleave(_MARKER_PIXELS, 1)
    top, left = 190, 60
    marked = image.clone()
    place = marked[top : top + letter.shape[0], left : left + letter.shape[1]]
    place.copy_(torch.maximum(place, 0.97 * letter))
    return marked


def _collimated(image: Tensor, generator: torch.Generator) -> Tensor:
    """Black shutter outside the collimated field, as a CR reader shows it."""
    margins = torch.tensor([90.0, 18.0, 90.0, 18.0]) + 30.0 * torch.rand(4, generator=generator)
    top, left, bottom, right = margins.round().int().tolist()
    shuttered = torch.zeros_like(image)
    field = slice(top, ROWS - bottom), slice(left, COLUMNS - right)
    shuttered[field] = image[field]
    return shuttered


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


def _describe_series(dataset: Dataset, seed: int) -> None:
    dataset.Modality = "CR"
    dataset.SeriesInstanceUID = deterministic_uid("simulated film series", SIMULATOR_VERSION, seed)
    dataset.SeriesNumber = 1
    dataset.SeriesDate, dataset.SeriesTime = dataset.StudyDate, dataset.StudyTime
    dataset.SeriesDescription = "Bilateral PA Fixed Flexion Knee"
    dataset.BodyPartExamined = "KNEE"
    dataset.ViewPosition = "PA"
    dataset.Manufacturer = "monai_xray2mri"
    dataset.ManufacturerModelName = "simulator"
    dataset.SoftwareVersions = SIMULATOR_VERSION


def _describe_image(dataset: Dataset, stored: np.ndarray, photometric: str) -> None:
    dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = deterministic_uid("simulated film", stored, photometric, dataset.StudyInstanceUID)
    dataset.SyntheticData = "YES"
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.InstanceNumber = 1
    dataset.AcquisitionDate, dataset.AcquisitionTime = dataset.StudyDate, dataset.StudyTime
    dataset.ContentDate, dataset.ContentTime = dataset.StudyDate, dataset.StudyTime
    dataset.ImageComments = "Simulated radiograph of no real person. Not for clinical use."
    dataset.ImageLaterality = "B"
    dataset.PatientOrientation = ["L", "F"]
    dataset.ImagerPixelSpacing = [PIXEL_MM, PIXEL_MM]
    dataset.DistanceSourceToDetector = 1829
    dataset.EstimatedRadiographicMagnificationFactor = MAGNIFICATION
    dataset.BurnedInAnnotation = "NO"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = photometric
    dataset.Rows, dataset.Columns = stored.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, BITS, BITS - 1
    dataset.PixelRepresentation = 0
    dataset.WindowCenter, dataset.WindowWidth = 2 ** (BITS - 1), 2**BITS
    dataset.PixelData = stored.astype("<u2").tobytes()
