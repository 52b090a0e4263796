"""All measures of one knee: its truth is read once, then each prediction is compared with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.evaluation.metrics import adjacent_slice_correlation, mean_absolute_error, psnr_per_slice
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.structure import ssim_per_slice
from monai_xray2mri.knee.measures.crop import SIDES, SPACING_MM
from monai_xray2mri.knee.measures.joint_region import JointRegion, region_from_reading
from monai_xray2mri.knee.measures.joint_space import joint_space
from monai_xray2mri.knee.measures.lesions import shown_lesions
from monai_xray2mri.knee.measures.parts import Part
from monai_xray2mri.knee.measures.rssim import edge_agreement, rssim
from monai_xray2mri.knee.measures.surfaces import JointReading, read_volume
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import EvaluationKnee, joint_positions, modeled_affine
from monai_xray2mri.systems.knee_xray2mri.evaluation.continuity import depth_spectrum
from monai_xray2mri.systems.knee_xray2mri.evaluation.sobel import sobel_difference

RANGE: Final = 1.0
"""Range of intensities, for every measure that depends on it."""
LEAST_LESION_MM3: Final = 20.0
"""A graded lesion that is smaller in the truth counts as neither present nor absent."""
_DICE: Final = {"dice_femur": Part.FEMUR, "dice_tibia": Part.TIBIA, "dice_cartilage": Part.CARTILAGE}
_THICK_X_MM: Final = (14.0, 30.0)
_THICK_Y_MM: Final = 12.0
JOINT: Final = joint_positions()
"""Positions of the slices that joint space and lesions are measured in."""


@dataclass
class KneeRuler:
    """The truth of a knee, read once.

    Attributes:
        knee: the case.
    """

    knee: EvaluationKnee

    @cached_property
    def reading(self) -> JointReading:
        """What the segmenter reads in the true volume."""
        return read_volume(self.knee.volume, modeled_affine())

    @cached_property
    def region(self) -> JointRegion:
        """The region of RSSIM, of the true volume.

        Raises:
            InputRefused: the true volume shows no joint.
        """
        try:
            return region_from_reading(self.reading, self.knee.volume.shape, modeled_affine())
        except ValueError as error:
            raise InputRefused(f"true volume of knee {self.knee.name}", "must show the joint", str(error)) from error

    @cached_property
    def joint_space_mm(self) -> Mapping[str, float]:
        """True widths in mm; of a prepared knee those that are read in the true volume."""
        known = self.knee.joint_space_mm
        return joint_space(self.reading) if known is None else known

    @cached_property
    def lesions(self) -> dict[str, bool | None]:
        """Whether each lesion is truly there; None: unknown, or graded and too small to be seen."""
        return {stem: self._has(stem) for stem in LESION_FEATURES}

    def _has(self, stem: str) -> bool | None:
        grade, size = self.knee.inputs.grades.get(stem), self.knee.lesion_mm3(stem)
        if grade is None or grade == 0:
            return None if grade is None else False
        return None if size is not None and size < LEAST_LESION_MM3 else True

    def measure(self, prediction: np.ndarray) -> Row:
        """All measures of one generated volume [S,H,W] of all modelled slices (docs/evaluation/measures.md)."""
        truth = self.knee.volume
        first = JOINT[0]
        reading = read_volume(prediction[first : JOINT[-1] + 1], modeled_affine(first))
        power = depth_spectrum(prediction, SPACING_MM[0])[1]
        return {
            "psnr": psnr_per_slice(prediction, truth, RANGE),
            "mae": mean_absolute_error(prediction, truth),
            "ssim": ssim_per_slice(prediction, truth, RANGE),
            "rssim": rssim(prediction, truth, self.region, RANGE),
            "edge_agreement": edge_agreement(prediction, truth, self.region, RANGE),
            "sobel_difference": float(sobel_difference(prediction, truth).mean()),
            "adjacent_slice_correlation": adjacent_slice_correlation(prediction),
            "depth_power": [float(f"{value:.4g}") for value in power],
            **self.joint(reading),
            **self.anatomy(reading),
            **self.lesion_expression(reading),
        }

    def joint(self, reading: JointReading) -> Row:
        """Joint space of both compartments in mm, and its mean absolute error; None in place of NaN."""
        found = joint_space(reading)
        errors = [abs(found[side] - self.joint_space_mm[side]) for side in SIDES]
        row: Row = {f"joint_space_{side}": _number(found[side]) for side in SIDES}
        return row | {"joint_space_width_error_mm": _number(float(np.mean(errors)))}

    def anatomy(self, reading: JointReading) -> Row:
        """Dice of femur, tibia and cartilage with the true volume's reading, and error of the cartilage's thickness.

        Dice 1945: 2 |A and B| / (|A| + |B|) of the voxels whose most probable part it is, read by the same segmenter.
        """
        found, true = reading.parts.argmax(axis=0), self.reading.parts.argmax(axis=0)
        row: Row = {name: dice(found == part, true == part) for name, part in _DICE.items()}
        errors = [abs(one - other) for one, other in zip(*map(cartilage_mm, (reading, self.reading)), strict=True)]
        return row | {"cartilage_error_mm": float(np.mean(errors))}

    def lesion_expression(self, reading: JointReading) -> Row:
        """Share of the true lesions that the detector finds, and share of the absent lesions that it finds.

        None where the knee has no such lesion.
        """
        found = shown_lesions(reading)
        shares: Row = {}
        for name, wanted in (("lesion_expression", True), ("lesion_false_expression", False)):
            seen = [found[stem] for stem, there in self.lesions.items() if there is wanted]
            shares[name] = float(np.mean(seen)) if seen else None
        return shares


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Dice coefficient of two masks; 1 where both are empty."""
    total = int(one.sum()) + int(other.sum())
    return 2 * float((one & other).sum()) / total if total else 1.0


def cartilage_mm(reading: JointReading) -> tuple[float, float]:
    """Mean height in mm of all cartilage, femoral and tibial, over the middle of either plateau (medial, lateral).

    Cartilage alone by its most probable part, 14 to 30 mm from the midline and 12 mm to either side of the centre.
    """
    part, crop = reading.parts.argmax(axis=0), reading.crop  # [S,H,W]
    heights = SPACING_MM[1] * (part == Part.CARTILAGE).sum(axis=1)  # [S,W]
    slices = np.abs(crop.y) <= _THICK_Y_MM
    medial, lateral = (
        float(heights[slices][:, (sign * crop.x >= _THICK_X_MM[0]) & (sign * crop.x <= _THICK_X_MM[1])].mean())
        for sign in SIDES.values()
    )
    return medial, lateral


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None
