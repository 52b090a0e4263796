"""What SCCDM does to a step of sampling (Wan 2025, Algorithm 1 and Eq. 6 to 8).

A blurred estimate of d_0 is brought back to the noise of the step and takes the place of d_t, by shares where the up
path is active (Eq. 7) and wholly where the middle block looks (Eq. 8).

The paper leaves open, and here is chosen:

- FuseMultiScale: the mean absolute activation over the channels of each level of the up path, brought to the size of
  the image, scaled to 0..1 for each image, and averaged over the levels.
- The scale of A_t: the paper's threshold of 0.5 is applied to the attention over its maximum. The released code's, 1.0,
  belongs to the attention as it is, whose mean is 1: ``scaled=False``.
- The blur: 5 x 5, sigma 1.
- Algorithm 1 prints sqrt(1 - alpha_t) in the mean; only sqrt(1 - alpha_bar_t) makes it the mean of Ho et al. (2020).

Where the middle block looks, blurred content is put in. Self-attention guidance (Hong et al. 2023) does the opposite:
it steers away from what the network predicts for the blurred image. ``"guidance"`` is that variant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from monai_xray2mri.diffusion.samplers import Model
from monai_xray2mri.diffusion.schedule import NoiseSchedule
from monai_xray2mri.systems.foot_xray_sccdm.multiscale_unet import Denoised

Variant = Literal["paper", "guidance", "none"]
VARIANTS: Final = ("paper", "guidance", "none")
THRESHOLD: Final = 0.5
GUIDANCE: Final = 0.1
_REACH: Final = 2


@dataclass(frozen=True)
class Refinement:
    """Settings of the refinement.

    Attributes:
        variant: ``"paper"`` (one call a step), ``"guidance"`` (two calls a step) or ``"none"``.
        threshold: psi of Algorithm 1.
        scaled: whether the attention is divided by its maximum before it meets the threshold.
        guidance: s of the variant ``"guidance"``: eps + s (eps - eps of the refined d_t).

    Raises:
        ValueError: an unknown variant.
    """

    variant: Variant = "paper"
    threshold: float = THRESHOLD
    scaled: bool = True
    guidance: float = GUIDANCE

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise ValueError(f"the variant must be one of {', '.join(VARIANTS)}, got {self.variant!r}")

    def bind(
        self, denoise: Callable[[Tensor, Tensor], Denoised], schedule: NoiseSchedule
    ) -> tuple[Model, Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]] | None]:
        """A model for the sampler, and what alters its steps.

        Args:
            denoise: (d_t [B,C,h,w], t [B]) to what the network gives, with the condition bound.
            schedule: its noise schedule.
        """
        last: list[Denoised] = []

        def model(d_t: Tensor, t: Tensor) -> Tensor:
            last[:] = [denoise(d_t, t)]
            return last[0].prediction

        def refine(d_t: Tensor, d_0: Tensor, eps: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
            a, s = schedule.coefficients(t, d_t)
            altered = self.altered(d_t, a * blurred(d_0) + s * eps, last[0])
            if self.variant == "guidance":
                prediction = denoise(altered, t).prediction
                eps = eps + self.guidance * (eps - schedule.split(prediction, altered, t)[1])
                return (d_t - s * eps) / a, eps
            return (altered - s * eps) / a, eps

        return model, None if self.variant == "none" else refine

    def altered(self, d_t: Tensor, smooth: Tensor, given: Denoised) -> Tensor:
        """d_t after Eq. 7 and 8.

        Args:
            d_t: [B,C,h,w].
            smooth: the blurred estimate at the noise of the step, paper: d_t with a tilde.
            given: what the network gave for d_t.
        """
        found = torch.lerp(d_t, smooth, fuse_scales(given.features, d_t.shape[-2:]))
        if given.attention is None:
            return found
        gate = self.gate(given.attention, d_t.shape[-2:])
        return torch.lerp(found, smooth, gate)

    def gate(self, attention: Tensor, size: torch.Size) -> Tensor:
        """G_t [B,1,h,w] of the attention [B,1,h',w']: 1 where it is above the threshold, else 0."""
        if self.scaled:
            attention = attention / attention.amax(dim=(1, 2, 3), keepdim=True)
        return F.interpolate((attention > self.threshold).to(attention.dtype), size, mode="nearest")


def fuse_scales(features: tuple[Tensor, ...], size: torch.Size) -> Tensor:
    """M_t [B,1,h,w] in [0,1] of the activations of the up path's levels, each [B,C,h',w'].

    Args:
        features: of the levels.
        size: (h, w) of the image.
    """
    masks = []
    for level in features:
        active = F.interpolate(level.abs().mean(dim=1, keepdim=True), size, mode="bilinear", align_corners=False)
        low, high = active.amin(dim=(2, 3), keepdim=True), active.amax(dim=(2, 3), keepdim=True)
        masks.append((active - low) / (high - low).clamp(min=1e-8))
    return torch.stack(masks).mean(dim=0)


def blurred(image: Tensor) -> Tensor:
    """Gaussian blur of [B,C,h,w], 5 x 5, sigma 1, borders mirrored."""
    channels = image.shape[1]
    kernel = torch.exp(-0.5 * torch.arange(-_REACH, _REACH + 1, device=image.device, dtype=image.dtype) ** 2)
    kernel = kernel / kernel.sum()
    rows = kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    columns = kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    padded = F.pad(image, (_REACH,) * 4, mode="reflect")
    return F.conv2d(F.conv2d(padded, rows, groups=channels), columns, groups=channels)
