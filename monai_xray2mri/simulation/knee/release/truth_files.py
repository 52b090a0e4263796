"""The truth of a participant as files: numbers as JSON, labels and lesions as segmentations for 3D Slicer.

``labels.seg.nrrd`` and ``lesions.seg.nrrd`` are compressed NRRD label maps. 3D Slicer's own keys hold names and colors
of the segments, so Slicer shows named segments over the DICOM series. Other readers of NRRD (SimpleITK, ITK-SNAP) see
a plain label map. The simulated volume runs from posterior to anterior, which is left-handed in patient space. Label
maps are stored from anterior to posterior, the order in which DICOM software sorts the series.
"""

from __future__ import annotations

import colorsys
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import SimpleITK

from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.simulation.knee.film.film import SimulatedFilm
from monai_xray2mri.simulation.knee.knee import SimulatedKnee
from monai_xray2mri.simulation.knee.mri.mr import Tissue
from monai_xray2mri.simulation.knee.people.participants import Participant
from monai_xray2mri.simulation.knee.release.display import displayed_box, displayed_point, displayed_shape
from monai_xray2mri.simulation.knee.release.layout import ParticipantPlaces
from monai_xray2mri.simulation.knee.release.oddities import ImageOddities
from monai_xray2mri.simulation.knee.release.settings import ReleaseSettings
from monai_xray2mri.types import Side

TRUTH_FILE: Final = "truth.json"
LABEL_FILE: Final = "labels.seg.nrrd"
LESION_FILE: Final = "lesions.seg.nrrd"
NOTE: Final = "Simulated knee of no real person. Not for clinical use."

TISSUE_NAMES: Final = {int(tissue): tissue.name.lower().replace("_", " ") for tissue in Tissue if tissue}
"""Label to name of the tissue; 0 (air) is left out."""
LESION_NAMES: Final = {code: feature for code, feature in enumerate(LESION_FEATURES, start=1)}
"""Code in ``SimulatedKnee.lesions`` to OAI stem of the feature."""

_GOLDEN_ANGLE: Final = 0.618034  # of the circle of hues: consecutive labels get different colors


def write_truth(
    folder: Path,
    knee: SimulatedKnee,
    film: SimulatedFilm,
    participant: Participant,
    settings: ReleaseSettings,
    where: ParticipantPlaces,
    oddities: ImageOddities,
) -> None:
    """Write the three files of truth into an existing folder.

    Args:
        folder: the folder.
        knee: the right knee.
        film: the film of both knees.
        participant: the participant.
        settings: settings of the release.
        where: folders of the images; ``truth.json`` repeats them.
        oddities: irregularities of the image files; ``truth.json`` repeats them.

    Raises:
        UsageError: a file cannot be written.
    """
    record = truth_record(knee, film, participant, settings, where, oddities)
    (folder / TRUTH_FILE).write_text(
        json.dumps(record, indent=1, ensure_ascii=False, default=vars) + "\n", encoding="utf-8"
    )
    write_segmentation(folder / LABEL_FILE, knee.labels, knee.affine, TISSUE_NAMES)
    write_segmentation(folder / LESION_FILE, knee.lesions, knee.affine, LESION_NAMES)


