"""Lesions in a volume (cysts, chondrocalcinosis, attrition), and the effect of features on a synthetic volume.

Wang 2024a (Table III) claims that features make lesions appear that the radiograph does not show. The reading of
lesions uses only the volume and decides for each feature of ``LESION_FEATURES`` whether its lesion is there. Contrast
and response compare two volumes that differ only in the feature.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Final

import numpy as np

from monai_xray2mri.errors import WeightsError
from monai_xray2mri.evaluation.metrics import check_pair
from monai_xray2mri.knee.measures.crop import SIDES, SPACING_MM
from monai_xray2mri.knee.measures.parts import PART_OF_LESION, Part
from monai_xray2mri.knee.measures.surfaces import JointReading, read_volume
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES

THRESHOLDS: Final = "lesion_thresholds.json"


def lesion_volumes(reading: JointReading) -> dict[str, float]:
    """Volume in mm3 of each lesion that the segmenter finds, by feature of ``LESION_FEATURES``.

    A voxel belongs to a lesion if the lesion is its most probable part; its side of the midline gives the compartment.
    """
    most_probable = reading.parts.argmax(axis=0)  # [S,H,W]
    voxel = float(np.prod(SPACING_MM))
    return {
        stem: voxel * float((most_probable[..., SIDES[stem[-1]] * reading.crop.x > 0] == PART_OF_LESION[stem]).sum())
        for stem in LESION_FEATURES
    }


def shown_lesions(reading: JointReading) -> dict[str, bool]:
    """Whether each lesion is at least as large as its threshold, by feature of ``LESION_FEATURES``.

    The thresholds come with the package. They were chosen on the validation range of the simulator
    (:mod:`~monai_xray2mri.knee.measures.lesion_report`).

    Raises:
        WeightsError: the thresholds are missing or damaged.
    """
    limits = shipped_thresholds()
    return {stem: size >= limits[PART_OF_LESION[stem]] for stem, size in lesion_volumes(reading).items()}


def detect_lesions(volume: np.ndarray, affine: np.ndarray) -> dict[str, bool]:
    """Whether a volume shows each lesion, by feature of ``LESION_FEATURES``.

    Args:
        volume: [S,H,W] of intensities 0 to 1 at OAI's spacing, slice 0 posterior.
        affine: [4,4], maps (column, row, slice) to LPS mm, origin near the joint's center.

    Raises:
        ValueError: the affine rotates the axes, the spacing is not OAI's, or the volume does not reach the joint.
        WeightsError: segmenter or thresholds are missing or damaged.
    """
    return shown_lesions(read_volume(volume, affine))


@cache
def shipped_thresholds() -> dict[Part, float]:
    """The least volume in mm3 that counts as a lesion, by part.

    Raises:
        WeightsError: the file is missing or damaged.
    """
    place = resources.files("monai_xray2mri.knee.measures") / THRESHOLDS
    try:
        stored = json.loads(place.read_text())["least_volume_mm3"]
        return {part: float(stored[part.name.lower()]) for part in set(PART_OF_LESION.values())}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"thresholds {THRESHOLDS}",
            "must name a volume for each kind of lesion",
            type(error).__name__,
            "Reinstall the package.",
        ) from error


def best_threshold(sizes: Sequence[float], present: Sequence[bool]) -> float:
    """The threshold that maximizes the lower one of sensitivity and specificity; the middle of equally good ones.

    Args:
        sizes: size of the lesion in each example.
        present: whether the example truly has the lesion.

    Raises:
        ValueError: all examples or none have the lesion.
    """
    values, truth = np.asarray(sizes, dtype=float), np.asarray(present, dtype=bool)
    if truth.all() or not truth.any():
        raise ValueError("needs examples with and without the lesion")
    edges = np.unique(values)
    candidates = np.concatenate([[edges[0]], (edges[1:] + edges[:-1]) / 2, [edges[-1] + 1.0]])
    over = values[:, None] >= candidates
    worst = np.minimum(over[truth].mean(axis=0), (~over[~truth]).mean(axis=0))
    best = candidates[worst == worst.max()]
    return float((best[0] + best[-1]) / 2) if len(best) % 2 == 0 else float(best[len(best) // 2])


def lesion_contrast(present: np.ndarray, absent: np.ndarray, mask: np.ndarray) -> float:
    """Mean change of intensity within a lesion when its feature changes from absent to present.

    The sign shows whether the change is right: cysts and attrition are bright, chondrocalcinosis is dark.

    Args:
        present: [S,H,W] volume with the feature.
        absent: [S,H,W] volume without it, with the same noise and radiograph.
        mask: [S,H,W] bool, the true lesion.

    Raises:
        ValueError: the shapes differ or the mask is empty.
    """
    check_pair(present, absent)
    check_pair(present, mask)
    if not mask.any():
        raise ValueError("the mask must hold a voxel at least")
    return float((present[mask].astype(np.float64) - absent[mask]).mean())


def lesion_response(
    generated: tuple[np.ndarray, np.ndarray], true: tuple[np.ndarray, np.ndarray], mask: np.ndarray
) -> float:
    """Share of the true effect of a feature that a method shows within the lesion: a least-squares slope.

    sum(generated change x true change) / sum(true change^2) is 1 for the true effect, 0 for no effect, and negative
    for the opposite effect.

    Args:
        generated: volumes [S,H,W] of the method, with and without the feature.
        true: volumes [S,H,W] of the simulator, with and without the feature, preferably without noise.
        mask: [S,H,W] bool, the true lesion.

    Raises:
        ValueError: the shapes differ, or the true volumes are equal within the mask.
    """
    for volume in (*generated, *true):
        check_pair(volume, mask)
    change, expected = (one[mask].astype(np.float64) - other[mask] for one, other in (generated, true))
    energy = float(np.square(expected).sum())
    if energy == 0:
        raise ValueError("nothing truly changes within the mask")
    return float((change * expected).sum()) / energy
