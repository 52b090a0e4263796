"""Classifier C of Wang 2024b: the Kellgren-Lawrence grade of a knee radiograph, as a probability of each grade.

The paper takes C from its reference [31], a vision transformer whose code and weights are not public. This is a small
convolutional network with the same input and output, trained by :mod:`monai_xray2mri.knee.detection.training.koa`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_xray2mri.networks.contrast import local_contrast

GRADES: Final = 5
"""Kellgren-Lawrence grades 0 to 4."""
VIEW_SIZE: Final = 128
"""Pixels per side of what the classifier sees."""
VIEW_MM: Final = 95.0
"""Side of what the classifier sees, at the detector: about the field of the public crops that it was trained on."""
_ROWS: Final = slice(24, 120)
"""Rows of the view that are graded: 71 mm around the joint line; the shafts beyond show no sign of osteoarthritis."""


def classifier_view(region: Tensor, region_mm: float = 110.0) -> Tensor:
    """The middle of a joint region at the scale that the classifier knows.

    The public crops have no pixel spacing; their femora fill 0.86 of the width, so that they are about 95 mm wide
    (docs/simulation/realism.md). The region of the synthesis is 110 mm wide: its middle 95 mm are the same field.

    Args:
        region: radiographs [B,1,H,W].
        region_mm: their side at the detector in mm.

    Returns:
        [B,1,128,128], anti-aliased; the side is exact to one pixel of ``region``.

    Raises:
        ValueError: the region is narrower than the view.
    """
    if region_mm < VIEW_MM:
        raise ValueError(f"the region must be at least {VIEW_MM:.0f} mm wide, got {region_mm:g}")
    size = region.shape[-1]
    border = round(size * (1 - VIEW_MM / region_mm) / 2)
    middle = region[..., border : size - border, border : size - border]
    shape = (VIEW_SIZE, VIEW_SIZE)
    view: Tensor = F.interpolate(middle, shape, mode="bilinear", align_corners=False, antialias=True)
    return view


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with group normalization before each, and the input added: [B,C,H,W] to [B,C,H,W]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_convolution(channels, channels), *_convolution(channels, channels))

    def forward(self, hidden: Tensor) -> Tensor:
        """Add what the convolutions find."""
        out: Tensor = hidden + self.body(hidden)
        return out


def _convolution(inputs: int, outputs: int, stride: int = 1) -> tuple[nn.Module, ...]:
    return nn.GroupNorm(8, inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)


class KOAClassifier(nn.Module):
    """Residual network from a view of the knee to the probability of each Kellgren-Lawrence grade.

    Group normalization keeps it free of batch statistics: it answers the same in training and evaluation of the
    denoiser, for any batch.

    Args:
        channels: at 1/4, 1/8, 1/16 of the view's resolution.
        blocks: residual blocks at each.
        dropout: share of pooled features that is dropped while the classifier itself is trained.
    """

    temperature: Tensor

    def __init__(
        self, channels: Sequence[int] = (24, 48, 96), blocks: Sequence[int] = (1, 1, 1), dropout: float = 0.3
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(16, channels[0], 3, padding=1)]
        before = channels[0]
        for width, count in zip(channels, blocks, strict=True):
            if width != before:
                layers += _convolution(before, width, stride=2)
            layers += [ResidualBlock(width) for _ in range(count)]
            before = width
        self.trunk = nn.Sequential(*layers, nn.GroupNorm(8, before), nn.SiLU())
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * before, GRADES))
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, view: Tensor) -> Tensor:
        """Logits [B,5] of views [B,1,128,128] (:func:`classifier_view`), before the temperature."""
        graded = local_contrast(view)[..., _ROWS, :]  # [B,1,96,128]
        hidden = self.trunk(F.pixel_unshuffle(graded, 4))  # [B,C,h,w]
        pooled = torch.cat([hidden.mean(dim=(2, 3)), hidden.amax(dim=(2, 3))], dim=1)
        logits: Tensor = self.head(pooled)
        return logits

    def probability(self, view: Tensor) -> Tensor:
        """Probabilities p [B,5] of grades 0 to 4, calibrated by the temperature (Guo et al., ICML 2017)."""
        return (self(view).float() / self.temperature).softmax(dim=1)
