"""Whether a volume shows cysts, chondrocalcinosis and attrition, and how strongly a method's features act.

Wang 2024a (Table III) claims that features make lesions appear that the radiograph does not show. The reading of
lesions uses the volume alone and decides for each feature of ``LESION_FEATURES`` whether its lesion is there. Contrast
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
    """Size of each lesion that the segmenter saw in a volume: feature of ``LESION_FEATURES`` to cubic mm.

    A voxel belongs to the lesion that is its most probable part, and to the compartment on its side of the midline.
    """
    most_probable = reading.parts.argmax(axis=0)  # [S,H,W]
    voxel = float(np.prod(SPACING_MM))
    return {
        stem: voxel * float((most_probable[..., SIDES[stem[-1]] * reading.crop.x > 0] == PART_OF_LESION[stem]).sum())
        for stem in LESION_FEATURES
    }


def shown_lesions(reading: JointReading) -> dict[str, bool]:
    """Feature of ``LESION_FEATURES`` to whether its lesion is at least as large as a threshold.

    The thresholds come with the package; they were chosen on the validation range of the simulator
    (:mod:`~monai_xray2mri.knee.measures.lesion_report`).

    Raises:
        WeightsError: the thresholds are missing or damaged.
    """
    limits = shipped_thresholds()
    return {stem: size >= limits[PART_OF_LESION[stem]] for stem, size in lesion_volumes(reading).items()}


def detect_lesions(volume: np.ndarray, affine: np.ndarray) -> dict[str, bool]:
    """Feature of ``LESION_FEATURES`` to whether a volume shows its lesion.

    Args:
        volume: [S,H,W] of intensities 0 to 1 at OAI's spacing, slice 0 posterior.
        affine: [4,4] maps (column, row, slice) to LPS mm, origin near the joint's centre.

    Raises:
        ValueError: the affine turns the axes, the spacing is another, or the volume misses the joint.
        WeightsError: segmenter or thresholds are missing or damaged.
    """
    return shown_lesions(read_volume(volume, affine))


@cache
def shipped_thresholds() -> dict[Part, float]:
    """Part to the least volume in cubic mm that counts as a lesion.

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
    """The size at which the lower one of sensitivity and specificity is highest; the middle of equally good sizes.

    Raises:
        ValueError: lesions or their absence are missing among the examples.
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
    """Mean change of intensity within a lesion when its feature is switched from absent to present.

    Cysts and attrition brighten, chondrocalcinosis darkens: the sign tells whether the change is the right one.

    Args:
        present: [S,H,W] volume with the feature.
        absent: the same shape, everything else equal (same noise, same radiograph).
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

    sum(generated change x true change) / sum(true change^2): 1 is the truth, 0 no effect, below 0 the opposite.

    Args:
        generated: volumes [S,H,W] of the method (with the feature, without).
        true: the same of the simulator, best without noise.
        mask: [S,H,W] bool, the true lesion.

    Raises:
        ValueError: the shapes differ, or nothing truly changes within the mask.
    """
    for volume in (*generated, *true):
        check_pair(volume, mask)
    change, expected = (one[mask].astype(np.float64) - other[mask] for one, other in (generated, true))
    energy = float(np.square(expected).sum())
    if energy == 0:
        raise ValueError("nothing truly changes within the mask")
    return float((change * expected).sum()) / energy
