"""Noise schedules and the forward process (Wang 2024a, Eq. 2-4 and 8).

Notation (name here -> symbol in the papers):
    alpha_bar      -> cumulative product of alpha_t = 1 - beta_t
    z_0, z_t, eps  -> clean latent, noisy latent, noise
    v              -> sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) z_0 (Salimans and Ho 2022, Appendix D)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Literal, get_args

import torch
from torch import Tensor, nn

Prediction = Literal["epsilon", "v", "sample"]
_LARGEST_WEIGHT = 5.0
"""Of the squared error of z_0 against that of v; without it the last noise, which few pixels ask for, would rule."""


def cosine_alpha_bar(steps: int, offset: float = 0.008) -> Tensor:
    """alpha_bar [T] of the cosine schedule (Nichol and Dhariwal 2021, Eq. 17), beta at most 0.999."""
    t = torch.arange(steps + 1, dtype=torch.float64) / steps
    f = torch.cos((t + offset) / (1 + offset) * math.pi / 2) ** 2
    beta = (1 - f[1:] / f[:-1]).clamp(max=0.999)
    return torch.cumprod(1 - beta, dim=0).float()


def scaled_linear_alpha_bar(steps: int, beta_start: float = 0.00085, beta_end: float = 0.012) -> Tensor:
    """alpha_bar [T] of Stable Diffusion and Zero-123: beta is linear in its square root.

    With other than 1000 steps the betas are divided by steps / 1000, so that T = 2000 of Wang 2024a ends at nearly the
    same noise as the 1000 steps of the weights it starts from.

    Raises:
        ValueError: so few steps that a beta would reach 1.
    """
    scale = 1000 / steps
    if scale * beta_end >= 1:
        raise ValueError(f"the scaled linear rule needs more than {1000 * beta_end:.0f} steps, got {steps}")
    beta = torch.linspace((scale * beta_start) ** 0.5, (scale * beta_end) ** 0.5, steps, dtype=torch.float64) ** 2
    return torch.cumprod(1 - beta, dim=0).float()


def linear_alpha_bar(steps: int, beta_start: float = 1e-4, beta_end: float = 0.02) -> Tensor:
    """alpha_bar [T] of Ho et al. (2020), section 4, and of SCCDM: beta is linear.

    With other than 1000 steps the betas are divided by steps / 1000.

    Raises:
        ValueError: so few steps that a beta would reach 1.
    """
    scale = 1000 / steps
    if scale * beta_end >= 1:
        raise ValueError(f"the linear rule needs more than {1000 * beta_end:.0f} steps, got {steps}")
    beta = torch.linspace(scale * beta_start, scale * beta_end, steps, dtype=torch.float64)
    return torch.cumprod(1 - beta, dim=0).float()


def exploding_alpha_bar(steps: int, lowest: float = 0.01, highest: float = 100.0) -> Tensor:
    """alpha_bar [T] of the variance-exploding process (Song et al. 2021, Eq. 9): x_t = x_0 + sigma_t eps.

    sigma grows geometrically. Divided by sqrt(1 + sigma^2), x_t has the variance that every rule here keeps, and
    alpha_bar = 1 / (1 + sigma^2): the network sees inputs of unit size, and the process is the same.
    """
    sigma = torch.logspace(math.log10(lowest), math.log10(highest), steps, dtype=torch.float64)
    return (1 / (1 + sigma**2)).float()


class NoiseSchedule(nn.Module):
    """The forward process q(z_t|z_0) and what follows from it.

    Args:
        steps: T.
        rule: ``"cosine"``, ``"scaled_linear"``, ``"linear"`` or ``"exploding"``.
        prediction: what the denoiser predicts, ``"epsilon"`` (the papers), ``"v"``, or ``"sample"``, z_0 itself. Where
            a latent has more channels than the network can carry beside what it computes, z_0 alone is within its
            reach, since it has few degrees of freedom and noise has all (Li and He 2025, "Back to Basics: Let Denoising
            Generative Models Denoise").
        network_steps: T of the schedule that the denoiser's weights know, if it is another; see :meth:`network_time`.

    Raises:
        ValueError: an unknown rule or prediction, or steps out of range.
    """

    alpha_bar: Tensor

    def __init__(
        self, steps: int = 1000, rule: str = "cosine", prediction: Prediction = "v", network_steps: int | None = None
    ) -> None:
        super().__init__()
        rules: dict[str, Callable[[int], Tensor]] = {
            "cosine": cosine_alpha_bar,
            "scaled_linear": scaled_linear_alpha_bar,
            "linear": linear_alpha_bar,
            "exploding": exploding_alpha_bar,
        }
        if rule not in rules:
            raise ValueError(f"rule must be one of {sorted(rules)}, got {rule!r}")
        if prediction not in get_args(Prediction):
            raise ValueError(f"prediction must be one of {', '.join(get_args(Prediction))}, got {prediction!r}")
        if network_steps is not None and network_steps < 1:
            raise ValueError(f"network_steps must be at least 1, got {network_steps}")
        self.steps, self.rule, self.prediction = steps, rule, prediction
        self.network_steps = network_steps or steps
        self.register_buffer("alpha_bar", rules[rule](steps), persistent=False)

    def coefficients(self, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """(sqrt(alpha_bar_t), sqrt(1 - alpha_bar_t)) of t [B], shaped to multiply ``like`` [B,...]; t = -1 is clean."""
        alpha_bar = torch.where(t >= 0, self.alpha_bar[t.clamp(min=0)], torch.ones_like(self.alpha_bar[:1]))
        alpha_bar = alpha_bar.reshape(-1, *[1] * (like.ndim - 1)).to(like)
        return alpha_bar.sqrt(), (1 - alpha_bar).sqrt()

    def add_noise(self, z_0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """z_t = sqrt(alpha_bar_t) z_0 + sqrt(1 - alpha_bar_t) eps (Wang 2024a, Eq. 4 and 8), all [B,C,h,w], t [B]."""
        a, s = self.coefficients(t, z_0)
        return a * z_0 + s * eps

    def target(self, z_0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """What the denoiser should predict: eps (Wang 2024a, Eq. 10), v or z_0."""
        if self.prediction == "epsilon":
            return eps
        if self.prediction == "sample":
            return z_0
        a, s = self.coefficients(t, z_0)
        return a * eps - s * z_0

    def error_weight(self, t: Tensor, like: Tensor) -> Tensor:
        """Weight of the squared error at t [B], shaped to multiply ``like`` [B,...].

        It is 1 but where z_0 is predicted: there it makes the error that of v, (z_0's error)^2 / (1 - alpha_bar_t), up
        to a largest weight (as Min-SNR does; Hang et al. 2023).
        """
        _, s = self.coefficients(t, like)
        return (1 / s**2).clamp(max=_LARGEST_WEIGHT) if self.prediction == "sample" else torch.ones_like(s)

    def split(self, prediction: Tensor, z_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """The estimates (z_0, eps) that a prediction at z_t [B,C,h,w], t [B] implies."""
        a, s = self.coefficients(t, z_t)
        if self.prediction == "epsilon":
            return (z_t - s * prediction) / a, prediction
        if self.prediction == "sample":
            return prediction, (z_t - a * prediction) / s
        return a * z_t - s * prediction, s * z_t + a * prediction

    def network_time(self, t: Tensor) -> Tensor:
        """The time that the denoiser gets at t [B]: t itself, or where ``network_steps`` has about the same noise.

        T = 2000 of Wang 2024a maps onto the 1000 steps of Zero-123, whose weights it starts from, as (t + 1) / 2 - 1:
        step t of either schedule is the (t + 1)th that noise was added in, so that both ends and the noise between
        them agree. Fractions are intended: the time embedding is continuous. Below the first step that the weights know
        it is 0.
        """
        if self.network_steps == self.steps:
            return t
        return ((t + 1) * (self.network_steps / self.steps) - 1).clamp(min=0)

    @cached_property
    def noise_levels(self) -> Tensor:
        """sigma_t [T] = sqrt((1 - alpha_bar_t) / alpha_bar_t): noise in units of the signal, which grows with t."""
        alpha_bar = self.alpha_bar.double()
        return ((1 - alpha_bar) / alpha_bar).sqrt().float()

    def time_of_noise(self, sigma: Tensor) -> Tensor:
        """The time step [B], with its fraction, at which noise is sigma [B] times the signal; -1 where there is none.

        Between two steps the logarithm of sigma is taken to grow evenly; below the first one sigma itself is.
        """
        levels = self.noise_levels.to(sigma)
        upper = torch.searchsorted(levels, sigma).clamp(max=self.steps - 1)
        lower = (upper - 1).clamp(min=0)
        inside = (sigma.clamp(min=1e-12) / levels[lower]).log() / (levels[upper] / levels[lower]).log().clamp(min=1e-12)
        return torch.where(upper > 0, lower + inside.clamp(0, 1), sigma / levels[0] - 1)

    def timesteps(self, count: int) -> Tensor:
        """``count`` time steps from T-1 downwards, evenly spaced, the noisiest always among them ("trailing").

        Raises:
            ValueError: if count is not within 1..T.
        """
        if not 1 <= count <= self.steps:
            raise ValueError(f"the number of sampling steps must be within 1..{self.steps}, got {count}")
        return torch.linspace(self.steps, 0, count + 1, dtype=torch.float64)[:-1].round().long() - 1
