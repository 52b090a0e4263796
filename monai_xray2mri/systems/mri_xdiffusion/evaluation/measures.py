"""How near a generated volume is to the true one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np

from monai_xray2mri.evaluation.metrics import adjacent_slice_correlation, psnr
from monai_xray2mri.evaluation.perceptual import PerceptualDistance
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.structure import ssim_per_slice
from monai_xray2mri.runtime.optional import optional_library
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import VolumeCase

PLANES: Final = ("slices", "rows", "columns")
_OBJECT: Final = 0.1
"""Intensity from which a smoothed voxel belongs to the object."""

MEASURES: Final = {
    "psnr": "PSNR dB (Eq. 4: max(x))",
    "psnr_range": "PSNR dB (range 1)",
    "psnr_object": "PSNR dB inside the object",
}
MEAN_OF_SAMPLES: Final = "psnr_mean8"
"""PSNR of the mean of several samples of a volume (Eq. 4)."""
SHAPES: Final = {
    **{f"ssim_{plane}": f"SSIM along {plane}" for plane in PLANES},
    "lpips": "perceptual distance along slices",
    **{f"correlation_{plane}": f"adjacent-slice correlation along {plane}" for plane in PLANES},
}


def object_mask(volume: np.ndarray) -> np.ndarray:
    """The voxels of the object in a volume [S,H,W], bool: bright after smoothing, holes of each slice filled.

    Raises:
        UsageError: SciPy is not installed.
    """
    ndimage = optional_library("scipy.ndimage")
    bright = ndimage.gaussian_filter(volume, 1.0) > _OBJECT
    return np.stack([ndimage.binary_fill_holes(plane) for plane in bright])


class VolumeRuler:
    """The truth of a case; only what was acquired counts.

    X-Diffusion's Eq. 4 divides by the largest true intensity, its Eq. 5 (SSIM) is a sum where Wang et al. 2004 have a
    product; SSIM here is that of Wang et al.

    Args:
        case: the case.
        stride: SSIM and perceptual distance look at every stride-th section.
        perceptual: distance of slices; None: it is not measured.
    """

    def __init__(self, case: VolumeCase, stride: int = 1, perceptual: PerceptualDistance | None = None) -> None:
        self.case, self.stride, self.perceptual = case, stride, perceptual
        self.truth = case.voxels[case.box]

    @cached_property
    def object(self) -> np.ndarray:
        """The voxels of the object, see :func:`object_mask`."""
        return object_mask(self.truth)

    def intensities(self, prediction: np.ndarray) -> Row:
        """PSNR of a volume [D,D,D] three ways."""
        found, inside = prediction[self.case.box], self.object
        highest = float(self.truth.max())
        return {
            "psnr": psnr(found, self.truth, highest),
            "psnr_range": psnr(found, self.truth, 1.0),
            "psnr_object": psnr(found[inside], self.truth[inside], highest) if inside.any() else None,
        }

    def mean_of(self, samples: np.ndarray) -> Row:
        """PSNR of the mean of samples [N,D,D,D]; nothing where there is one alone."""
        if len(samples) < 2:
            return {}
        return {MEAN_OF_SAMPLES: self.intensities(samples.mean(axis=0))["psnr"]}

    def measure(self, prediction: np.ndarray) -> Row:
        """All measures of a volume [D,D,D]; the correlations' ceiling is that of :meth:`truth_row`."""
        row = self.intensities(prediction) | self._shapes(prediction[self.case.box])
        if self.perceptual is not None:
            pair = (self._whole_slices(volume) for volume in (prediction, self.case.voxels))
            row["lpips"] = self.perceptual.per_slice(*pair)
        return row

    def _whole_slices(self, volume: np.ndarray) -> np.ndarray:
        """Every stride-th acquired slice [S,D,D], 0 beyond what was acquired: networks take whole slices."""
        along, rows, columns = self.case.box
        kept = np.zeros((along.stop - along.start, *volume.shape[1:]), np.float32)
        kept[:, rows, columns] = volume[along, rows, columns]
        return kept[self.stride // 2 :: self.stride]

    def truth_row(self) -> Row:
        """The same measures of the truth, as far as they mean anything."""
        return self._correlations(self.truth)

    def _shapes(self, found: np.ndarray) -> Row:
        row: Row = {}
        for axis, name in enumerate(PLANES):
            one, other = (np.moveaxis(each, axis, 0)[self.stride // 2 :: self.stride] for each in (found, self.truth))
            row[f"ssim_{name}"] = ssim_per_slice(one, other, 1.0)
        return row | self._correlations(found)

    def _correlations(self, found: np.ndarray) -> Row:
        """Of the slices that the object reaches: beyond it nothing correlates with nothing."""
        row: Row = {}
        for axis, name in enumerate(PLANES):
            others = tuple(other for other in range(3) if other != axis)
            reached = np.flatnonzero(self.object.any(axis=others))
            if len(reached) > 1:
                slices = np.moveaxis(found, axis, 0)[reached[0] : reached[-1] + 1]
                row[f"correlation_{name}"] = adjacent_slice_correlation(slices)
        return row


def error_by_distance(prediction: np.ndarray, case: VolumeCase, index: int, axis: int = 0) -> list[float]:
    """Mean squared error of each section along an axis, by distance from section ``index`` in voxels (Fig. XV).

    Both sides are averaged; distances end where no side reaches.
    """
    difference = np.square(prediction[case.box] - case.voxels[case.box])
    errors = np.moveaxis(difference, axis, 0).mean(axis=(1, 2))
    at = index - case.box[axis].start
    reach = max(at, len(errors) - 1 - at)
    sides: Sequence[Sequence[float]] = [
        [float(errors[place]) for place in {at - step, at + step} if 0 <= place < len(errors)]
        for step in range(reach + 1)
    ]
    return [float(np.mean(values)) for values in sides]
