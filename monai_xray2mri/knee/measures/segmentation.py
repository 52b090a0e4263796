"""A small network that segments the parts of the joint in a volume; joint space and lesions are measured on them.

Its input is a slice with both neighbors, without radiograph, grades or method. It was trained on simulated knees only
(:mod:`~monai_xray2mri.knee.measures.segmentation_training`), with random blur, noise and gain, and so also reads
generated volumes.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from monai_xray2mri.knee.measures.crop import JointCrop
from monai_xray2mri.knee.measures.parts import Part
from monai_xray2mri.runtime.shipped import load_shipped

WEIGHTS: Final = "joint_segmenter.pt"
_CHANNELS: Final = (12, 24, 40)
_BATCH: Final = 8


class JointSegmenter(nn.Module):
    """U-Net of three levels on 64 x 128 pixels around the joint; input are 3 slices, output :class:`~.parts.Part`."""

    def __init__(self) -> None:
        super().__init__()
        first, second, third = _CHANNELS
        self.down = nn.ModuleList([_convolutions(3, first), _convolutions(first, second), _convolutions(second, third)])
        self.up = nn.ModuleList([_convolutions(third + second, second), _convolutions(second + first, first)])
        self.last = nn.Conv2d(first, len(Part), 1)

    def forward(self, slices: Tensor) -> Tensor:
        """Logits [B,8,H,W] of the middle one of three slices [B,3,H,W]; H and W are multiples of 4."""
        first = self.down[0](slices)
        second = self.down[1](nn.functional.max_pool2d(first, 2))
        third = self.down[2](nn.functional.max_pool2d(second, 2))
        found = self.up[0](torch.cat([_double(third), second], dim=1))
        found = self.up[1](torch.cat([_double(found), first], dim=1))
        logits: Tensor = self.last(found)
        return logits


def _convolutions(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in (inputs, outputs):
        layers += [nn.Conv2d(width, outputs, 3, padding=1), nn.GroupNorm(4, outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _double(features: Tensor) -> Tensor:
    return nn.functional.interpolate(features, scale_factor=2, mode="nearest")


def neighbors(values: np.ndarray) -> np.ndarray:
    """Each slice of [S,H,W] with both neighbors, [S,3,H,W]; an end slice replaces its own missing neighbor."""
    padded = np.pad(values, ((1, 1), (0, 0), (0, 0)), mode="edge")
    return np.stack([padded[:-2], padded[1:-1], padded[2:]], axis=1)


@cache
def shipped_segmenter() -> JointSegmenter:
    """The network with the weights that come with the package.

    Raises:
        WeightsError: they are missing or of another architecture.
    """
    return load_shipped(JointSegmenter, "monai_xray2mri.knee.measures", WEIGHTS, "joint segmenter")


@torch.no_grad()
def part_probabilities(crop: JointCrop, network: JointSegmenter | None = None) -> np.ndarray:
    """Probability [8,S,64,128] float32 of each :class:`~.parts.Part` in a crop of intensities 0 to 1.

    Args:
        crop: the crop.
        network: the segmenter; None takes the shipped one.

    Raises:
        WeightsError: the shipped weights are missing or damaged.
    """
    network = network or shipped_segmenter()
    slices = torch.from_numpy(neighbors(crop.values.astype(np.float32)))
    found = torch.cat([network(part).softmax(1) for part in slices.split(_BATCH)])  # [S,8,H,W]
    return found.movedim(1, 0).numpy()
