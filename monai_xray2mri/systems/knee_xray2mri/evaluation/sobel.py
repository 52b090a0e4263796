"""Difference of edges, as the papers' picture tables show it (Wang 2024a, Table II; Wang 2024b, Table 1)."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from monai_xray2mri.evaluation.metrics import check_pair

_SOBEL = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8


def sobel_magnitude(volume: np.ndarray) -> np.ndarray:
    """Gradient [S,H,W] in intensity per pixel of slices [S,H,W]: sqrt(Gx^2 + Gy^2), both with Sobel's 3 x 3 kernel.

    The kernel is divided by 8, so that a ramp of one intensity per pixel gives 1. Beyond the border the slice goes on
    with its last pixels.
    """
    images = torch.from_numpy(np.ascontiguousarray(volume, np.float32))[:, None]  # [S,1,H,W]
    kernels = torch.stack([_SOBEL, _SOBEL.T])[:, None]  # [2,1,3,3]
    gradient = F.conv2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), kernels)  # [S,2,H,W]
    return np.asarray(gradient.square().sum(dim=1).sqrt())


def sobel_difference(prediction: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Absolute difference [S,H,W] of the gradients of prediction and truth.

    The papers show "difference maps generated using a Sobel operator filter ... by detecting edge differences" without
    an equation; this is the difference of both slices' edges, not the edges of their difference.

    Raises:
        ValueError: the shapes differ.
    """
    check_pair(prediction, truth)
    return np.asarray(np.abs(sobel_magnitude(prediction) - sobel_magnitude(truth)))
