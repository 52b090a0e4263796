"""Few steps: Easy Consistency Tuning (Geng et al. 2024, "Consistency models made easy", arXiv 2406.14548).

A trained denoiser estimates z_0 at any noise. This stage tunes it until its estimates along one path of noise agree, so
that a single evaluation lands where many would. No teacher solves the path, and there is no second network: at noise
sigma and at a lower one, r, of the same z_0 and the same eps, the estimate at sigma is drawn to the one at r, which
gets no gradient. At first r is far from sigma (0 in the low range, which is ordinary denoising), then it comes nearer:

    r = sigma (1 - n(sigma) / q^(k+1)),   n(sigma) = 1 + 8 sigmoid(-b sigma),   at least 0

with q = 2, and k the number of equal parts of the run that have passed. Noise sigma is in units of the signal,
sqrt((1 - alpha_bar) / alpha_bar). The paper's numbers are for images with a standard deviation of 0.5; latents have
one of 1, so that its sigma is half of ours: b = 0.5, and log sigma is drawn from N(-1.1 + log 2, 2^2).

With v-prediction the estimate is a z - s v, with a = 1 and s = 0 at sigma = 0: the boundary condition of a consistency
model holds, and the network stays as it is.

The loss of one target is balance x (root of the mean weighted squared difference), with
balance = sqrt(1 + sigma^2) / (sigma - r). For small sigma that is the paper's 1 / (sigma - r). For large sigma it does
not fall, unlike that: sampling begins there, and what is there at all is decided there.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from monai_xray2mri.diffusion.guidance import Condition
from monai_xray2mri.errors import UsageError
from monai_xray2mri.training.denoiser import ConditionalDenoising, ConditionedNetwork, ForwardDiffusion

_LOG_SIGMA = -1.1 + 0.6931471805599453
"""Mean of the logarithm of sigma: that of the paper, for data of unit variance."""


class ConsistencyDenoising(ConditionalDenoising):
    """What is trained of a network, as in the denoiser's stage, evaluated at two noises of one path.

    Args:
        network: what is trained.
        compiled: as of :class:`~monai_xray2mri.training.denoiser.ConditionalDenoising`.

    Raises:
        UsageError: the network predicts something else than v.
    """

    def __init__(self, network: ConditionedNetwork, compiled: bool = False) -> None:
        super().__init__(network, compiled)
        if network.schedule.prediction != "v":
            raise UsageError("network", "must predict v, to be tuned to few steps", network.schedule.prediction)

    def forward(  # type: ignore[override]
        self,
        noisy: Tensor,
        *,
        sigma: Tensor,
        less_noisy: Tensor,
        less_sigma: Tensor,
        image: Tensor,
        image_latent: Tensor,
        place: Tensor,
        guide: Tensor,
        keep: Tensor,
        image_of: Tensor | None = None,
    ) -> Tensor:
        """The estimates of z_0, [2,B,C,h,w]: at sigma [B], and at ``less_sigma`` [B] without gradient.

        One tensor, because ignite takes tuples of predictions and targets apart when it validates.

        Args:
            noisy: z at sigma, [B,C,h,w].
            sigma: noise in units of the signal.
            less_noisy: z at ``less_sigma``, of the same z_0 and eps.
            less_sigma: the lower noise; 0 is the clean latent.
            image: this and what follows as in
                :meth:`~monai_xray2mri.training.denoiser.ConditionalDenoising.forward`.
            image_latent: of the images.
            place: of the targets.
            guide: of the targets.
            keep: which parts of the condition stay.
            image_of: which image each target belongs to.
        """
        condition, _ = self.condition(image, image_latent, guide, keep, image_of)
        estimate = self._estimate(noisy, sigma, condition, place)
        with torch.no_grad():
            wanted = self._estimate(less_noisy, less_sigma, condition, place)
        return torch.stack([estimate, wanted])

    def _estimate(self, noisy: Tensor, sigma: Tensor, condition: Condition, place: Tensor) -> Tensor:
        (network,) = self._network
        time = network.schedule.time_of_noise(sigma).clamp(min=0)
        velocity = self.denoise(noisy, time, condition, place).float()
        signal, noise = shares(sigma, noisy)
        return signal * noisy - noise * velocity


def shares(sigma: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """(sqrt(alpha_bar), sqrt(1 - alpha_bar)) at sigma [B], shaped to multiply ``like`` [B,...]."""
    sigma = sigma.reshape(-1, *[1] * (like.ndim - 1))
    signal = (1 + sigma.square()).rsqrt()
    return signal, sigma * signal


class ConsistencyPairs(ForwardDiffusion):
    """Noises each latent twice along one path; MONAI's ``prepare_batch``.

    Args:
        network: see :class:`~monai_xray2mri.training.denoiser.ForwardDiffusion`.
        iterations: steps of the run, during which the two noises come together; None takes them as near as they come.
        doublings: parts of the run; with each the distance of the two noises is halved.
        log_sigma: mean and standard deviation of the normal draw of log sigma.
        start_share: share of targets at T-1 instead, where every sampling begins.
        **options: of that class.
    """

    def __init__(
        self,
        network: ConditionedNetwork,
        iterations: int | None,
        doublings: int = 8,
        log_sigma: tuple[float, float] = (_LOG_SIGMA, 2.0),
        start_share: float = 0.1,
        **options: Any,
    ) -> None:
        super().__init__(network, **options)
        self.iterations, self.doublings = iterations, doublings
        self.log_sigma, self.start_share = log_sigma, start_share

    def __call__(
        self, batch: dict[str, Tensor], device: Any = None, non_blocking: bool = False, **_: Any
    ) -> tuple[Tensor, tuple[Tensor, Tensor], tuple[()], dict[str, Tensor]]:
        """(z at sigma, (weight, balance), no arguments, keyword arguments of :class:`ConsistencyDenoising`)."""
        batch = {name: value.to(device, non_blocking=non_blocking) for name, value in batch.items()}
        z_0, image_latent = self.latents(batch)
        sigma, eps, keep, known = (drawn.to(z_0.device) for drawn in self.draw(z_0))
        given, weight = self.given(batch, z_0, image_latent, keep, known)
        less = self.less(sigma)
        noisy, less_noisy = (a * z_0 + s * eps for a, s in (shares(level, z_0) for level in (sigma, less)))
        balance = (1 + sigma.square()).sqrt() / (sigma - less)
        return noisy, (weight, balance), (), {"sigma": sigma, "less_noisy": less_noisy, "less_sigma": less, **given}

    def draw_timesteps(self, count: int) -> Tensor:
        """Noise sigma [count] in place of time steps."""
        levels = self.schedule.noise_levels.cpu()
        mean, deviation = self.log_sigma
        drawn = (mean + deviation * torch.randn(count)).exp().clamp(float(levels[0]), float(levels[-1]))
        return torch.where(torch.rand(count) < self.start_share, levels[-1], drawn)

    @property
    def halvings(self) -> int:
        """How often the distance of the two noises has been halved: once at the start, and by the parts behind."""
        if self.iterations is None or self.division is None:
            return self.doublings
        return 1 + min(self.division.step * self.doublings // self.iterations, self.doublings - 1)

    def less(self, sigma: Tensor) -> Tensor:
        """The lower noise r [B] that belongs to sigma [B] in this part of the run."""
        reach = 1 + 8 * torch.sigmoid(-0.5 * sigma)
        return sigma * (1 - reach / 2**self.halvings).clamp(min=0)


class ConsistencyLoss(nn.Module):
    """Mean of balance x (root of the mean weighted squared difference of both estimates), a pseudo-Huber loss.

    Args:
        c: differences below it count by their square, above it by their size (Song and Dhariwal 2024: 0.00054).
    """

    def __init__(self, c: float = 0.00054) -> None:
        super().__init__()
        self.c = c

    def forward(self, estimates: Tensor, given: tuple[Tensor, Tensor]) -> Tensor:
        """Loss of two estimates [2,B,C,h,w] with (weight [B,1,h,w] or [B,1,1,1], balance [B])."""
        (estimate, wanted), (weight, balance) = estimates, given
        square = (weight * (estimate - wanted).square()).flatten(1).mean(dim=1)  # [B]
        return (balance * ((square + self.c**2).sqrt() - self.c)).mean()
