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
        features: guidance of the up path, [B,G]; one-hot code r, [B,61], in Wang 2024a.
    """

    radiograph_latent: Tensor
    context: Tensor
    features: Tensor

    def expand(self, batch: int) -> Condition:
        """The condition of one knee for ``batch`` of its slices (no copy)."""
        return Condition(*(part.expand(batch, *part.shape[1:]) for part in self))


Predict = Callable[[Tensor, Tensor, Condition], Tensor]
"""The denoiser: (z_t [B,C,h,w], t [B], condition of B) to its prediction [B,C,h,w]; features [m*B,G] to [m*B,C,h,w]."""


def guided(
    predict: Predict, condition: Condition, null: Condition, scale: float, feature_scale: float | None = None
) -> Callable[[Tensor, Tensor], Tensor]:
    """A denoiser with its condition bound, guided by radiograph and features, each with a scale of its own.

    free + scale * (radiograph - free) + feature_scale * (both - radiograph), where *radiograph* is the prediction for
    features that are unknown (Brooks, Holynski and Efros, InstructPix2Pix, CVPR 2023, Eq. 3, radiograph in place of the
    image and features in place of the instruction). All predictions that count come from one call.

    Args:
        predict: the denoiser.
        condition: what guides it.
        null: the condition that it learnt to know as none.
        scale: of the radiograph; 1 is the conditional prediction alone (one call of the batch), 0 the free one.
        feature_scale: of the features; None the same as ``scale``, which gives the guidance of Ho and Salimans:
            free + scale * (both - free).
    """
    # Features that are unknown have nothing to be guided by.
    same = feature_scale is None or torch.equal(condition.features, null.features)
    features = scale if same or feature_scale is None else feature_scale
    alone = condition._replace(features=null.features)
    shares = ((1 - scale, null), (scale - features, alone), (features, condition))
    used = [(share, one) for share, one in shares if share != 0]
    if len(used) == 1:
        return lambda z_t, t: predict(z_t, t, used[0][1])
    together = Condition(*(torch.cat(parts) for parts in zip(*(one for _, one in used), strict=True)))
    copies = len(used)
    if all(one.radiograph_latent is condition.radiograph_latent for _, one in used):
        # Only the features differ: what the denoiser computes before it looks at them is the same, and done once.
        together, copies = condition._replace(features=together.features), 1

    def model(z_t: Tensor, t: Tensor) -> Tensor:
        predictions = predict(z_t.repeat(copies, 1, 1, 1), t.repeat(copies), together).chunk(len(used))
        return torch.stack([share * one for (share, _), one in zip(used, predictions, strict=True)]).sum(dim=0)

    return model
