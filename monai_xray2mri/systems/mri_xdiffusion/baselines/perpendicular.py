"""Two perpendicular networks (TPDM; Lee et al. 2023) as X-Diffusion compares with it: given K slices (appendix D.3).

The prior of a volume is the product of two priors of sections that lie across each other. Networks take turns; each
step is corrected by diffusion posterior sampling (DPS; Chung et al. 2023): down the gradient of the distance between
what is measured and what the estimate of x_0 says of it.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.core.random_streams import case_generator
from monai_xray2mri.errors import UsageError
from monai_xray2mri.systems.mri_xdiffusion.baselines.exploding import PlanePrior, noise_like, reverse_step
from monai_xray2mri.systems.mri_xdiffusion.baselines.given import Extent, GivenSlices


class PerpendicularPlanes:
    """Two networks in turns, with DPS.

    Args:
        primary: prior of the first plane; with an odd number of steps it has the last word.
        secondary: prior of another plane.
        steps: N; the published code takes 2,000.
        strength: length of a DPS step, as a share of the distance that is left.

    Raises:
        UsageError: both are of one plane.
    """

    def __init__(self, primary: PlanePrior, secondary: PlanePrior, steps: int = 31, strength: float = 1.0) -> None:
        if primary.axis == secondary.axis:
            raise UsageError("networks of TPDM", "must be of two planes", f"both along axis {primary.axis}")
        self.priors, self.steps, self.strength = (primary, secondary), steps, strength

    def predict(self, given: GivenSlices, samples: int, seed: int) -> np.ndarray:
        """[samples,D,D,D] float32."""
        drawn = [self._draw(given, case_generator("TPDM", seed, given.name, n)) for n in range(samples)]
        return torch.stack(drawn).clamp(0, 1).numpy()

    def _draw(self, given: GivenSlices, generator: torch.Generator) -> Tensor:
        sigmas = self.priors[0].sigmas(self.steps)
        volume = sigmas[0] * noise_like(torch.empty(given.shape), generator)
        for step, (sigma, lower) in enumerate(itertools.pairwise(sigmas)):
            clean, correction = self._estimate(volume, step, given)
            noise = noise_like(volume, generator)
            volume = reverse_step(volume, clean, sigma, lower, noise) - correction
        return volume

    def _estimate(self, volume: Tensor, step: int, given: GivenSlices) -> tuple[Tensor, Tensor]:
        """The estimate of x_0, and the step of DPS: along the gradient, as long as the distance is wide."""
        with torch.enable_grad():
            noisy = volume.detach().requires_grad_()
            clean = self.priors[step % 2].denoised(noisy, step, self.steps)
            seen, known = Extent().sampled(clean).sections(given.places, given.shape[0])
            seen_where = known if given.known is None else known & given.known
            distance = ((seen - given.slices) * seen_where).norm()
            (gradient,) = torch.autograd.grad(distance, noisy)
        length = gradient.norm().clamp(min=1e-12)
        return clean.detach(), self.strength * distance.detach() * gradient / length
