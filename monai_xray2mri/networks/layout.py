"""The layout of activations in memory while a network is trained."""

from __future__ import annotations

from diffusers.models.resnet import ResnetBlock2D
from torch import nn


def keep_layout(network: nn.Module) -> None:
    """Have residual blocks leave the layout of what they take, in training as in evaluation; call it after ``train``.

    In training mode diffusers copies a block's input to channels-first, for the sake of gradients that several
    processes exchange. Behind the first such block half of a U-Net leaves channels-last, and a step on a CPU takes a
    fifth longer (docs/training/speed.md). The block knows its mode for that and for its dropout alone: blocks with
    dropout are left as they are.
    """
    for part in network.modules():
        if isinstance(part, ResnetBlock2D) and part.dropout.p == 0:
            part.training = False
