"""KOA probability p of a knee radiograph, and what is made of it (Wang 2024b, section 2.2).

The weights ``koa.pt`` beside this file have one home: the description of a radiograph for the denoiser, the fallback
grading of the application and the report on the classifier all take them from :func:`shipped_classifier`. A bundle's
``model.pt`` holds the classifier that its denoiser was trained with as ``describe.*``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
import torch

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.detection.networks.koa_classifier import GRADES, KOAClassifier, classifier_view
from monai_xray2mri.knee.grading.record import Grading
from monai_xray2mri.radiograph.knee.region import network_input
from monai_xray2mri.radiograph.knee.roi import KneeROI
from monai_xray2mri.runtime.shipped import load_shipped

WEIGHTS: Final = "koa.pt"
SUM_TOLERANCE: Final = 1e-3
"""How far the sum of given probabilities may be from 1."""
ESTIMATED: Final = "estimated from the radiograph"
"""`Grading.source` of :func:`grading_from_koa`: no reader graded this knee."""


@cache
def shipped_classifier() -> KOAClassifier:
    """The classifier with the weights that come with the package, frozen.

    Raises:
        WeightsError: they are missing, damaged or of another architecture.
    """
    return load_shipped(KOAClassifier, "monai_xray2mri.knee.detection", WEIGHTS, "KOA classifier")


def koa_probability(region: KneeROI | np.ndarray, classifier: KOAClassifier | None = None) -> np.ndarray:
    """Probability of each Kellgren-Lawrence grade of a knee.

    Args:
        region: the joint region of a film, or what the networks see of one of 110 mm, [H,W] in [-1,1], right-knee
            space.
        classifier: None takes the shipped one.

    Returns:
        p, [5] float32 >= 0 that sum to 1, for grades 0 to 4.

    Raises:
        InputRefused: an array of another shape or range, or a region too narrow for the classifier.
        WeightsError: see :func:`shipped_classifier`.
    """
    if isinstance(region, KneeROI):
        pixels, width_mm = network_input(region)[0, 0], region.width_mm
    else:
        pixels, width_mm = _check(np.asarray(region)), 110.0
    try:
        view = classifier_view(torch.from_numpy(np.ascontiguousarray(pixels, dtype=np.float32))[None, None], width_mm)
    except ValueError:
        raise InputRefused(
            "radiograph region", "must show the 95 mm around the joint to be graded", f"{width_mm:.0f} mm"
        ) from None
    with torch.inference_mode():
        p: np.ndarray = (classifier or shipped_classifier()).probability(view)[0].numpy()
    return p


def _check(pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim != 2 or pixels.shape[0] != pixels.shape[1]:
        raise InputRefused("radiograph region", "must be a square image", f"shape {pixels.shape}")
    if not np.isfinite(pixels).all() or pixels.min() < -1 or pixels.max() > 1:
        raise InputRefused(
            "radiograph region",
            "must hold grey values in [-1,1]",
            f"{pixels.min():g} to {pixels.max():g}",
            "Bring it into form with monai_xray2mri.radiograph.knee.region.normalize_region.",
        )
    return pixels


def validate_probability(p: Sequence[float] | np.ndarray, name: str = "KOA probability") -> np.ndarray:
    """A probability that a user gives in place of the classifier's, [5] float32 summing to 1.

    Args:
        p: one number for each Kellgren-Lawrence grade 0 to 4.
        name: how messages call it.

    Raises:
        InputRefused: other than 5 finite numbers >= 0 that sum to 1 within 0.001.
    """
    try:
        values = np.asarray(p, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputRefused(name, "must be 5 numbers", f"a {type(p).__name__} of something else") from None
    remedy = "Give one number for each Kellgren-Lawrence grade 0 to 4."
    if values.shape != (GRADES,):
        raise InputRefused(name, f"must be {GRADES} numbers", f"shape {values.shape}", remedy)
    if not np.isfinite(values).all():
        raise InputRefused(name, "must be finite numbers", _format_numbers(values), remedy)
    if (values < 0).any():
        raise InputRefused(name, "must not be negative", _format_numbers(values), remedy)
    if abs(values.sum() - 1) > SUM_TOLERANCE:
        raise InputRefused(name, f"must sum to 1 within {SUM_TOLERANCE:g}", f"{values.sum():g}", remedy)
    return (values / values.sum()).astype(np.float32)


def _format_numbers(values: np.ndarray) -> str:
    return ", ".join(f"{value:g}" for value in values)


def grading_from_koa(p: Sequence[float] | np.ndarray) -> Grading:
    """Grading of a knee that nobody graded: its most probable Kellgren-Lawrence grade, all else unknown.

    Args:
        p: from :func:`koa_probability`, or given by a user; of equal ones the lowest grade is taken.

    Raises:
        InputRefused: see :func:`validate_probability`.
    """
    values = validate_probability(p)
    grade = int(values.argmax())
    shares = ", ".join(f"{value:.2f}" for value in values)
    remark = (
        f"XRKL {grade} was estimated from the radiograph by a classifier, not read by a person; "
        f"probability of grades 0 to 4: {shares}"
    )
    return Grading(grades={"XRKL": grade}, source=ESTIMATED, remarks=(remark,))