def truth_record(
    knee: SimulatedKnee,
    film: SimulatedFilm,
    participant: Participant,
    settings: ReleaseSettings,
    where: ParticipantPlaces,
    oddities: ImageOddities,
) -> dict[str, Any]:
    """The content of ``truth.json`` as plain values.

    ``knees`` has one entry per side (``R``, ``L``): the grades (none with a prosthesis), the metal in the knee, the box
    of the joint on the film (top, left, rows, columns), and keypoints on the film (row, column). Boxes and keypoints
    are in pixels of the film in the usual display, whose (rows, columns) are ``film.shape``.

    Only the right knee has an MR examination. Its entry also has ``truth``, the record of
    :class:`~monai_xray2mri.simulation.knee.anatomy.truth.KneeTruth`. There, lengths in mm are in the patient
    coordinates of the MR series, and pixels are those of the *joint radiograph* of ``simulate_knee``, not of the film.
    """
    knees: dict[str, Any] = {side.value: _on_film(film, side) for side in Side}
    knees[Side.RIGHT.value]["truth"] = knee.truth.as_record()
    return {
        "note": NOTE,
        "participant": participant.number,
        "seed": knee.seed,
        "split": settings.split,
        "simulator_version": knee.version,
        "visibility": settings.visibility,
        "sex": participant.sex,
        "age_years": participant.age_years,
        "bmi": participant.bmi,
        "knees": knees,
        "film": {
            "folder": where.film.as_posix(),
            "shape": displayed_shape(film.pixels.shape, film.options),
            "options": {key: value for key, value in vars(film.options).items() if key != "hardware"},
        },
        "mr": {"folder": where.mr.as_posix(), "shape": knee.volume.shape, "affine_lps_mm": knee.affine.tolist()},
        "oddities": asdict(oddities),
        "labels": TISSUE_NAMES,
        "lesions": LESION_NAMES,
    }


def _on_film(film: SimulatedFilm, side: Side) -> dict[str, Any]:
    """The truth about one knee on the film, in the usual display."""
    shape, options = film.pixels.shape, film.options
    return {
        "grades": dict(film.grades[side]),
        "hardware": film.hardware.get(side),
        "box": asdict(displayed_box(film.boxes[side], shape, options)),
        "keypoints": {
            name: displayed_point(place, shape, options) for name, place in film.keypoints.get(side, {}).items()
        },
    }


def write_segmentation(path: Path, labels: np.ndarray, affine: np.ndarray, names: Mapping[int, str]) -> None:
    """Write a label map as a segmentation for 3D Slicer.

    Args:
        path: a file whose name ends in ``.seg.nrrd``.
        labels: [S,H,W] uint8; 0 is background.
        affine: [4,4], maps (column, row, slice) to LPS mm; with a left-handed one the slices are written in reverse
            order.
        names: label to name, for every label that may occur.
    """
    if np.linalg.det(affine[:3, :3]) < 0:
        labels, affine = labels[::-1], _reversed_slices(affine, len(labels))
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(labels))
    spacing = np.linalg.norm(affine[:3, :3], axis=0)  # [3]
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetDirection((affine[:3, :3] / spacing).flatten().tolist())
    for key, value in _segment_keys(labels.shape, names).items():
        image.SetMetaData(key, value)
    SimpleITK.WriteImage(image, str(path), useCompression=True)


def _reversed_slices(affine: np.ndarray, slices: int) -> np.ndarray:
    """The affine of the volume with its slices in reverse order."""
    turned = affine.copy()
    turned[:3, 3] += (slices - 1) * affine[:3, 2]
    turned[:3, 2] *= -1
    return turned


def _segment_keys(shape: tuple[int, ...], names: Mapping[int, str]) -> dict[str, str]:
    """3D Slicer's keys of a segmentation in one shared label map (Slicer developer guide, "Segmentations")."""
    extent = " ".join(f"0 {size - 1}" for size in reversed(shape))
    keys = {
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_SourceRepresentation": "Binary labelmap",
        "Segmentation_MasterRepresentation": "Binary labelmap",  # the same before Slicer 5.2
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
    }
    for position, (label, name) in enumerate(names.items()):
        color = colorsys.hsv_to_rgb(label * _GOLDEN_ANGLE % 1.0, 0.6, 0.9)
        segment = {
            "ID": name.replace(" ", "_"),
            "Name": name,
            "LabelValue": str(label),
            "Layer": "0",
            "Extent": extent,
            "Color": " ".join(f"{part:.4f}" for part in color),
            "ColorAutoGenerated": "0",
            "NameAutoGenerated": "0",
            "Tags": "|",
        }
        keys.update({f"Segment{position}_{key}": value for key, value in segment.items()})
    return keys
