"""Small network that looks at a joint region: is it a frontal knee, and of which side?"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_xray2mri.networks.contrast import local_contrast

JUDGED_SIZE: Final = 64
"""Pixels per side of what is judged: 1.5 mm each, in which the joint space is two to three pixels high."""
JUDGED_MM: Final = 95.0
"""Side of what is judged, at the detector: the field of the public crops."""


class RegionJudge(nn.Module):
    """Features of a joint region, whether it is an upright frontal knee, and whether it is a right one.

    Features of known knees follow one distribution; how far those of a region lie from it is the measure of what the
    network was never shown (Lee et al., "A simple unified framework for detecting out-of-distribution samples and
    adversarial attacks", NeurIPS 2018, with pictures of other things shown in training: Hendrycks et al., "Deep anomaly
    detection with outlier exposure", ICLR 2019).

    Args:
        features: number of features.
        channels: at 1/2, 1/4 and 1/8 of the view's resolution.
    """

    mean: Tensor
    precision: Tensor

    def __init__(self, features: int = 24, channels: tuple[int, int, int] = (20, 40, 56)) -> None:
        super().__init__()
        first, second, third = channels
        self.trunk = nn.Sequential(
            *_layer(4, first),
            *_layer(first, first),
            *_layer(first, second, stride=2),
            *_layer(second, second),
            *_layer(second, third, stride=2),
            *_layer(third, third),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(16 * third, features),
            nn.Tanh(),
        )
        self.head = nn.Linear(features, 2)
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("precision", torch.eye(features))

    def describe(self, view: Tensor) -> Tensor:
        """Features [B,N] of views [B,1,64,64] (:func:`judged_view`), any grey range, of any polarity."""
        found: Tensor = self.trunk(F.pixel_unshuffle(local_contrast(view, 9), 2))
        return found

    def forward(self, view: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [B] that views [B,1,64,64] show a knee, and that it is a right one."""
        knee, right = self.head(self.describe(view)).unbind(1)
        return knee, right

    def distance(self, features: Tensor) -> Tensor:
        """Mahalanobis distance [B] of features [B,N] from those of known right knees; their mean square is N."""
        centered = features - self.mean
        return (centered @ self.precision * centered).sum(1).clamp(min=0).sqrt()

    @torch.no_grad()
    def fit_distance(self, features: Tensor, shrinkage: float = 0.02) -> None:
        """Take the distribution of known right knees' features [N,n]; a little of a round one keeps it regular."""
        self.mean.copy_(features.mean(0))
        covariance = torch.cov(features.T)
        round_one = covariance.diagonal().mean() * torch.eye(len(covariance))
        self.precision.copy_(torch.linalg.inv((1 - shrinkage) * covariance + shrinkage * round_one))


def judged_view(region: Tensor, region_mm: float) -> Tensor:
    """The middle 95 mm of joint regions.

    Args:
        region: radiographs [B,1,H,W].
        region_mm: their side at the detector in mm; a narrower one is taken whole.

    Returns:
        [B,1,64,64], anti-aliased.
    """
    size = region.shape[-1]
    border = max(round(size * (1 - JUDGED_MM / region_mm) / 2), 0)
    middle = region[..., border : size - border, border : size - border]
    shape = (JUDGED_SIZE, JUDGED_SIZE)
    view: Tensor = F.interpolate(middle, shape, mode="bilinear", align_corners=False, antialias=True)
    return view


def _layer(inputs: int, outputs: int, stride: int = 1) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1), nn.GroupNorm(4, outputs), nn.SiLU()
