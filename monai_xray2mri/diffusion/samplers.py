"""Samplers: one function per algorithm, over ``model(z_t, t) -> prediction``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from monai_xray2mri.diffusion.schedule import NoiseSchedule

Model = Callable[[Tensor, Tensor], Tensor]
"""A denoiser with its condition bound: (z_t [B,C,h,w], t [B]) to its prediction [B,C,h,w]."""


Refine = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""Alters a step: (z_t, z_0, eps [B,C,h,w], t [B]) to the estimates (z_0, eps) that the step goes on with."""


class Sampler(Protocol):
    """An algorithm that draws z_0; :func:`ddim` is one, and says what the arguments are."""

    def __call__(
        self,
        model: Model,
        z_t: Tensor,
        schedule: NoiseSchedule,
        steps: int,
        eta: float,
        noise: Callable[[int], Tensor] | None,
        callback: Callable[[int], None] | None,
    ) -> Tensor:
        """z_0 [B,C,h,w] of the initial noise z_t [B,C,h,w]."""
        ...


def ddim(
    model: Model,
    z_t: Tensor,
    schedule: NoiseSchedule,
    steps: int,
    eta: float = 0.0,
    noise: Callable[[int], Tensor] | None = None,
    callback: Callable[[int], None] | None = None,
    refine: Refine | None = None,
) -> Tensor:
    """DDIM (Song et al. 2021, Eq. 12 and 16).

    With eta = 0 it is Wang 2024a, Eq. 9; with eta = 1 and all T steps it is ancestral sampling (Ho et al. 2020).

    Args:
        model: the denoiser.
        z_t: the initial noise at T-1, [B,C,h,w].
        schedule: the noise schedule that the denoiser was trained with.
        steps: evaluations of the denoiser; one step returns its estimate of the posterior mean.
        eta: 0 deterministic, 1 ancestral.
        noise: gives the noise [B,C,h,w] that the step of an index adds; needed if eta > 0.
        callback: called with the index of each finished step.
        refine: alters the estimates of each step, as SCCDM does; None leaves them.

    Returns:
        z_0, [B,C,h,w].

    Raises:
        ValueError: eta > 0 without noise, or an impossible number of steps.
    """
    if eta > 0 and noise is None:
        raise ValueError(f"eta {eta} needs a source of noise, got none")
    timesteps = schedule.timesteps(steps).tolist()
    for index, (t, t_next) in enumerate(zip(timesteps, [*timesteps[1:], -1], strict=True)):
        now = torch.full((len(z_t),), t, device=z_t.device)
        z_0, eps = schedule.split(model(z_t, now), z_t, now)
        if refine is not None:
            z_0, eps = refine(z_t, z_0, eps, now)
        a, s = schedule.coefficients(now, z_t)
        a_next, s_next = schedule.coefficients(torch.full_like(now, t_next), z_t)
        sigma = eta * (s_next / s) * (1 - (a / a_next) ** 2).clamp(min=0).sqrt()  # Eq. 16 of Song et al.
        z_t = a_next * z_0 + (s_next**2 - sigma**2).clamp(min=0).sqrt() * eps
        if noise is not None and eta > 0 and t_next >= 0:
            z_t = z_t + sigma * noise(index)
        if callback is not None:
            callback(index)
    return z_t


def consistency(
    model: Model,
    z_t: Tensor,
    schedule: NoiseSchedule,
    steps: int,
    eta: float = 1.0,
    noise: Callable[[int], Tensor] | None = None,
    callback: Callable[[int], None] | None = None,
) -> Tensor:
    """Sampling of a consistency model in one or several steps (Song et al. 2023, Algorithm 1).

    Each step jumps to z_0; the next one adds fresh noise to it, less than before. For weights that
    :mod:`monai_xray2mri.training.few_steps` has tuned.

    Args:
        model: the denoiser.
        z_t: the initial noise at T-1, [B,C,h,w].
        schedule: the noise schedule that the denoiser was trained with.
        steps: evaluations of the denoiser.
        eta: not used: all noise of a step is fresh.
        noise: gives the noise [B,C,h,w] that the step of an index adds; needed for more than one step.
        callback: called with the index of each finished step.

    Returns:
        z_0, [B,C,h,w].

    Raises:
        ValueError: several steps without noise, or an impossible number of steps.
    """
    if steps > 1 and noise is None:
        raise ValueError(f"{steps} steps need a source of noise, got none")
    z_0 = z_t
    for index, t in enumerate(schedule.timesteps(steps).tolist()):
        now = torch.full((len(z_t),), t, device=z_t.device)
        if index > 0 and noise is not None:
            z_t = schedule.add_noise(z_0, now, noise(index - 1))
        z_0, _ = schedule.split(model(z_t, now), z_t, now)
        if callback is not None:
            callback(index)
    return z_0


def dpm_solver(
    model: Model,
    z_t: Tensor,
    schedule: NoiseSchedule,
    steps: int,
    eta: float = 0.0,
    noise: Callable[[int], Tensor] | None = None,
    callback: Callable[[int], None] | None = None,
) -> Tensor:
    """DPM-Solver++(2M) (Lu et al. 2022, Algorithm 2): of second order in the logarithm of the signal-to-noise ratio.

    The first step and the last, to the clean latent, are of first order, which is DDIM.

    Args:
        model: the denoiser.
        z_t: the initial noise at T-1, [B,C,h,w].
        schedule: the noise schedule that the denoiser was trained with.
        steps: evaluations of the denoiser.
        eta: must be 0; the solver adds no noise.
        noise: not used.
        callback: called with the index of each finished step.

    Returns:
        z_0, [B,C,h,w].

    Raises:
        ValueError: eta is not 0, or an impossible number of steps.
    """
    if eta != 0:
        raise ValueError(f"DPM-Solver++ adds no noise: eta must be 0, got {eta}")
    timesteps = schedule.timesteps(steps).tolist()
    before: tuple[Tensor, Tensor] | None = None  # z_0 and half log-SNR, at the step before
    for index, (t, t_next) in enumerate(zip(timesteps, [*timesteps[1:], -1], strict=True)):
        now = torch.full((len(z_t),), t, device=z_t.device)
        z_0, _ = schedule.split(model(z_t, now), z_t, now)
        a, s = schedule.coefficients(now, z_t)
        a_next, s_next = schedule.coefficients(torch.full_like(now, t_next), z_t)
        lam, estimate = (a / s).log(), z_0
        if before is not None and t_next >= 0:
            h, h_before = (a_next / s_next).log() - lam, lam - before[1]
            estimate = z_0 + 0.5 * h / h_before * (z_0 - before[0])  # D of Algorithm 2, r = h_before / h
        z_t = s_next / s * z_t + (a_next - a * s_next / s) * estimate  # -a_next (exp(-h) - 1) = a_next - a s_next / s
        before = z_0, lam
        if callback is not None:
            callback(index)
    return z_t
