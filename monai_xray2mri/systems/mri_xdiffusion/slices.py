"""How K input slices become one (X-Diffusion, section 3.2, appendix C.4 and Table VIII).

================== ==================================================================================================
name               rule
================== ==================================================================================================
``mean_product``   elementwise product of neighbors, mean over the K - 1 pairs (section 3.2; the sum of the appendix
                   runs to K, one more than there are pairs)
``matrix_product`` matrix product of each slice with its neighbor's transpose, mean over pairs (the released code),
                   divided by the number of columns, so that it stays in [0,1]
``mlp``            a small network on pairs of neighbors, mean over pairs (Table VIII: "MLP"; its form is ours)
``tokens``         nothing is reduced: each slice has its own context tokens with its own pose (ours)
================== ==================================================================================================

One slice stays as it is under each rule; by the formula of the paper it would be divided by zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor, nn

REDUCTIONS: Final = ("mean_product", "matrix_product", "mlp", "tokens")


def mean_product(slices: Tensor) -> Tensor:
    """Mean over pairs, 1 / (K-1) sum_j x_j * x_{j+1}, elementwise: [B,K,H,W] in [0,1] to [B,1,H,W] in [0,1]."""
    return slices if slices.shape[1] == 1 else (slices[:, :-1] * slices[:, 1:]).mean(dim=1, keepdim=True)


def matrix_product(slices: Tensor) -> Tensor:
    """Mean over pairs, 1 / (K-1) sum_j x_j x_{j+1}^T / W: [B,K,H,W] in [0,1] to [B,1,H,H] in [0,1]."""
    if slices.shape[1] == 1:
        return slices
    products = torch.einsum("bkij,bklj->bkil", slices[:, :-1], slices[:, 1:]) / slices.shape[-1]
    return products.mean(dim=1, keepdim=True)


PRODUCTS: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "mean_product": mean_product,
    "matrix_product": matrix_product,
}
"""Rules without weights, on images."""


def reduce_images(images: Tensor, reduction: str) -> Tensor:
    """Images [B,K,H,W] in [-1,1] by a rule without weights: [B,1,H,W]; by another rule they stay as they are."""
    if reduction not in PRODUCTS or images.shape[1] == 1:
        return images
    return PRODUCTS[reduction]((images + 1) / 2) * 2 - 1


class PairNetwork(nn.Module):
    """Rule ``mlp``: a perceptron on the channels of neighboring latents, in addition to their mean.

    Args:
        channels: of a latent.
        hidden: width of the perceptron.
    """

    def __init__(self, channels: int, hidden: int = 64) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Conv2d(2 * channels, hidden, 1), nn.SiLU(), nn.Conv2d(hidden, channels, 1))

    def forward(self, latents: Tensor) -> Tensor:
        """[B,K,C,h,w] to [B,C,h,w]."""
        if latents.shape[1] == 1:
            return latents[:, 0]
        pairs = torch.cat([latents[:, :-1], latents[:, 1:]], dim=2)  # [B,K-1,2C,h,w]
        batch, number = pairs.shape[:2]
        learned: Tensor = self.mlp(pairs.flatten(0, 1)).unflatten(0, (batch, number)).mean(dim=1)
        return latents.mean(dim=1) + learned


class SliceTokens(nn.Module):
    """Context tokens of K slices: [B,K,H,W] in [-1,1] to [B,N,width], or [B,K*N,width] where slices stay apart.

    Args:
        encoder: tokens [B,N,width] of images [B,1,H,W], with the attribute ``tokens`` = (N, width), such as
            :class:`~monai_xray2mri.networks.condition.ImageEncoder`.
        reduction: one of ``REDUCTIONS``.

    Raises:
        ValueError: another reduction.
    """

    def __init__(self, encoder: nn.Module, reduction: str) -> None:
        super().__init__()
        if reduction not in REDUCTIONS:
            raise ValueError(f"reduction must be one of {REDUCTIONS}, got {reduction!r}")
        self.encoder, self.reduction = encoder, reduction

    @property
    def tokens(self) -> tuple[int, int]:
        """Number of tokens N of a slice, and their width."""
        tokens: Any = self.encoder.tokens
        number, width = tokens
        return int(number), int(width)

    def forward(self, images: Tensor) -> Tensor:
        """Encode the slices."""
        reduced = reduce_images(images, self.reduction)
        batch, number = reduced.shape[:2]
        tokens: Tensor = self.encoder(reduced.flatten(0, 1)[:, None]).unflatten(0, (batch, number))  # [B,K,N,width]
        return tokens.flatten(1, 2) if self.reduction == "tokens" else tokens.mean(dim=1)
