"""Keypoint confidence-completeness, KCC (Wan 2025, Eq. 12)."""

from __future__ import annotations

from typing import Final

import numpy as np

TAU: Final = 0.65
"""Confidence from which on a keypoint counts as detected."""


def keypoint_completeness(confidence: np.ndarray, tau: float = TAU) -> float:
    """KCC: the mean confidence, times the share of keypoints whose confidence is ``tau`` or more.

    The paper counts detected keypoints, up to ten of them. Here M is always the number of keypoints asked for: to count
    only those detected would reward a radiograph that misses some. KCC never looks at the truth, so that the radiograph
    of another foot scores as high as the right one.

    Args:
        confidence: [M] in [0,1], M = 10 from :func:`~monai_xray2mri.systems.foot_xray_sccdm.keypoints.find_keypoints`.
        tau: the paper's 0.65.

    Example:
        >>> keypoint_completeness(np.array([0.9, 0.7, 0.5, 0.1]))
        0.275
    """
    values = np.asarray(confidence, dtype=np.float64)
    return float(values.mean() * (values >= tau).mean())
