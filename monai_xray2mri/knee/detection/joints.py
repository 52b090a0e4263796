"""The knee joints on a film: the YOLOv2 detector of Wang 2024a and 2024b (section III-B.1) with its shipped weights.

How it was trained and what it reaches: docs/knee/detection.md. Weights: ``joints.pt`` beside this file.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import Final

import numpy as np
import torch

from monai_xray2mri.knee.detection.networks.yolo import STRIDE, KneeYOLO, detect
from monai_xray2mri.radiograph.knee.region import LEAST_CONFIDENCE
from monai_xray2mri.radiograph.knee.roi import FoundJoint
from monai_xray2mri.radiograph.resampling import resize, stretch
from monai_xray2mri.runtime.shipped import load_shipped

FILM_MM: Final = 3.0
"""Pixel size at the detector at which the network sees a film."""
CANVAS: Final = (128, 160)
"""Fewest rows and columns that the network is shown, 384 x 480 mm: a smaller film lies in the middle, black around."""
CLASSES: Final = ("knee", "prosthesis")
ANCHORS: Final = ((33.0, 33.0), (41.0, 41.0))
"""A region of 110 mm is 37 pixels; films of a wrong pixel spacing show it somewhat smaller or larger."""
LEAST_SHOWN: Final = 0.2
"""Least confidence of a joint that is given back at all; callers refuse what lies below their own limit."""
BAND_MM: Final = 330.0
"""Height of the part of a long film that is looked at again, about that of the films that the network knows."""
LONG_MM: Final = 400.0
"""Height from which on a film is long: it shows more than knees, and hips and ankles take up its grey range."""
LEAST_SUSPECTED: Final = 0.05
"""Confidence from which on a place of a long film is looked at again."""
MOST_BANDS: Final = 3
"""Places that are looked at again."""
_APART_MM: Final = 60.0
"""Joints nearer to each other than that are one."""
WEIGHTS: Final = "joints.pt"


def make_detector() -> KneeYOLO:
    """The network of the shipped weights, untrained."""
    return KneeYOLO(ANCHORS, len(CLASSES))


@cache
def shipped_detector() -> KneeYOLO:
    """The detector with its shipped weights, in evaluation mode.

    Raises:
        WeightsError: they are missing or damaged.
    """
    return load_shipped(make_detector, "monai_xray2mri.knee.detection", WEIGHTS, "knee detector")


def find_joints(
    pixels: np.ndarray, spacing: tuple[float, float], network: KneeYOLO | None = None, threshold: float = LEAST_SHOWN
) -> list[FoundJoint]:
    """Find the knee joints of a film; a :data:`~monai_xray2mri.radiograph.knee.region.Locator`.

    On a film of the whole leg the joint is a small part of what is shown, and the grey range is that of hip and ankle.
    Where the network is unsure there, it looks again at the band of the film around the place.

    Args:
        pixels: [H,W] in any grey range, usual display.
        spacing: (row, column) distance of pixels at the detector in mm.
        network: a detector in evaluation mode; None takes the shipped one.
        threshold: least confidence.

    Returns:
        The joints, the most confident first; their boxes hardly overlap.
    """
    network, height = network or shipped_detector(), pixels.shape[0] * spacing[0]
    if height < LONG_MM:
        return _look(pixels, spacing, network, threshold)
    suspected = _look(pixels, spacing, network, min(threshold, LEAST_SUSPECTED))
    found = [joint for joint in suspected if joint.confidence >= LEAST_CONFIDENCE]
    unsure = [joint for joint in suspected if joint.confidence < LEAST_CONFIDENCE]
    seen = [joint for place in (found or unsure)[:MOST_BANDS] for joint in _look_again(pixels, spacing, place, network)]
    for joint in sorted([*seen, *unsure], key=lambda one: -one.confidence):
        if all(math.hypot(joint.row - one.row, joint.column - one.column) >= _APART_MM for one in found):
            found.append(joint)
    return sorted((joint for joint in found if joint.confidence >= threshold), key=lambda one: -one.confidence)


def _look_again(
    pixels: np.ndarray, spacing: tuple[float, float], place: FoundJoint, network: KneeYOLO
) -> list[FoundJoint]:
    """The joints on the band of a film around a place, at the height of that place."""
    middle, half = place.row / spacing[0], BAND_MM / 2 / spacing[0]
    top, bottom = max(round(middle - half), 0), min(round(middle + half), pixels.shape[0])
    joints = _look(pixels[top:bottom], spacing, network, LEAST_SHOWN)
    return [replace(joint, row=joint.row + top * spacing[0]) for joint in joints]


def _look(pixels: np.ndarray, spacing: tuple[float, float], network: KneeYOLO, threshold: float) -> list[FoundJoint]:
    film, (top, left) = film_view(pixels, spacing)
    found = detect(network, torch.from_numpy(film)[None, None], threshold=threshold)
    return [
        FoundJoint(
            row=(each.center[0] - top) * FILM_MM,
            column=(each.center[1] - left) * FILM_MM,
            side_mm=sum(each.size) / 2 * FILM_MM,
            confidence=each.confidence,
            prosthesis=each.classes[CLASSES.index("prosthesis")],
        )
        for each in found
    ]


def film_view(pixels: np.ndarray, spacing: tuple[float, float]) -> tuple[np.ndarray, tuple[int, int]]:
    """What the network sees of a film, and where on it the film begins.

    Args:
        pixels: [H,W] in any grey range.
        spacing: (row, column) in mm.

    Returns:
        [h,w] float32 in [-1,1] at 3 mm per pixel, whole cells, and the (row, column) of the film's corner on it.
    """
    height, width = (size * step for size, step in zip(pixels.shape, spacing, strict=True))
    small = resize(pixels, (max(round(height / FILM_MM), 1), max(round(width / FILM_MM), 1)))
    shape = [max(-(-size // STRIDE) * STRIDE, least) for size, least in zip(small.shape, CANVAS, strict=True)]
    top, left = ((whole - size) // 2 for whole, size in zip(shape, small.shape, strict=True))
    canvas = np.full(shape, -1.0, np.float32)
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = 2 * stretch(small) - 1
    return canvas, (top, left)
