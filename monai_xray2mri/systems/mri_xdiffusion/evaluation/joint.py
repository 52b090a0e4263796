"""What the joint segmenter reads in a volume of the cube: bones, cartilage, lesions, and how the joint line lies."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import torch

from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.knee.measures.crop import SIDES, SPACING_MM
from monai_xray2mri.knee.measures.lesions import shown_lesions
from monai_xray2mri.knee.measures.parts import Part
from monai_xray2mri.knee.measures.surfaces import JointReading, read_volume
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import VolumeCase
from monai_xray2mri.systems.mri_xdiffusion.evaluation.setting import anatomy_of

REAL: Final = "true volume, in the cube"
"""The condition under which the true volume itself is read."""
PARTS: Final = {"femur": Part.FEMUR, "tibia": Part.TIBIA, "cartilage": Part.CARTILAGE}
LEAST_LESION_MM3: Final = 20.0
"""A lesion that is smaller in the truth counts as neither present nor absent."""
_VOXEL_MM3: Final = float(np.prod(SPACING_MM))


def scanner_grid(volume: np.ndarray, case: VolumeCase) -> np.ndarray:
    """A volume [D,D,D] of the cube on the scanner's grid [80,256,256], slice 0 posterior.

    Raises:
        InputRefused: the case is no simulated knee.
    """
    acquired = torch.from_numpy(np.ascontiguousarray(volume[case.box]))[None, None]
    grid = torch.nn.functional.interpolate(acquired, anatomy_of(case).lesions.shape, mode="trilinear")[0, 0]
    return np.ascontiguousarray(grid.numpy()[::-1])


def read_joint(volume: np.ndarray, case: VolumeCase) -> JointReading:
    """The segmenter's reading of a volume [D,D,D].

    Raises:
        InputRefused: the case is no simulated knee.
    """
    return read_volume(scanner_grid(volume, case), anatomy_of(case).affine)


def part_volumes_ml(reading: JointReading) -> dict[str, float]:
    """Volume of each part within the segmenter's crop, in ml."""
    parts = reading.parts.argmax(axis=0)
    return {name: float((parts == part).sum()) * _VOXEL_MM3 / 1000 for name, part in PARTS.items()}


def part_dice(reading: JointReading, true: JointReading) -> dict[str, float]:
    """Dice coefficient of each part in two readings; 1 where both are empty."""
    one, other = reading.parts.argmax(axis=0), true.parts.argmax(axis=0)
    found = {}
    for name, part in PARTS.items():
        total = int((one == part).sum()) + int((other == part).sum())
        found[name] = 2 * float(((one == part) & (other == part)).sum()) / total if total else 1.0
    return found


def joint_line_degrees(reading: JointReading) -> float:
    """Angle between the joint lines of femur and tibia in the coronal plane, positive where it opens medially; NaN.

    A joint line runs from the mean height of the lateral surface to that of the medial one. The segmenter sees 40 mm
    of the knee, so that the angle of the shafts cannot be read.
    """
    slopes = []
    for bone in ("femur", "tibia"):
        ends = {}
        for side in SIDES:
            surfaces = reading.surfaces[side]
            heights = getattr(surfaces, bone)
            known = np.isfinite(heights)
            if not known.any():
                return math.nan
            places = np.broadcast_to(surfaces.x, heights.shape)[known]
            ends[side] = float(places.mean()), float(heights[known].mean())
        (medial_x, medial_z), (lateral_x, lateral_z) = ends["M"], ends["L"]
        slopes.append(math.degrees(math.atan2(medial_z - lateral_z, medial_x - lateral_x)))
    return slopes[0] - slopes[1]


def true_lesions(case: VolumeCase) -> dict[str, bool | None]:
    """Whether each lesion is truly there; None: too small to be seen.

    Raises:
        InputRefused: the case is no simulated knee.
    """
    lesions = anatomy_of(case).lesions
    sizes = {stem: float((lesions == code).sum()) * _VOXEL_MM3 for code, stem in enumerate(LESION_FEATURES, start=1)}
    return {stem: False if size == 0 else None if size < LEAST_LESION_MM3 else True for stem, size in sizes.items()}


def lesion_row(reading: JointReading, case: VolumeCase) -> Row:
    """Share of the true lesions that are shown, and share of the absent ones that are; None: no such lesion."""
    shown, row = shown_lesions(reading), {}
    for name, wanted in (("lesions_shown", True), ("lesions_hallucinated", False)):
        seen = [shown[stem] for stem, there in true_lesions(case).items() if there is wanted]
        row[name] = float(np.mean(seen)) if seen else None
    return row
