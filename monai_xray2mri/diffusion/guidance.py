"""The condition of a denoiser, and classifier-free guidance (Ho and Salimans 2022).

*Guidance* is a scale here and everywhere; the vector that the up path of a denoiser gets is its *guide*.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Condition(NamedTuple):
    """What a denoiser is conditioned on, encoded once per result.

    Attributes:
        image_latent: latent of the image that is given, [B,K,h,w]; E2(y) of a radiograph y in Wang 2024a.
        context: tokens of it, [B,N,context].
        guide: vector for the up path, [B,G]; one-hot features r, [B,61], in Wang 2024a.
    """

    image_latent: Tensor
    context: Tensor
    guide: Tensor

    def expand(self, batch: int) -> Condition:
        """The condition of one result for ``batch`` of its images (no copy)."""
        return Condition(*(part.expand(batch, *part.shape[1:]) for part in self))


Predict = Callable[[Tensor, Tensor, Condition], Tensor]
"""The denoiser: (z_t [B,C,h,w], t [B], condition of B) to its prediction [B,C,h,w]; guide [m*B,G] to [m*B,C,h,w]."""


def classifier_free_guidance(
    predict: Predict, condition: Condition, null: Condition, scale: float, guide_scale: float | None = None
) -> Callable[[Tensor, Tensor], Tensor]:
    """A denoiser with its condition bound, guided by image and guide, each with a scale of its own.

    The result is free + scale * (image - free) + guide_scale * (both - image), where *free* is the prediction for the
    null condition and *image* the one for a guide that is unknown (Brooks, Holynski and Efros, InstructPix2Pix, CVPR
    2023, Eq. 3, the guide in place of the instruction). All predictions that count come from one call.

    Args:
        predict: the denoiser.
        condition: what it is conditioned on.
        null: what the denoiser learned to take for no condition.
        scale: of the image; 1 is the conditional prediction alone (one call of the batch), 0 the free one.
        guide_scale: of the guide; None the same as ``scale``, which gives the guidance of Ho and Salimans:
            free + scale * (both - free).
    """
    # A guide that is unknown has nothing to guide by.
    same = guide_scale is None or torch.equal(condition.guide, null.guide)
    guide = scale if same or guide_scale is None else guide_scale
    alone = condition._replace(guide=null.guide)
    shares = ((1 - scale, null), (scale - guide, alone), (guide, condition))
    used = [(share, one) for share, one in shares if share != 0]
    if len(used) == 1:
        return lambda z_t, t: predict(z_t, t, used[0][1])
    together = Condition(*(torch.cat(parts) for parts in zip(*(one for _, one in used), strict=True)))
    copies = len(used)
    if all(one.image_latent is condition.image_latent for _, one in used):
        # Only the guides differ: what the denoiser computes before it looks at them is the same, and done once.
        together, copies = condition._replace(guide=together.guide), 1

    def model(z_t: Tensor, t: Tensor) -> Tensor:
        predictions = predict(z_t.repeat(copies, 1, 1, 1), t.repeat(copies), together).chunk(len(used))
        return torch.stack([share * one for (share, _), one in zip(used, predictions, strict=True)]).sum(dim=0)

    return model
