"""Keypoints of a foot radiograph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_xray2mri.simulation.foot.truth import hallux_angles


@dataclass(frozen=True)
class Keypoints:
    """Keypoints of one radiograph.

    Attributes:
        points: [10,2] float32 (row, column) in its pixels, (0, 0) the middle of the first, in the order of
            :data:`~monai_xray2mri.simulation.foot.skeleton.KEYPOINTS`.
        confidence: [10] float32 in [0,1].
    """

    points: np.ndarray
    confidence: np.ndarray

    @property
    def angles(self) -> tuple[float, float]:
        """Hallux valgus and intermetatarsal angle in degrees."""
        return hallux_angles(self.points)


def find_keypoints(radiograph: np.ndarray) -> Keypoints:
    """Keypoints of a radiograph.

    Args:
        radiograph: [S,S] in [0,1], right foot, toes up, bone bright.
    """
    raise NotImplementedError
