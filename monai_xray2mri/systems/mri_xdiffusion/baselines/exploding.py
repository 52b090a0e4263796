"""Stacks of sections in the variance-exploding process (Song et al. 2021), in which the three published baselines work.

A volume x_t = x_0 + sigma_t n is the same whichever axis its sections are counted along, because the noise of all
voxels is independent: so networks of different planes can take turns on it. They are networks of X-Diffusion's own
class that were trained without slices, on one plane, with the schedule's rule ``exploding``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from monai_xray2mri.errors import UsageError
from monai_xray2mri.networks.pixel_codec import PixelCodec
from monai_xray2mri.systems.mri_xdiffusion.network import CrossSectionDiffusion
from monai_xray2mri.systems.mri_xdiffusion.planes import plane_rotation, view_places
from monai_xray2mri.systems.mri_xdiffusion.sections import slices_along, volume_along


@dataclass(frozen=True)
class PlanePrior:
    """What a network knows of the sections along one axis, without any slice.

    Published ones do not know where a section lies; this one does, which can only help it.

    Attributes:
        network: trained without slices on this plane.
        axis: of the volume [S,H,W] that its sections are counted along.
        chunk: sections that are computed together; bounds the memory.
    """

    network: CrossSectionDiffusion
    axis: int
    chunk: int = 24

    def __post_init__(self) -> None:
        if not isinstance(self.network.autoencoder, PixelCodec):
            raise UsageError("network of a baseline", "must work on pixels", type(self.network.autoencoder).__name__)

    def sigmas(self, steps: int) -> Tensor:
        """Levels of noise [steps + 1], falling to 0, in units of an intensity of 1."""
        schedule = self.network.schedule
        t = schedule.timesteps(steps)
        alpha_bar = schedule.alpha_bar.cpu()[t]
        sigma = ((1 - alpha_bar) / alpha_bar).sqrt() / float(self.network.latent_scale)
        return torch.cat([sigma, sigma.new_zeros(1)])

    def denoised(self, volume: Tensor, step: int, steps: int) -> Tensor:
        """Estimate [D,D,D] of x_0 from x_t [D,D,D] at a step; its gradient is recorded where it is switched on."""
        rotated = slices_along(volume, self.axis)
        place = view_places(plane_rotation(self.axis), len(volume))
        parts = [
            self._sections(part, at, step, steps)
            for part, at in zip(rotated.split(self.chunk), place.split(self.chunk), strict=True)
        ]
        return volume_along(torch.cat(parts), self.axis)

    def _sections(self, sections: Tensor, place: Tensor, step: int, steps: int) -> Tensor:
        network, schedule = self.network, self.network.schedule
        like = network.latent_scale
        x_t = network.autoencoder.encode(sections[:, None].to(like) * 2 - 1) * like  # 0 is background
        t = torch.full((len(sections),), int(schedule.timesteps(steps)[step]), device=like.device)
        a, _ = schedule.coefficients(t, x_t)
        z_t = a * x_t
        model = network.bind(network.null_condition(len(sections)), place.to(like), guidance=1.0)
        z_0, _ = schedule.split(model(z_t, t), z_t, t)
        image = (network.autoencoder.decode(z_0 / like)[:, 0] + 1) / 2
        return image.to(sections)


def noise_like(volume: Tensor, generator: torch.Generator) -> Tensor:
    """Normal noise, drawn on the CPU."""
    return torch.randn(volume.shape, generator=generator).to(volume)


def reverse_step(volume: Tensor, clean: Tensor, sigma: Tensor, lower: Tensor, noise: Tensor) -> Tensor:
    """The predictor: x at the next lower level (Song et al. 2021, appendix F, ancestral sampling).

    Args:
        volume: x_t.
        clean: the estimate of x_0.
        sigma: level of x_t.
        lower: level of the result.
        noise: normal.
    """
    share = (lower / sigma) ** 2
    return clean + share * (volume - clean) + lower * (1 - share).clamp(min=0).sqrt() * noise


def langevin_step(volume: Tensor, clean: Tensor, sigma: Tensor, noise: Tensor, ratio: float = 0.16) -> Tensor:
    """The corrector: one step of Langevin dynamics (Song et al. 2021, algorithm 5).

    Args:
        volume: x at ``sigma``.
        clean: the estimate of x_0.
        sigma: level.
        noise: normal.
        ratio: signal to noise, of both published codes.
    """
    score = (clean - volume) / sigma**2
    size = 2 * (ratio * noise.norm() / score.norm().clamp(min=1e-12)) ** 2
    return volume + size * score + (2 * size).sqrt() * noise
