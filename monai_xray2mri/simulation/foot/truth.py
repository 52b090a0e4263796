"""What is true of a foot on its film: keypoints, angles, bones."""

from __future__ import annotations

from typing import Final

import numpy as np

from monai_xray2mri.simulation.foot.skeleton import KEYPOINTS

HVA_LIMITS: Final = (15.0, 30.0, 40.0)
"""Degrees from which hallux valgus is mild, moderate, severe."""
IMA_LIMITS: Final = (9.0, 13.0, 20.0)


def axis_angle(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> float:
    """Angle in degrees between two axes of an image, each from its first to its second point (row, column).

    It is positive where the second axis is turned clockwise from the first: for toes up on a right foot, laterally.
    """
    (r1, c1), (r2, c2) = first[1] - first[0], second[1] - second[0]
    return float(np.degrees(np.arctan2(c2, -r2) - np.arctan2(c1, -r1)) + 180) % 360 - 180


def hallux_angles(keypoints: np.ndarray) -> tuple[float, float]:
    """Hallux valgus and intermetatarsal angle in degrees.

    The axis of a metatarsal leads from its base to its head, that of the proximal phalanx likewise.

    Args:
        keypoints: [10,2] (row, column) on a film of a right foot, toes up, in the order of :data:`KEYPOINTS`.
    """
    at = dict(zip(KEYPOINTS, np.asarray(keypoints, dtype=np.float64), strict=True))
    first = at["metatarsal 1 base"], at["metatarsal 1 head"]
    second = at["metatarsal 2 base"], at["metatarsal 2 head"]
    phalanx = at["proximal phalanx base"], at["proximal phalanx head"]
    return axis_angle(first, phalanx), axis_angle(first, second)


def severity(angle: float, limits: tuple[float, float, float]) -> int:
    """0 to 3: below the first limit, the second, the third, and above."""
    return sum(angle >= limit for limit in limits)
