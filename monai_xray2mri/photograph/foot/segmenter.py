"""What lies where on a photograph of feet: a small segmenter, where Wan 2025 has Segment Anything.

How it was trained and what it reaches: docs/photograph.md. Weights: ``segmenter.pt`` beside this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_xray2mri.networks.small_unet import SmallUNet
from monai_xray2mri.runtime.shipped import load_shipped

KINDS: Final = ("foot from above", "hand", "sole", "sock or shoe", "foot from the side", "radiograph")
"""What the network tells apart; a foot from above is bare and shows its toes."""
POINTS: Final = ("metatarsal 1 head", "metatarsal 5 head", "hallux tip", "heel")
"""What it looks for on a foot from above; the middles of heads as seen through the skin."""
VIEW: Final = 128
"""Pixels per side at which it sees a photograph or a foot; the outline is looked at with twice as many."""
WEIGHTS: Final = "segmenter.pt"
_FOLD: Final = 4
_WIDTHS: Final = (28, 40, 56, 64)
_MASK: Final = _FOLD * _FOLD
_FINER: Final = 4
"""Places of a map of points within a place of the network: two along rows and columns."""


class FootSegmenter(nn.Module):
    """Outline, kinds and points from one small U-Net; its outline has the resolution of the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.unet = SmallUNet(3, _MASK + len(KINDS) + _FINER * len(POINTS), _FOLD, _WIDTHS)
        self.multiple = self.unet.multiple

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Look at pictures [B,3,H,W] in [0,1]; H and W are multiples of 32.

        Returns:
            Logits that a pixel belongs to a limb [B,1,H,W], logits of its kinds [B,6,H/4,W/4], logits that a point
            lies there [B,4,H/2,W/2].
        """
        found = self.unet(2 * picture - 1)
        mask, kinds, points = found.split((_MASK, len(KINDS), _FINER * len(POINTS)), 1)
        return F.pixel_shuffle(mask, _FOLD), kinds, F.pixel_shuffle(points, 2)


@cache
def shipped_segmenter() -> FootSegmenter:
    """The segmenter with its shipped weights, in evaluation mode.

    Raises:
        WeightsError: they are missing or damaged.
    """
    return load_shipped(FootSegmenter, "monai_xray2mri.photograph.foot", WEIGHTS, "foot segmenter")


@dataclass(frozen=True)
class Seen:
    """What the segmenter sees on a picture.

    Attributes:
        limb: [H,W] float32, probability that a pixel belongs to a limb.
        kinds: [6,H/4,W/4] float32, probability of each kind.
        points: [4,H/2,W/2] float32, probability that a point lies there, each by itself.
    """

    limb: np.ndarray
    kinds: np.ndarray
    points: np.ndarray


@torch.inference_mode()
def look(picture: np.ndarray, network: FootSegmenter | None = None) -> Seen:
    """Let the network see a picture [H,W,3] uint8 whose sides are multiples of 16; None takes the shipped one."""
    tensor = torch.from_numpy(np.ascontiguousarray(picture)).movedim(-1, 0)[None].float() / 255
    limb, kinds, points = (network or shipped_segmenter())(tensor)
    return Seen(limb[0, 0].sigmoid().numpy(), kinds[0].softmax(0).numpy(), points[0].sigmoid().numpy())
