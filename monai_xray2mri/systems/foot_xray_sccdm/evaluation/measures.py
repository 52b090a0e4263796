"""How near a generated radiograph is to the true one: intensities, look, keypoints and angles."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Final

import numpy as np
import torch

from monai_xray2mri.evaluation.filter_bank import filter_levels, filter_moments
from monai_xray2mri.evaluation.metrics import mean_absolute_error, psnr
from monai_xray2mri.evaluation.perceptual import PerceptualDistance
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.structure import ssim_map
from monai_xray2mri.simulation.foot.truth import HVA_LIMITS, IMA_LIMITS, severity
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.cases import FootCase
from monai_xray2mri.systems.foot_xray_sccdm.keypoints import Keypoints, keypoint_completeness

Finder = Callable[[np.ndarray], Keypoints]
"""Radiograph [S,S] in [0,1] to its keypoints."""

IMAGE_MEASURES: Final = {
    "ssim": "SSIM",
    "psnr": "PSNR dB",
    "mae": "MAE",
    "psnr_foot": "PSNR dB in the foot",
    "perceptual": "perceptual distance",
}
FOOT_MEASURES: Final = {
    "psnr": "PSNR dB",
    "ssim": "SSIM",
    "kcc": "KCC",
    "keypoint_mm": "keypoints, mm",
    "hva_error": "HVA error, degrees",
    "ima_error": "IMA error, degrees",
}
"""What is told where conditions of one method are compared."""
OWN_FEATURES: Final = PerceptualDistance(filter_levels)
"""The distance on the features of the filter bank."""
ANGLES: Final = {"hva": ("hallux valgus", HVA_LIMITS), "ima": ("intermetatarsal", IMA_LIMITS)}
"""Angle in rows to its name and the limits of its grades."""
_DIGITS: Final = 4


class FootRuler:
    """The truth of a case, and what a radiograph is measured against it.

    Intensities lie in [0,1]; the range is 1 (the released code has two other ranges). Angles are read by the keypoint
    finder in true and generated radiographs alike; errors count from the truth of the simulation.

    Args:
        case: the case.
        find: the keypoint finder.
        look: perceptual distance.
    """

    def __init__(self, case: FootCase, find: Finder, look: PerceptualDistance | None = None) -> None:
        self.case, self.find, self.look = case, find, look or OWN_FEATURES

    @cached_property
    def foot(self) -> np.ndarray:
        """[S,S] bool where the photograph or the true radiograph shows the foot."""
        return np.asarray((self.case.photograph > 0) | (self.case.radiograph > 0))

    def measure(self, prediction: np.ndarray) -> Row:
        """All measures of a radiograph [S,S], features of its look included."""
        return self.intensities(prediction) | self.reading(prediction) | features_row(prediction)

    def intensities(self, prediction: np.ndarray) -> Row:
        """SSIM, PSNR, MAE, perceptual distance."""
        truth, inside = self.case.radiograph, self.foot
        return {
            "ssim": float(ssim_map(prediction, truth, 1.0).mean()),
            "psnr": psnr(prediction, truth, 1.0),
            "mae": mean_absolute_error(prediction, truth),
            "psnr_foot": psnr(prediction[inside], truth[inside], 1.0) if inside.any() else None,
            "perceptual": self.look.per_slice(prediction[None], truth[None]),
        }

    def reading(self, radiograph: np.ndarray) -> Row:
        """KCC, and where the truth is known the errors of keypoints and angles."""
        found, truth = self.find(radiograph), self.case.truth
        row: Row = {"kcc": keypoint_completeness(found.confidence)} | self.angles(*found.angles)
        if truth is None:
            return row
        distance = np.linalg.norm(found.points - truth.keypoints, axis=1) * truth.pixel_mm
        row |= {"keypoints_mm": [round(float(each), _DIGITS) for each in distance]}
        return row | {"keypoint_mm": float(np.median(distance))}

    def angles(self, valgus: float, spread: float) -> Row:
        """Hallux valgus and intermetatarsal angle, and their errors where the truth is known."""
        row: Row = {"hva": valgus, "ima": spread}
        if (truth := self.case.truth) is not None:
            for name, true in (("hva", truth.hallux_valgus), ("ima", truth.intermetatarsal)):
                row |= {f"{name}_true": true, f"{name}_error": abs(row[name] - true)}
        return row


def features_row(picture: np.ndarray) -> Row:
    """Features of the look of a picture [S,S], ``moments``, from which sets of pictures are compared.

    Means over a grid of cells would not do: beside the foot cells hardly vary, and nothing can be standardized by them.
    """
    return {"moments": [float(f"{x:.4g}") for x in filter_moments(picture[None])[0]]}


def grade(angle: float, name: str) -> int:
    """Severity 0 to 3 of an angle ``"hva"`` or ``"ima"``."""
    return severity(angle, ANGLES[name][1])


def high_frequencies(picture: np.ndarray, mask: np.ndarray) -> float:
    """Mean power of what a Gaussian blur of one pixel takes away, within a mask [S,S]."""
    image = torch.from_numpy(np.ascontiguousarray(picture, np.float32))[None, None]
    kernel = torch.exp(-0.5 * torch.arange(-3, 4, dtype=torch.float32) ** 2)
    kernel = kernel / kernel.sum()
    padded = torch.nn.functional.pad(image, (3, 3, 3, 3), mode="replicate")
    smooth = torch.nn.functional.conv2d(padded, kernel.view(1, 1, 1, -1))
    smooth = torch.nn.functional.conv2d(smooth, kernel.view(1, 1, -1, 1))
    rest = (image - smooth)[0, 0].numpy()
    return float(np.square(rest[mask]).mean()) if mask.any() else float("nan")


def bone_edges(picture: np.ndarray, bones: np.ndarray) -> float:
    """Mean length of the gradient, per pixel, on the outline of the true bones [S,S]."""
    rows, columns = np.gradient(picture.astype(np.float64))
    inner = bones.copy()
    inner[1:] &= bones[:-1]
    inner[:-1] &= bones[1:]
    inner[:, 1:] &= bones[:, :-1]
    inner[:, :-1] &= bones[:, 1:]
    edge = bones & ~inner
    return float(np.hypot(rows, columns)[edge].mean()) if edge.any() else float("nan")
