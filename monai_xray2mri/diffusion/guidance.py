"""What guides a denoiser, and classifier-free guidance (Ho and Salimans 2022)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Condition(NamedTuple):
    """What guides the denoiser, encoded once per knee.

    Attributes:
        radiograph_latent: E2(y), [B,C,h,w].
        context: image embedding, [B,N,context].
        features: guidance of the up path, [B,G]; one-hot code r, [B,61], in paper 000.
    """

    radiograph_latent: Tensor
    context: Tensor
    features: Tensor

    def expand(self, batch: int) -> Condition:
        """The condition of one knee for ``batch`` of its slices (no copy)."""
        return Condition(*(part.expand(batch, *part.shape[1:]) for part in self))

    def beside(self, other: Condition) -> Condition:
        """Both conditions in one batch, this one first."""
        return Condition(*(torch.cat(pair) for pair in zip(self, other, strict=True)))


Predict = Callable[[Tensor, Tensor, Condition], Tensor]
"""The denoiser: (z_t [B,C,h,w], t [B], condition of B) to its prediction [B,C,h,w]."""


def guided(predict: Predict, condition: Condition, null: Condition, scale: float) -> Callable[[Tensor, Tensor], Tensor]:
    """A denoiser with its condition bound: free + scale * (conditional - free), both from one call of twice the batch.

    Args:
        predict: the denoiser.
        condition: what guides it.
        null: the condition that it learnt to know as none.
        scale: 1 is the conditional prediction alone (one call of the batch), 0 the free one.
    """
    if scale == 1:
        return lambda z_t, t: predict(z_t, t, condition)
    both = null.beside(condition)

    def model(z_t: Tensor, t: Tensor) -> Tensor:
        free, conditional = predict(torch.cat([z_t, z_t]), torch.cat([t, t]), both).chunk(2)
        return free + scale * (conditional - free)

    return model
