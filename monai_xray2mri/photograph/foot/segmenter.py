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
from monai_xray2mri.photograph.foot.outline import TEMPLATE_SIZE
from monai_xray2mri.runtime.shipped import load_shipped

KINDS: Final = ("foot from above", "hand", "sole", "sock or shoe", "foot from the side", "radiograph")
"""What the network tells apart; a foot from above is bare and shows its toes."""
VIEW: Final = 128
"""Pixels per side at which it sees a photograph or a foot; the outline is looked at with twice as many."""
WEIGHTS: Final = "segmenter.pt"
_FOLD: Final = 4
_WIDTHS: Final = (28, 40, 56, 64)
_MASK: Final = _FOLD * _FOLD


class FootSegmenter(nn.Module):
    """Outline and kinds from one small U-Net; its outline has the resolution of the picture.

    ``template`` is no weight: the mean outline of the feet that it was trained on, [64,64] in their frame.
    """

    template: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.unet = SmallUNet(3, _MASK + len(KINDS), _FOLD, _WIDTHS)
        self.register_buffer("template", torch.zeros(TEMPLATE_SIZE, TEMPLATE_SIZE))

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Look at pictures [B,3,H,W] in [0,1]; H and W are multiples of 32.

        Returns:
            Logits that a pixel belongs to a limb [B,1,H,W], logits of its kinds [B,6,H/4,W/4].
        """
        mask, kinds = self.unet(2 * picture - 1).split((_MASK, len(KINDS)), 1)
        return F.pixel_shuffle(mask, _FOLD), kinds


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
    """

    limb: np.ndarray
    kinds: np.ndarray


@torch.inference_mode()
def look(picture: np.ndarray, network: FootSegmenter | None = None) -> Seen:
    """Let the network see a picture [H,W,3] uint8 whose sides are multiples of 16; None takes the shipped one."""
    tensor = torch.from_numpy(np.array(picture)).movedim(-1, 0)[None].float() / 255
    limb, kinds = (network or shipped_segmenter())(tensor)
    return Seen(limb[0, 0].sigmoid().numpy(), kinds[0].softmax(0).numpy())
