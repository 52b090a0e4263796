"""Convolutions and normalizations that prefer one layout in memory, and upsampling that convolves no copies."""

from __future__ import annotations

from typing import Any, Final

import torch
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn
from torch.nn import functional as F

from monai_xray2mri.networks.inference.winograd import FEWEST_CHANNELS, SIDES, winograd, winograd_pays

_FOLD: Final = ((0.0, 0.0, 1.0), (0.0, 1.0, 1.0), (1.0, 1.0, 0.0), (1.0, 0.0, 0.0))
"""What the four taps of the transposed convolution are of the three of the convolution, along each axis."""
_FEW_PIXELS: Final = 256
"""So small an image is normalized four times faster with channels first, in the time of the copies too."""


class PlainConvolution(nn.Module):
    """A convolution with its weights in the type that is computed in, and of 3 x 3 by Winograd where that pays.

    Args:
        layer: whose weights it has; padded with zeros.
        dtype: what it computes in.
    """

    def __init__(self, layer: nn.Conv2d, dtype: torch.dtype) -> None:
        super().__init__()
        on_cpu = layer.weight.device.type == "cpu"
        self.stride, self.padding, self.dilation, self.groups = (
            layer.stride,
            layer.padding,
            layer.dilation,
            layer.groups,
        )
        self.pointwise = on_cpu and layer.kernel_size == (1, 1) and layer.stride == (1, 1) and layer.groups == 1
        simple = layer.kernel_size == (3, 3) and layer.stride == (1, 1) and layer.padding == (1, 1)
        plain = layer.dilation == (1, 1) and layer.groups == 1
        many = min(layer.in_channels, layer.out_channels) >= FEWEST_CHANNELS
        self.fewer = on_cpu and dtype == torch.float32 and simple and plain and many and winograd_pays()
        weight = layer.weight.detach().to(dtype)
        self.weight = weight.contiguous(memory_format=torch.channels_last)
        self.first = weight.contiguous() if self.fewer or self.pointwise else None
        self.bias = None if layer.bias is None else layer.bias.detach().to(dtype)

    def takes_channels_first(self, image: Tensor) -> bool:
        """Whether images [B,C,H,W] of this size are convolved by Winograd, which wants channels first."""
        return self.fewer and SIDES[0] <= min(image.shape[2:]) and max(image.shape[2:]) <= SIDES[1]

    def forward(self, image: Tensor) -> Tensor:
        """As the layer's."""
        image = image.to(self.weight.dtype)
        if self.takes_channels_first(image):
            return winograd(image, self.first, self.bias)  # type: ignore[arg-type]
        if self.pointwise and image.is_contiguous():
            assert self.first is not None
            found = torch.matmul(self.first[:, :, 0, 0], image.flatten(2)).unflatten(2, image.shape[2:])
            return found if self.bias is None else found.add_(self.bias[:, None, None])
        if self.pointwise and image.is_contiguous(memory_format=torch.channels_last):
            return F.linear(image.permute(0, 2, 3, 1), self.weight[:, :, 0, 0], self.bias).permute(0, 3, 1, 2)
        return F.conv2d(image, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


def is_plain(layer: nn.Module) -> bool:
    """Whether :class:`PlainConvolution` does what a layer does."""
    return type(layer) is nn.Conv2d and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)


def normalize(image: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Group normalization of [B,C,H,W]; small images come out with channels first on a CPU."""
    if image.device.type == "cpu" and image.shape[2] * image.shape[3] <= _FEW_PIXELS:
        image = image.contiguous()
    return F.group_norm(image, groups, weight, bias, eps)


def modulate(
    image: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float, scale: Tensor, shift: Tensor
) -> Tensor:
    """Group normalization of [B,C,H,W], then scaled by 1 + [B,C] and shifted by [B,C]."""
    batch, channels = image.shape[:2]
    scale, weight = 1 + scale, weight.to(scale)
    if not image.is_contiguous() and image.device.type == "cpu" and image.shape[2] * image.shape[3] > _FEW_PIXELS:
        normal = F.group_norm(image, groups, weight, bias.to(weight), eps)
        return normal.mul_(scale[:, :, None, None]).add_(shift[:, :, None, None])
    # Images of the batch become channels of one image, each group with the scale and shift of its own image.
    factor, summand = (scale * weight).flatten(), torch.addcmul(shift, scale, bias.to(scale)).flatten()
    one = image.contiguous().view(1, batch * channels, *image.shape[2:])
    return F.group_norm(one, batch * groups, factor, summand, eps).view(image.shape)


class FoldedUpsample(nn.Module):
    """Doubling of an image and the convolution of 3 x 3 behind it, as one transposed convolution of 4 x 4.

    Each pixel of the doubled image has three equal neighbors, so that the convolution multiplies copies: nine products
    where four of summed weights do. The sums are equal but for rounding.

    Args:
        layer: whose weights it has.
        dtype: what it computes in.
    """

    def __init__(self, layer: Upsample2D, dtype: torch.dtype) -> None:
        super().__init__()
        convolution: nn.Conv2d = layer.conv  # type: ignore[assignment]
        weight = convolution.weight.detach().float()
        fold = weight.new_tensor(_FOLD)
        folded = torch.einsum("pk,ql,dckl->cdpq", fold, fold, weight).to(dtype)  # [C,D,4,4]
        self.weight = folded.contiguous(memory_format=torch.channels_last)
        self.bias = None if convolution.bias is None else convolution.bias.detach().to(dtype)

    def forward(self, image: Tensor, output_size: object = None) -> Tensor:
        """[B,C,H,W] to [B,D,2H,2W]; ``output_size`` of diffusers' blocks is that size."""
        image = image.to(self.weight.dtype).contiguous(memory_format=torch.channels_last)
        return F.conv_transpose2d(image, self.weight, self.bias, stride=2, padding=1)


def is_folded(layer: nn.Module) -> bool:
    """Whether :class:`FoldedUpsample` does what a layer does."""
    if type(layer) is not Upsample2D:
        return False
    convolution: Any = layer.conv if layer.name == "conv" else None
    return (
        getattr(layer, "norm", None) is None
        and bool(layer.use_conv and layer.interpolate and not layer.use_conv_transpose)
        and isinstance(convolution, nn.Conv2d)
        and (convolution.kernel_size, convolution.padding, convolution.groups) == ((3, 3), (1, 1), 1)
    )
