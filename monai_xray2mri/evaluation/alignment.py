"""PSNR after rigid alignment: the error that is left when the position in the field of view is forgiven.

No radiograph tells where the technician put the field of view, and a millimetre of it costs more decibels than any
difference between methods. The prediction is moved onto the truth, so that the truth is not interpolated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from monai_xray2mri.evaluation.metrics import check_pair, psnr

LIMIT_MM = 3.0
LIMIT_DEGREES = 3.0
_SHRINK = ((1, 4, 4), (1, 2, 2))
"""Factors along (slice, row, column): the slices are thick as they are."""
_BLUR_MM = (2.5, 1.2)
_STEPS = 60


@dataclass(frozen=True)
class Alignment:
    """A prediction moved onto the truth.

    Attributes:
        volume: [S,H,W] float32 the moved prediction (the prediction itself where moving does not help).
        shift_mm: how far it is moved along (slice, row, column).
        rotation_degrees: and turned about the axes (slice, row, column) through the volume's centre.
        limited: whether a bound is reached.
    """

    volume: np.ndarray
    shift_mm: tuple[float, float, float]
    rotation_degrees: tuple[float, float, float]
    limited: bool


def align_rigidly(
    prediction: np.ndarray,
    truth: np.ndarray,
    spacing: tuple[float, float, float],
    limit_mm: float = LIMIT_MM,
    limit_degrees: float = LIMIT_DEGREES,
) -> Alignment:
    """Move the prediction rigidly onto the truth by least squares, and keep whichever fits better.

    PSNR measures mean squares, so this alignment is the best rigid one for it. Cubic B-splines interpolate; beyond the
    border of the prediction its nearest voxel goes on, so that every voxel of the truth counts. Interpolation smooths
    a noisy prediction, so that the gain in PSNR is never due to position alone.

    Args:
        prediction: [S,H,W].
        truth: the same shape and grid.
        spacing: distance in mm of voxel centres along (slice, row, column).
        limit_mm: bound of the shift along each axis.
        limit_degrees: bound of the rotation about each axis.

    Raises:
        ValueError: the shapes differ, or a volume is not three-dimensional.
    """
    check_pair(prediction, truth)
    if prediction.ndim != 3:
        raise ValueError(f"needs volumes [S,H,W], got {prediction.shape}")
    fixed, moving = _image(truth, spacing), _image(prediction, spacing)
    parameters = _register(fixed, moving)
    bounds = np.repeat([math.radians(limit_degrees), limit_mm], 3)
    bounded = np.clip(parameters, -bounds, bounds)
    moved = _moved(moving, fixed, bounded)
    error = np.square(prediction.astype(np.float64) - truth).mean()
    if not np.square(moved.astype(np.float64) - truth).mean() < error:
        return Alignment(np.asarray(prediction, np.float32), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), False)
    # The transform maps points of the truth to points of the prediction; the prediction moves the other way.
    angles, shift = -np.degrees(bounded[2::-1]), -bounded[:2:-1]
    return Alignment(moved, _triple(shift), _triple(angles), bool((bounded != parameters).any()))


def psnr_aligned(
    prediction: np.ndarray,
    truth: np.ndarray,
    spacing: tuple[float, float, float],
    data_range: float,
    limit_mm: float = LIMIT_MM,
    limit_degrees: float = LIMIT_DEGREES,
) -> float:
    """PSNR in dB after :func:`align_rigidly`, over all elements; never below :func:`~.metrics.psnr`.

    Raises:
        ValueError: as :func:`align_rigidly`, or the range is not positive.
    """
    check_pair(prediction, truth, data_range)
    return psnr(align_rigidly(prediction, truth, spacing, limit_mm, limit_degrees).volume, truth, data_range)


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third


def _image(volume: np.ndarray, spacing: tuple[float, float, float]) -> sitk.Image:
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume, dtype=np.float32))
    image.SetSpacing(spacing[::-1])
    return image


def _transform(image: sitk.Image, parameters: np.ndarray | None = None) -> sitk.Euler3DTransform:
    transform = sitk.Euler3DTransform()
    middle = [(size - 1) / 2 for size in image.GetSize()]
    transform.SetCenter(image.TransformContinuousIndexToPhysicalPoint(middle))
    if parameters is not None:
        transform.SetParameters(parameters.tolist())
    return transform


def _register(fixed: sitk.Image, moving: sitk.Image) -> np.ndarray:
    """Angles in radians about, and shifts in mm along (column, row, slice), coarse to fine."""
    parameters = np.zeros(6)
    for shrink, blur in zip(_SHRINK, _BLUR_MM, strict=True):
        small = [sitk.Shrink(sitk.SmoothingRecursiveGaussian(one, blur), shrink[::-1]) for one in (fixed, moving)]
        method = sitk.ImageRegistrationMethod()
        method.SetNumberOfThreads(1)  # sums of floats depend on their order
        method.SetMetricAsMeanSquares()
        method.SetInterpolator(sitk.sitkLinear)
        method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-3, _STEPS, 0.5, 1e-9)
        method.SetOptimizerScalesFromPhysicalShift()
        method.SetInitialTransform(_transform(fixed, parameters), inPlace=True)
        parameters = np.asarray(method.Execute(small[0], small[1]).GetParameters())
    return parameters


def _moved(moving: sitk.Image, fixed: sitk.Image, parameters: np.ndarray) -> np.ndarray:
    resampler = sitk.ResampleImageFilter()
    resampler.SetReferenceImage(fixed)
    resampler.SetInterpolator(sitk.sitkBSpline)
    resampler.SetUseNearestNeighborExtrapolator(True)
    resampler.SetTransform(_transform(fixed, parameters))
    return np.asarray(sitk.GetArrayFromImage(resampler.Execute(moving)), np.float32)
