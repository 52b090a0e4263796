"""A network's twin for inference: the same weights, the same output but for rounding, computed in less time."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Final, TypeVar

import torch
from torch import nn

from monai_xray2mri.networks.inference.blocks import ResidualBlock, Transformer, is_residual, is_transformer
from monai_xray2mri.networks.inference.convolution import FoldedUpsample, PlainConvolution, is_folded, is_plain

_Network = TypeVar("_Network", bound=nn.Module)

_REPLACED: Final[tuple[tuple[Callable[[nn.Module], bool], Callable[..., nn.Module]], ...]] = (
    (is_residual, ResidualBlock),
    (is_transformer, Transformer),
    (is_folded, FoldedUpsample),
    (is_plain, PlainConvolution),
)
"""Which parts are replaced, and by what; a part that none of these is stays as it is."""


def inference_twin(network: _Network, dtype: torch.dtype = torch.float32) -> _Network:
    """A network that computes what another does, for as long as its weights stay as they are.

    Parts of a kind that is known are replaced (docs/speed.md says by what, and what each gains), all others are shared;
    a part with hooks stays as it is. Methods and attributes are the network's own. Making a twin costs some
    milliseconds: the weights of what is replaced are laid out, and with another type than float32 converted, once. A
    network in training mode is its own twin.

    Args:
        network: in evaluation mode; it is not altered.
        dtype: what convolutions and attention compute in.

    Example:
        >>> network = nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.SiLU()).eval()
        >>> image = torch.ones(1, 4, 8, 8)
        >>> with torch.inference_mode():
        ...     torch.allclose(inference_twin(network)(image), network(image), atol=1e-5)
        True
    """
    return network if network.training else _twin(network, dtype)


def _twin(module: _Network, dtype: torch.dtype) -> _Network:
    for fits, kind in _REPLACED:
        if fits(module) and not _watched(module):
            return kind(module, dtype).eval()  # type: ignore[return-value]
    twin = copy.copy(module)
    if isinstance(twin._modules.get("conv_act"), nn.SiLU):  # the last of a U-Net or decoder; it follows a normalization
        module = copy.copy(module)
        module._modules = {**module._modules, "conv_act": nn.SiLU(inplace=True)}
    twin._modules = {name: part and _twin(part, dtype) for name, part in module._modules.items()}
    return twin


def _watched(module: nn.Module) -> bool:
    """Whether somebody has put hooks on a part or on parts of it."""
    return any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
