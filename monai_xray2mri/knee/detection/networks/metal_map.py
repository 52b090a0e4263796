"""Small network that looks for metal in a joint region: where is it, and is it there at all?"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_xray2mri.networks.contrast import local_contrast

METAL_SIZE: Final = 96
"""Pixels per side of what is looked at: 1 mm each, so that a screw is three to five of them wide."""
METAL_MM: Final = 95.0
"""Side of what is looked at, at the detector: the field of the public crops."""
CELLS: Final = METAL_SIZE // 2
"""Cells per side of the map, 2 mm each."""
FEWEST_CELLS: Final = 12
"""Cells that metal covers at least, 0.5 cm2: the mean of so many of the highest logits is that of the region."""


class MetalMap(nn.Module):
    """A map of metal in a joint region.

    Two resolutions, joined as in a U-Net (Ronneberger et al., MICCAI 2015), the lower one with dilated convolutions,
    so that each cell sees most of the region: the same grey value is metal beside dark bone and cortex beside bright.

    Args:
        fine: channels at 2 mm.
        coarse: channels at 4 mm.
    """

    def __init__(self, fine: int = 20, coarse: int = 32) -> None:
        super().__init__()
        self.fine = nn.Sequential(*_layer(8, fine), *_layer(fine, fine))
        dilated = (layer for dilation in (1, 2, 4) for layer in _layer(coarse, coarse, dilation=dilation))
        self.coarse = nn.Sequential(*_layer(fine, coarse, stride=2), *dilated)
        self.joined = nn.Sequential(*_layer(fine + coarse, fine), nn.Conv2d(fine, 1, 1))

    def forward(self, view: Tensor) -> Tensor:
        """Logits [B,1,48,48] that cells are metal, of views [B,1,96,96] in [-1,1] (:func:`metal_view`)."""
        shown = torch.cat([view, local_contrast(view, 15)], 1)
        fine = self.fine(F.pixel_unshuffle(shown, 2))
        coarse = F.interpolate(self.coarse(fine), scale_factor=2.0, mode="bilinear")
        found: Tensor = self.joined(torch.cat([fine, coarse], 1))
        return found


def region_logit(cells: Tensor) -> Tensor:
    """Logit [B] that there is metal in a region, of those of its cells [B,1,h,w]."""
    return cells.flatten(1).topk(FEWEST_CELLS, 1).values.mean(1)


def metal_view(region: Tensor, region_mm: float) -> Tensor:
    """The middle 95 mm of joint regions, each with its own grey range.

    Args:
        region: radiographs [B,1,H,W], any grey range, bone bright.
        region_mm: their side at the detector in mm; a narrower one is taken whole.

    Returns:
        [B,1,96,96] in [-1,1], anti-aliased; the percentiles 0.5 and 99.5 are the ends of the range.
    """
    border = max(round(region.shape[-1] * (1 - METAL_MM / region_mm) / 2), 0)
    middle = region[..., border : region.shape[-1] - border, border : region.shape[-1] - border]
    shape = (METAL_SIZE, METAL_SIZE)
    return normalized(F.interpolate(middle, shape, mode="bilinear", align_corners=False, antialias=True))


def normalized(view: Tensor) -> Tensor:
    """Views [B,1,h,w] with the percentiles 0.5 and 99.5 of each at -1 and 1, and the rest clipped."""
    ends = view.flatten(1).quantile(torch.tensor([0.005, 0.995]), dim=1)[:, :, None, None, None]
    low, high = ends
    return (2 * (view - low) / (high - low).clamp(min=1e-6) - 1).clamp(-1, 1)


def _layer(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=dilation, dilation=dilation)
    return convolution, nn.GroupNorm(4, outputs), nn.SiLU()
