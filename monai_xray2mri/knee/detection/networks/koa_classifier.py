"""Classifier C of Wang 2024b: the Kellgren-Lawrence grade of a knee radiograph, as a probability of each grade.

The paper takes C from its reference [31], a vision transformer whose code and weights are not public. This is the
first half of EfficientNet-Lite0 (Tan and Le, "EfficientNet", ICML 2019; Liu, "Higher accuracy on vision models with
EfficientNet-Lite", 2020) with the same input and output, trained by
:mod:`monai_xray2mri.knee.detection.training.koa`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_xray2mri.networks.contrast import local_contrast

GRADES: Final = 5
"""Kellgren-Lawrence grades 0 to 4."""
VIEW_SIZE: Final = 192
"""Pixels per side of what the classifier sees, 0.5 mm each."""
VIEW_MM: Final = 95.0
"""Side of what the classifier sees, at the detector: the field of the public crops that it was trained on."""
_ROWS: Final = slice(36, 180)
"""Rows of the view that are graded: 71 mm around the joint line; the shafts beyond show no sign of osteoarthritis."""
_NEIGHBORHOOD: Final = 23
"""Width in pixels, 11 mm, of the neighborhood that local contrast is relative to."""


class Block(NamedTuple):
    """A block of EfficientNet-Lite0: numbers of channels, width of the depthwise kernel, stride, expansion."""

    inputs: int
    outputs: int
    kernel: int
    stride: int
    expansion: int


BLOCKS: Final = (
    Block(32, 16, 3, 1, 1),
    Block(16, 24, 3, 2, 6),
    Block(24, 24, 3, 1, 6),
    Block(24, 40, 5, 2, 6),
    Block(40, 40, 5, 1, 6),
    Block(40, 80, 3, 2, 6),
    Block(80, 80, 3, 1, 6),
    Block(80, 80, 3, 1, 6),
    Block(80, 112, 5, 1, 6),
    Block(112, 112, 5, 1, 6),
    Block(112, 112, 5, 1, 6),
)
"""The first eleven of its sixteen blocks; the other five hold four fifths of its weights."""


def classifier_view(region: Tensor, region_mm: float = 110.0) -> Tensor:
    """The middle of a joint region at the scale that the classifier knows.

    The public crops have no pixel spacing; their femora fill 0.86 of the width, so that they are about 95 mm wide
    (docs/simulation/realism.md). The region of the synthesis is 110 mm wide: its middle 95 mm are the same field.

    Args:
        region: radiographs [B,1,H,W].
        region_mm: their side at the detector in mm.

    Returns:
        [B,1,192,192], anti-aliased; the side is exact to one pixel of ``region``.

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


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project (Sandler et al., "MobileNetV2", CVPR 2018): [B,C,H,W] to [B,D,h,w].

    Normalization is part of the convolutions (:mod:`monai_xray2mri.knee.detection.training.imagenet`), so that the
    answer does not depend on the batch, in training and evaluation of the denoiser alike.
    """

    def __init__(self, block: Block) -> None:
        super().__init__()
        middle = block.inputs * block.expansion
        layers: list[nn.Module] = []
        if block.expansion > 1:
            layers += [nn.Conv2d(block.inputs, middle, 1), nn.ReLU()]
        layers += [
            nn.Conv2d(middle, middle, block.kernel, block.stride, block.kernel // 2, groups=middle),
            nn.ReLU(),
            nn.Conv2d(middle, block.outputs, 1),
        ]
        self.body = nn.Sequential(*layers)
        self.residual = block.inputs == block.outputs and block.stride == 1

    def forward(self, hidden: Tensor) -> Tensor:
        """Filter; add the input where its shape is that of the result."""
        found: Tensor = self.body(hidden)
        return hidden + found if self.residual else found


class KOAClassifier(nn.Module):
    """Network from a view of the knee to the probability of each Kellgren-Lawrence grade.

    Args:
        dropout: share of pooled features that is dropped while the classifier itself is trained.
    """

    temperature: Tensor

    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        first, width = BLOCKS[0].inputs, BLOCKS[-1].outputs
        stem = nn.Sequential(nn.Conv2d(2, first, 3, stride=2, padding=1), nn.ReLU())
        self.trunk = nn.Sequential(stem, *(InvertedResidual(block) for block in BLOCKS))
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * width, GRADES))
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, view: Tensor) -> Tensor:
        """Logits [B,5] of views [B,1,192,192] (:func:`classifier_view`), before the temperature."""
        hidden = self.trunk(graded_part(view))  # [B,C,9,12]
        pooled = torch.cat([hidden.mean(dim=(2, 3)), hidden.amax(dim=(2, 3))], dim=1)
        logits: Tensor = self.head(pooled)
        return logits

    def probability(self, view: Tensor) -> Tensor:
        """Probabilities p [B,5] of grades 0 to 4, calibrated by the temperature (Guo et al., ICML 2017)."""
        return (self(view).float() / self.temperature).softmax(dim=1)


def graded_part(view: Tensor) -> Tensor:
    """The rows around the joint line of views [B,1,192,192], as grey values and as local contrast: [B,2,144,192]."""
    both = torch.cat([view, local_contrast(view, _NEIGHBORHOOD).clamp(-3, 3) / 1.5], dim=1)[..., _ROWS, :]
    return both.contiguous(memory_format=torch.channels_last)  # depthwise filters are several times as fast
