"""Second stage of Wang 2024a, Algorithm 1: the denoiser (Eq. 10), with condition dropout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from monai_xray2mri.diffusion.latent_diffusion import LatentDiffusion
from monai_xray2mri.training.order import Division


class ConditionalDenoising(nn.Module):
    """The trained part of a :class:`LatentDiffusion`: denoiser and radiograph encoder (E1 and D stay frozen)."""

    null_context: Tensor

    def __init__(self, network: LatentDiffusion) -> None:
        super().__init__()
        self.denoiser, self.radiograph_encoder = network.denoiser, network.radiograph_encoder
        self.schedule = network.schedule
        self.register_buffer("null_context", network.null_context.clone(), persistent=False)

    def forward(
        self,
        noisy: Tensor,
        t: Tensor,
        radiograph: Tensor,
        radiograph_latent: Tensor,
        depth: Tensor,
        features: Tensor,
        keep: Tensor,
    ) -> Tensor:
        """Prediction [B,C,h,w].

        Where ``keep`` [B,3] is 0 the null condition stands for the context, the radiograph's latent and the features.
        """
        keep_context, keep_latent, keep_features = keep[..., None].unbind(dim=1)  # [B,1] each
        context = torch.where(keep_context[..., None] > 0, self.radiograph_encoder(radiograph), self.null_context)
        latent = radiograph_latent * keep_latent[..., None, None]
        return self.denoiser(noisy, self.schedule.network_time(t), latent, context, depth, features * keep_features)


class ForwardDiffusion:
    """Noises a batch of latents (Wang 2024a, Eq. 4) and draws what is dropped; MONAI's ``prepare_batch``.

    All random numbers are drawn on the CPU, for the whole step; ``division`` takes this micro-batch's part.

    Args:
        network: gives the schedule, encodes batches that hold slices instead of latents, and describes radiographs if
            it has a ``describe``.
        feature_groups: widths of the groups of features that are known or unknown together.
        high_noise_share: share of t in the upper half of the schedule, where it is decided what is there at all; 0.5
            is the papers' even draw.
        lesion_weight: added to the loss weight where cysts, chondrocalcinosis or attrition lie; 0 is Eq. 10.
        drop_condition: probability that radiograph and features are replaced by the null condition.
        drop_context: probability that the image embedding alone is, as in Zero-123.
        drop_latent: probability that the radiograph's latent alone is, as in Zero-123.
        drop_features: probability that all features are unknown.
        drop_feature: probability that any single group of features is unknown.
        division: of a step into micro-batches; None takes each batch as a step.
    """

    def __init__(
        self,
        network: LatentDiffusion,
        feature_groups: Sequence[int],
        high_noise_share: float = 0.65,
        lesion_weight: float = 8.0,
        drop_condition: float = 0.05,
        drop_context: float = 0.0,
        drop_latent: float = 0.0,
        drop_features: float = 0.1,
        drop_feature: float = 0.1,
        division: Division | None = None,
    ) -> None:
        self.network, self.schedule, self.division = network, network.schedule, division
        self.groups = torch.tensor(feature_groups)
        self.high_noise_share, self.lesion_weight = high_noise_share, lesion_weight
        self.drop_condition, self.drop_context, self.drop_latent = drop_condition, drop_context, drop_latent
        self.drop_features, self.drop_feature = drop_features, drop_feature

    def __call__(
        self, batch: dict[str, Tensor], device: Any = None, non_blocking: bool = False, **_: Any
    ) -> tuple[Tensor, tuple[Tensor, Tensor], tuple[Tensor, ...], dict[str, Tensor]]:
        """(z_t, (target, weight), arguments, keyword arguments) of the engine's iteration."""
        batch = {name: value.to(device, non_blocking=non_blocking) for name, value in batch.items()}
        if "latent" not in batch:
            batch |= self.encoded(batch)
        guidance = self.guidance_of(batch)
        z_0 = batch["latent"]
        t, eps, keep, known = (drawn.to(z_0.device) for drawn in self.draw(z_0))
        target = self.schedule.target(z_0, t, eps)
        weight = 1 + self.lesion_weight * batch["lesions"] * keep[:, 2, None, None, None]
        features = guidance * known
        arguments = (t, batch["radiograph"], batch["radiograph_latent"], batch["depth"], features, keep)
        return self.schedule.add_noise(z_0, t, eps), (target, weight), arguments, {}

    def draw(self, z_0: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Time steps [B], eps [B,C,h,w], kept parts [B,3], known features [B,G] for latents [B,C,h,w]."""
        count = self.division.batch_size if self.division else len(z_0)
        drawn = (
            self.draw_timesteps(count),
            torch.randn(count, *z_0.shape[1:]),
            self.draw_kept(count),
            self.draw_known(count),
        )
        return tuple(map(self.division.mine, drawn)) if self.division else drawn  # type: ignore[return-value]

    @torch.no_grad()
    def encoded(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """``latent`` and ``radiograph_latent`` [B,C,h,w] of a batch with ``slice`` and ``radiograph`` [B,1,H,W]."""
        return {
            "latent": self.network.encode(batch["slice"]),
            "radiograph_latent": self.network.radiograph_latent(batch["radiograph"]),
        }

    @torch.no_grad()
    def guidance_of(self, batch: dict[str, Tensor]) -> Tensor:
        """Guidance [B,G] of ``features`` and of what the network itself reads from ``radiograph`` [B,1,H,W]."""
        return self.network.guide_of(batch["radiograph"], batch.get("features"))

    def draw_timesteps(self, count: int) -> Tensor:
        """Time steps [count], more of them in the upper half."""
        half = self.schedule.steps // 2
        high = torch.rand(count) < self.high_noise_share
        low_t, high_t = torch.randint(0, half, (count,)), torch.randint(half, self.schedule.steps, (count,))
        return torch.where(high, high_t, low_t)

    def draw_kept(self, count: int) -> Tensor:
        """1 where context, radiograph latent and features [count,3] stay, 0 where the null condition replaces them."""
        kept = torch.tensor([[0.0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
        limits = torch.tensor([self.drop_condition, self.drop_context, self.drop_latent]).cumsum(0)
        return kept[torch.bucketize(torch.rand(count), limits, right=True)]

    def draw_known(self, count: int) -> Tensor:
        """1 where a feature's one-hot group stays, 0 where it becomes unknown: [count, sum of groups]."""
        known = torch.rand(count, len(self.groups)) >= self.drop_feature
        known &= torch.rand(count, 1) >= self.drop_features
        return known.float().repeat_interleave(self.groups, dim=1)


class WeightedSquaredError(nn.Module):
    """Mean of weight x squared error (Wang 2024a, Eq. 10, with a weight)."""

    def forward(self, prediction: Tensor, target: tuple[Tensor, Tensor]) -> Tensor:
        """Loss of a prediction [B,C,h,w] against (target [B,C,h,w], weight [B,1,h,w])."""
        wanted, weight = target
        return (weight * (prediction.float() - wanted).square()).mean()
