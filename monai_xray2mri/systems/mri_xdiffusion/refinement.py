"""Test-time optimization (X-Diffusion, appendix D.17), as it is printed and as it might be meant.

The paper computes "the entropy loss of the logits" of the predicted noise, says both that a standard way is to minimize
it and that the goal is to maximize it, and adjusts the noise with a weight of 0.01. A predicted noise has no logits:
what can be done as printed is the entropy of its softmax. Ours asks for what is known instead: where a section crosses
a slice that is given, the estimate of z_0 is drawn towards that slice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import torch
from torch import Tensor

from monai_xray2mri.diffusion.samplers import Model
from monai_xray2mri.diffusion.schedule import NoiseSchedule
from monai_xray2mri.systems.mri_xdiffusion.network import CrossSectionDiffusion
from monai_xray2mri.systems.mri_xdiffusion.sections import SampledVolume

ENTROPY_WEIGHT: Final = 0.01
"""The paper's."""

Refinement = Callable[[Model, NoiseSchedule, Tensor], Model]
"""From the denoiser of sections at places [B,10] to a denoiser whose estimates are refined."""


def entropy_gradient(eps: Tensor) -> Tensor:
    """Gradient of the entropy H of softmax(eps) over all numbers of a section, [B,C,h,w]: -p (log p + H)."""
    log_p = eps.flatten(1).log_softmax(dim=1)
    p = log_p.exp()
    entropy = -(p * log_p).sum(dim=1, keepdim=True)
    return (-p * (log_p + entropy)).reshape(eps.shape)


def entropy_refined(maximize: bool, weight: float = ENTROPY_WEIGHT) -> Refinement:
    """Appendix D.17 as printed: the predicted noise moves along the gradient of its entropy, or against it."""
    signed = weight if maximize else -weight

    def refine(model: Model, schedule: NoiseSchedule, place: Tensor) -> Model:
        def refined(z_t: Tensor, t: Tensor) -> Tensor:
            eps = schedule.split(model(z_t, t), z_t, t)[1]
            eps = eps + signed * entropy_gradient(eps)
            a, s = schedule.coefficients(t, z_t)
            return schedule.target((z_t - s * eps) / a, t, eps)

        return refined

    return refine


def consistent(network: CrossSectionDiffusion, slabs: Sequence[SampledVolume], weight: float = 1.0) -> Refinement:
    """Ours: estimates of z_0 agree with the given slices where sections cross them.

    Args:
        network: whose latents they are.
        slabs: the given slices as volumes one voxel thick, intensities in [0,1].
        weight: 1 replaces the estimate, less moves it that share of the way.
    """

    def refine(model: Model, schedule: NoiseSchedule, place: Tensor) -> Model:
        values, known = _crossings(slabs, place.cpu(), network.image_size)
        z_known = network.encode((values[:, None] * 2 - 1).to(network.latent_scale))
        cells = weight * network.known_cells(known[:, None].float().to(network.latent_scale))

        def refined(z_t: Tensor, t: Tensor) -> Tensor:
            z_0 = schedule.split(model(z_t, t), z_t, t)[0]
            z_0 = z_0 + cells * (z_known - z_0)
            a, s = schedule.coefficients(t, z_t)
            return schedule.target(z_0, t, (z_t - a * z_0) / s)

        return refined

    return refine


def _crossings(slabs: Sequence[SampledVolume], place: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """What slices show on sections at places [B,10], and where: [B,D,D] each; of several the last one counts."""
    values = torch.zeros(len(place), size, size)
    known = torch.zeros_like(values, dtype=torch.bool)
    for slab in slabs:
        shown, here = slab.sections(place, size)
        values[here] = shown[here]
        known |= here
    return values, known
