"""The project's SSIM against MONAI's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.metrics import SSIMMetric

from monai_xray2mri.evaluation.structure import ssim_map


def test_monai_gives_the_same_away_from_the_border() -> None:
    """MONAI leaves half a window (5 pixels) out at each border; both use 11 x 11 pixels, sigma 1.5, range stated."""
    rng = np.random.default_rng(0)
    truth = rng.random((64, 64)).astype(np.float32)
    prediction = (0.8 * truth + 0.1 * rng.random((64, 64))).astype(np.float32)
    metric = SSIMMetric(spatial_dims=2, data_range=1.0, kernel_type="gaussian", win_size=11, kernel_sigma=1.5)
    theirs = metric(*(torch.from_numpy(each)[None, None] for each in (prediction, truth)))
    assert ssim_map(prediction, truth, 1.0)[5:-5, 5:-5].mean() == pytest.approx(float(theirs), abs=1e-4)
