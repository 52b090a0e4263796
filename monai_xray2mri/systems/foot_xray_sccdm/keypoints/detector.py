"""Keypoints of a foot radiograph: a heat-map detector with its shipped weights.

It stands where Wan 2025 has Diff3dhpe, which lifts poses of a body to 3-D and finds no point on an image. How it was
trained and what it reaches: docs/keypoints.md. Weights: ``keypoints.pt`` beside this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import torch

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.radiograph.resampling import resize
from monai_xray2mri.runtime.shipped import load_shipped
from monai_xray2mri.simulation.foot.truth import hallux_angles
from monai_xray2mri.systems.foot_xray_sccdm.keypoints.network import SIZE, KeypointNetwork, places

WEIGHTS: Final = "keypoints.pt"
_ROOM: Final = "monai_xray2mri.systems.foot_xray_sccdm.keypoints"
_AT_ONCE: Final = 16
_SMALLEST: Final = 64


@dataclass(frozen=True)
class Keypoints:
    """Keypoints of one radiograph.

    Attributes:
        points: [10,2] float32 (row, column) in its pixels, (0, 0) the middle of the first, in the order of
            :data:`~monai_xray2mri.simulation.foot.skeleton.KEYPOINTS`.
        confidence: [10] float32, probability that a point is there and lies within 4 pixels of 256 of this place.
    """

    points: np.ndarray
    confidence: np.ndarray

    @property
    def angles(self) -> tuple[float, float]:
        """Hallux valgus and intermetatarsal angle in degrees."""
        return hallux_angles(self.points)


@cache
def shipped_keypoints() -> KeypointNetwork:
    """The detector with its shipped weights, in evaluation mode.

    Raises:
        WeightsError: they are missing or damaged.
    """
    return load_shipped(KeypointNetwork, _ROOM, WEIGHTS, "keypoint detector")


def find_keypoints(radiograph: np.ndarray, network: KeypointNetwork | None = None) -> Keypoints:
    """Keypoints of a radiograph.

    Args:
        radiograph: [S,S] in [0,1], right foot, toes up, bone bright, in the frame of
            :mod:`monai_xray2mri.simulation.foot.frame`.
        network: None takes the shipped one.

    Raises:
        InputRefused: an array of another shape or range.
        WeightsError: see :func:`shipped_keypoints`.
    """
    return find_all_keypoints([radiograph], network)[0]


@torch.inference_mode()
def find_all_keypoints(
    radiographs: Sequence[np.ndarray] | np.ndarray, network: KeypointNetwork | None = None
) -> list[Keypoints]:
    """Keypoints of many radiographs; see :func:`find_keypoints`."""
    network, found = network or shipped_keypoints(), list[Keypoints]()
    for first in range(0, len(radiographs), _AT_ONCE):
        part = [_checked(np.asarray(each)) for each in radiographs[first : first + _AT_ONCE]]
        views = np.stack([each if each.shape == (SIZE, SIZE) else resize(each, (SIZE, SIZE)) for each in part])
        points, confidence = places(network(torch.from_numpy(views)[:, None]))
        for given, place, sure in zip(part, points.numpy(), confidence.numpy(), strict=True):
            scale = len(given) / SIZE
            found.append(Keypoints(np.float32(scale) * (place + np.float32(0.5)) - np.float32(0.5), sure))
    return found


def _checked(radiograph: np.ndarray) -> np.ndarray:
    """The radiograph as float32."""
    if radiograph.ndim != 2 or radiograph.shape[0] != radiograph.shape[1] or len(radiograph) < _SMALLEST:
        rule = f"must be a square of {_SMALLEST} pixels a side at least"
        raise InputRefused("radiograph of a foot", rule, f"shape {radiograph.shape}")
    if not np.isfinite(radiograph).all() or radiograph.min() < 0 or radiograph.max() > 1:
        found = f"{radiograph.min():g} to {radiograph.max():g}"
        raise InputRefused("radiograph of a foot", "must hold grey values in [0,1]", found)
    return radiograph.astype(np.float32)
