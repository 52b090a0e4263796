"""DiffusionMBIR (Chung et al. 2023): a prior of slices, total variation across them, and acquired lines of k-space.

After each step of the prior the volume solves

    min_x  1/2 |A x - y|^2 + weight |D x|_1

where A keeps the acquired lines and D is the difference of neighboring slices, by one turn of ADMM whose variables are
kept from step to step, with a few conjugate gradients inside (their algorithm 2, fast version).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

from monai_xray2mri.core.random_streams import case_generator
from monai_xray2mri.systems.mri_xdiffusion.baselines.exploding import PlanePrior, noise_like, reverse_step
from monai_xray2mri.systems.mri_xdiffusion.baselines.undersampling import Undersampling


class TotalVariationDiffusion:
    """Reconstructs volumes from undersampled slices.

    Args:
        prior: of the plane of the slices; its axis must be 0.
        steps: N; the published code takes 2,000.
        weight: of the total variation.
        coupling: rho of ADMM.
        gradients: conjugate gradients a step.
    """

    def __init__(
        self, prior: PlanePrior, steps: int = 30, weight: float = 0.01, coupling: float = 0.1, gradients: int = 3
    ) -> None:
        self.prior, self.steps = prior, steps
        self.weight, self.coupling, self.gradients = weight, coupling, gradients

    @torch.inference_mode()
    def reconstruct(self, name: str, measured: Tensor, lines: Undersampling, seed: int = 0) -> Tensor:
        """The volume [D,D,D] of measured lines [D,D,D] complex; 0 to 1."""
        generator = case_generator("DiffusionMBIR", seed, name)
        filled = lines.filled(measured)
        dual = torch.zeros_like(filled[1:])
        split: Tensor | None = None
        sigmas = self.prior.sigmas(self.steps)
        volume = sigmas[0] * noise_like(filled, generator)
        for step, (sigma, lower) in enumerate(itertools.pairwise(sigmas)):
            clean = self.prior.denoised(volume, step, self.steps)
            start = clean.diff(dim=0) if split is None else split
            clean, split, dual = self._admm(clean, filled, lines, start, dual)
            volume = reverse_step(volume, clean, sigma, lower, noise_like(volume, generator))
        return lines.consistent(volume, measured).clamp(0, 1)

    def _admm(
        self, start: Tensor, filled: Tensor, lines: Undersampling, split: Tensor, dual: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        def normal(volume: Tensor) -> Tensor:
            return lines.filled(lines.measured(volume)) + self.coupling * _adjoint(volume.diff(dim=0))

        volume = _conjugate_gradients(normal, filled + self.coupling * _adjoint(split - dual), start, self.gradients)
        steps = volume.diff(dim=0)
        split = torch.nn.functional.softshrink(steps + dual, self.weight / self.coupling)
        return volume, split, dual + steps - split


def _adjoint(differences: Tensor) -> Tensor:
    """The adjoint of the difference of neighbors: [S-1,H,W] to [S,H,W]."""
    zero = torch.zeros_like(differences[:1])
    return torch.cat([zero, differences]) - torch.cat([differences, zero])


def _conjugate_gradients(normal: Callable[[Tensor], Tensor], right: Tensor, start: Tensor, count: int) -> Tensor:
    """``count`` steps towards the solution of normal(x) = right."""
    found, residual = start, right - normal(start)
    direction, size = residual, residual.square().sum()
    for _ in range(count):
        applied = normal(direction)
        step = size / (direction * applied).sum().clamp(min=1e-20)
        found, residual = found + step * direction, residual - step * applied
        previous, size = size, residual.square().sum()
        direction = residual + (size / previous.clamp(min=1e-20)) * direction
    return found
