"""ScoreMRI (Chung and Ye 2022) as X-Diffusion compares with it: on interpolated slices (appendix D.3).

ScoreMRI draws each slice from a score network and projects it on the acquired lines of k-space after every step. The
paper gives it slices that were interpolated from the K acquired ones, and does not say what is then taken for measured.
Here the center of an interpolated slice's k-space is, and all of an acquired slice's: the finer the detail, the less an
interpolation knows of it.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.core.random_streams import case_generator
from monai_xray2mri.systems.mri_xdiffusion.baselines.exploding import (
    PlanePrior,
    langevin_step,
    noise_like,
    reverse_step,
)
from monai_xray2mri.systems.mri_xdiffusion.baselines.given import GivenSlices
from monai_xray2mri.systems.mri_xdiffusion.baselines.interpolation import interpolated
from monai_xray2mri.systems.mri_xdiffusion.baselines.undersampling import Undersampling
from monai_xray2mri.systems.mri_xdiffusion.planes import plane_axis, split_places, ticks


class ScoreMRI:
    """Predictor and corrector with projection on what was measured.

    Args:
        prior: of the plane that slices are counted along.
        steps: N; the published code takes 2,000.
        trusted: share of the lines of an interpolated slice that count as measured.
    """

    def __init__(self, prior: PlanePrior, steps: int = 30, trusted: float = 0.25) -> None:
        self.prior, self.steps, self.trusted = prior, steps, trusted

    def predict(self, given: GivenSlices, samples: int, seed: int) -> np.ndarray:
        """[samples,D,D,D] float32."""
        drawn = [self._draw(given, case_generator("ScoreMRI", seed, given.name, n)) for n in range(samples)]
        return torch.stack(drawn).clamp(0, 1).numpy()

    @torch.inference_mode()
    def _draw(self, given: GivenSlices, generator: torch.Generator) -> Tensor:
        size = given.shape[0]
        between = interpolated(given.slices, given.places, given.known)
        middle = Undersampling.middle(size, self.trusted)
        measured = middle.measured(between)
        own = _positions(given, self.prior.axis)

        def project(volume: Tensor) -> Tensor:
            projected = middle.consistent(volume, measured)
            projected[own] = between[own]
            return projected

        def estimate(volume: Tensor, step: int) -> Tensor:
            return project(self.prior.denoised(volume, step, self.steps))

        sigmas = self.prior.sigmas(self.steps)
        volume = sigmas[0] * noise_like(between, generator)
        for step, (sigma, lower) in enumerate(itertools.pairwise(sigmas)):
            volume = reverse_step(volume, estimate(volume, step), sigma, lower, noise_like(volume, generator))
            if step + 1 < self.steps:
                clean = estimate(volume, step + 1)
                volume = langevin_step(volume, clean, lower, noise_like(volume, generator))
        return project(volume)


def _positions(given: GivenSlices, axis: int) -> Tensor:
    """Indices of the given slices along an axis; empty where they lie along another."""
    rotation, depth = split_places(given.places)
    along = depth[plane_axis(rotation) == axis]
    return (along[:, None] - ticks(given.shape[0])).abs().argmin(dim=1)
