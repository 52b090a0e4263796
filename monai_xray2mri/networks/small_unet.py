"""A U-Net that is small enough for a single processor, with the picture folded at its door."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SmallUNet(nn.Module):
    """U-Net (Ronneberger et al., MICCAI 2015) on folded pixels, two 3 x 3 layers at each level.

    Pixels are folded into channels first (Shi et al., CVPR 2016), so that the finest level, which costs most, works on
    fewer places. The result has the resolution of the folded picture.

    Args:
        inputs: channels of the picture.
        outputs: channels of the result.
        fold: pixels along rows and columns that become channels of one place.
        widths: channels of each level, the finest first; multiples of 4.

    Example:
        >>> SmallUNet(1, 10, 4, (8, 12)).eval()(torch.zeros(1, 1, 64, 64)).shape
        torch.Size([1, 10, 16, 16])
    """

    def __init__(self, inputs: int, outputs: int, fold: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.fold, self.multiple = fold, fold * 2 ** (len(widths) - 1)
        self.down = nn.ModuleList()
        before = inputs * fold * fold
        for level, width in enumerate(widths):
            self.down.append(nn.Sequential(*_layer(before, width, 2 if level else 1), *_layer(width, width)))
            before = width
        self.up = nn.ModuleList(
            nn.Sequential(*_layer(fine + coarse, fine)) for fine, coarse in itertools.pairwise(widths)
        )
        self.last = nn.Conv2d(widths[0], outputs, 1)

    def forward(self, picture: Tensor) -> Tensor:
        """Result [B,O,H/fold,W/fold] of pictures [B,I,H,W]; H and W are multiples of :attr:`multiple`."""
        return self.with_deepest(picture)[0]

    def with_deepest(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """The result, and the features [B,C,H/multiple,W/multiple] of the coarsest level."""
        value, kept = F.pixel_unshuffle(picture, self.fold), []
        for level in self.down:
            value = level(value)
            kept.append(value)
        for level, fine in zip(reversed(self.up), reversed(kept[:-1]), strict=True):
            larger = F.interpolate(value, fine.shape[-2:], mode="bilinear", align_corners=False)
            value = level(torch.cat((fine, larger), 1))
        return self.last(value), kept[-1]


def _layer(inputs: int, outputs: int, stride: int = 1) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    return convolution, nn.GroupNorm(4, outputs), nn.SiLU()
