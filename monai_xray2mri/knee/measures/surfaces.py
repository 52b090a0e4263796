"""Joint surfaces of femur and tibia, from a volume alone or from a label map.

A surface is a height over a grid of (y, x) in each compartment. Joint space and region are measured on surfaces, so
true, acquired and generated volumes are measured in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from monai_xray2mri.knee.measures.crop import SIDES, JointCrop, joint_crop
from monai_xray2mri.knee.measures.parts import Part, part_labels
from monai_xray2mri.knee.measures.segmentation import JointSegmenter, part_probabilities

_LEAST_CONTRAST = 0.15
"""Least difference of the 95th and 5th percentile of a crop; with less it shows no knee. Knees have at least 0.25."""
_NEAREST_MM = 8.0
"""Half width of the notch: points nearer to the midline belong to no compartment."""


@dataclass(frozen=True)
class Surfaces:
    """Both joint surfaces of one compartment.

    Attributes:
        x: [X] positions in LPS mm.
        y: [Y] positions in LPS mm.
        femur: [Y,X] height z in mm of the femur's lower surface; NaN where there is none.
        tibia: [Y,X] height z in mm of the tibia's upper surface; NaN where there is none.
    """

    x: np.ndarray
    y: np.ndarray
    femur: np.ndarray
    tibia: np.ndarray


@dataclass(frozen=True)
class JointReading:
    """Segmentation and joint surfaces of one volume; all measures use it.

    Attributes:
        crop: the part of the volume around the joint.
        parts: [8,S,64,128] probability of each :class:`~.parts.Part`; 0 or 1 if read from labels.
        surfaces: ``"M"`` and ``"L"`` to the joint surfaces.
    """

    crop: JointCrop
    parts: np.ndarray
    surfaces: dict[str, Surfaces]


def read_volume(volume: np.ndarray, affine: np.ndarray, network: JointSegmenter | None = None) -> JointReading:
    """Read the joint of a volume with a segmenter.

    Args:
        volume: [S,H,W] of intensities 0 to 1 at OAI's spacing, slice 0 posterior.
        affine: [4,4], maps (column, row, slice) to LPS mm, origin near the joint's center.
        network: the segmenter; None takes the shipped one.

    Raises:
        ValueError: the affine rotates the axes, the spacing is not OAI's, or the volume does not reach the joint.
        WeightsError: the segmenter's weights are missing or damaged.
    """
    crop = joint_crop(volume, affine)
    if np.subtract(*np.percentile(crop.values, (95, 5))) < _LEAST_CONTRAST:
        parts = np.zeros((len(Part), *crop.values.shape), np.float32)
        parts[Part.OTHER] = 1.0
    else:
        parts = part_probabilities(crop, network)
    return JointReading(crop, parts, joint_surfaces(crop, parts))


def read_labels(labels: np.ndarray, affine: np.ndarray) -> JointReading:
    """Read the joint of a label map, without lesions.

    Args:
        labels: [S,H,W] of :class:`~monai_xray2mri.simulation.knee.mri.mr.Tissue`, at OAI's spacing.
        affine: [4,4], maps (column, row, slice) to LPS mm, origin near the joint's center.

    Raises:
        ValueError: as :func:`read_volume`.
        UsageError: SciPy is not installed.
    """
    crop = joint_crop(labels, affine)
    parts = np.stack([part_labels(crop.values) == part for part in Part]).astype(np.float32)
    return JointReading(crop, parts, joint_surfaces(crop, parts))


def joint_surfaces(crop: JointCrop, parts: np.ndarray) -> dict[str, Surfaces]:
    """The lower surface of the femur and the upper surface of the tibia, by compartment.

    In each column the femur ends where its probability last falls below one half, and the tibia begins where its
    probability first rises above it. Heights are interpolated between rows; from labels they are borders of voxels. A
    column without femur or tibia, or with the tibia above the femur, has no surface.

    Args:
        crop: crop of the probabilities.
        parts: [8,S,H,W] probabilities.
    """
    femur, tibia = bone_probabilities(parts)
    rows = femur.shape[1] - 1
    lower = rows - _first_crossing(femur[:, ::-1])  # in rows from the top
    upper = _first_crossing(tibia)
    wrong = lower > upper + 1
    lower[wrong] = upper[wrong] = np.nan
    step = crop.z[0] - crop.z[1]
    found = {}
    for side, sign in SIDES.items():
        columns = np.flatnonzero(sign * crop.x >= _NEAREST_MM)
        heights = [crop.z[0] - step * each[:, columns] for each in (lower, upper)]
        found[side] = Surfaces(crop.x[columns], crop.y, *heights)
    return found


def bone_probabilities(parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probability [S,H,W] of the femur and of the tibia, each with its cysts.

    Outside the largest connected piece of a bone the probability is limited to one half.

    Args:
        parts: [8,S,H,W] probability of each :class:`~.parts.Part`.
    """
    femur = _largest_piece(parts[Part.FEMUR] + parts[Part.FEMORAL_CYST])
    return femur, _largest_piece(parts[Part.TIBIA] + parts[Part.TIBIAL_CYST])


def _largest_piece(probability: np.ndarray) -> np.ndarray:
    pieces = sitk.ConnectedComponent(sitk.GetImageFromArray((probability > 0.5).astype(np.uint8)))
    largest = sitk.GetArrayFromImage(sitk.RelabelComponent(pieces)) == 1
    return np.where(largest, probability, np.minimum(probability, 0.5))


def _first_crossing(probability: np.ndarray) -> np.ndarray:
    """Fractional row [S,W] at which [S,H,W] first rises above one half; NaN where it never does."""
    over = probability > 0.5
    row = over.argmax(axis=1)
    there = np.take_along_axis(probability, row[:, None], axis=1)[:, 0]
    before = np.take_along_axis(probability, np.maximum(row - 1, 0)[:, None], axis=1)[:, 0]
    share = np.where(row > 0, (there - 0.5) / np.maximum(there - before, 1e-6), 0.0)
    return np.where(over.any(axis=1), row - share, np.nan)


def smooth_surface(u: np.ndarray, v: np.ndarray, height: np.ndarray, order: int, rounds: int = 6) -> np.ndarray:
    """Polynomial fit of heights over (u, v) by least squares, reweighted with Tukey's biweight (4.685 sigma).

    Args:
        u: [N] first coordinate, about -1 to 1.
        v: [N] second coordinate, about -1 to 1.
        height: [N] heights in mm.
        order: highest total degree of the polynomial.
        rounds: number of reweightings.

    Returns:
        [N] values of the polynomial at (u, v) in mm.
    """
    powers = [(i, degree - i) for degree in range(order + 1) for i in range(degree + 1)]
    terms = np.stack([u**i * v**j for i, j in powers], axis=-1)
    weights, smooth = np.ones(len(height)), height
    for _ in range(rounds):
        root = np.sqrt(weights)
        smooth = terms @ np.linalg.lstsq(terms * root[:, None], height * root, rcond=None)[0]
        residual = np.abs(height - smooth)
        scatter = max(1.4826 * float(np.median(residual)), 0.1)  # lower limit of the scatter in mm
        weights = np.square(np.clip(1 - np.square(residual / (4.685 * scatter)), 0, None))
    return np.asarray(smooth)
