"""Second stage of paper 000, Algorithm 1: the denoiser (Eq. 10), with condition dropout."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn

from monai_xray2mri.diffusion.slice_diffusion import SliceDiffusion
from monai_xray2mri.training.handlers import save_state


class ConditionalDenoising(nn.Module):
    """The trained part of a :class:`SliceDiffusion`: denoiser and radiograph encoder (E1 and D stay frozen)."""

    null_context: Tensor

    def __init__(self, network: SliceDiffusion) -> None:
        super().__init__()
        self.denoiser, self.radiograph_encoder = network.denoiser, network.radiograph_encoder
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
        """Prediction [B,C,h,w]; where ``keep`` [B] is 0 the null condition stands for radiograph and features."""
        context = torch.where(keep[:, None, None] > 0, self.radiograph_encoder(radiograph), self.null_context)
        gate = keep[:, None]
        return self.denoiser(noisy, t, radiograph_latent * gate[..., None, None], context, depth, features * gate)


class ForwardDiffusion:
    """Noises a batch of latents (paper 000, Eq. 4) and draws what is dropped; MONAI's ``prepare_batch``.

    Args:
        network: gives the schedule, and encodes batches that hold slices instead of latents.
        high_noise_share: share of t in the upper half of the schedule, where it is decided what is there at all.
        lesion_weight: added to the loss weight where cysts, chondrocalcinosis or attrition lie.
        drop_condition: probability that radiograph and features are replaced by the null condition.
        drop_features: probability that all features are unknown.
        drop_feature: probability that any single feature is unknown.
        feature_groups: widths of the one-hot groups.
    """

    def __init__(
        self,
        network: SliceDiffusion,
        feature_groups: list[int],
        high_noise_share: float = 0.65,
        lesion_weight: float = 8.0,
        drop_condition: float = 0.05,
        drop_features: float = 0.1,
        drop_feature: float = 0.1,
    ) -> None:
        self.network, self.schedule = network, network.schedule
        self.groups = torch.tensor(feature_groups)
        self.high_noise_share, self.lesion_weight = high_noise_share, lesion_weight
        self.drop_condition, self.drop_features, self.drop_feature = drop_condition, drop_features, drop_feature

    def __call__(
        self, batch: dict[str, Tensor], device: Any = None, non_blocking: bool = False, **_: Any
    ) -> tuple[Tensor, tuple[Tensor, Tensor], tuple[Tensor, ...], dict[str, Tensor]]:
        """(z_t, (target, weight), arguments, keyword arguments) of the engine's iteration."""
        batch = {name: value.to(device, non_blocking=non_blocking) for name, value in batch.items()}
        if "latent" not in batch:
            batch |= self.encoded(batch)
        z_0 = batch["latent"]
        t = self.draw_timesteps(len(z_0)).to(z_0.device)
        eps = torch.randn_like(z_0)
        keep = (torch.rand(len(z_0)) >= self.drop_condition).float().to(z_0.device)
        features = batch["features"] * self.draw_known(len(z_0)).to(z_0.device)
        target = self.schedule.target(z_0, t, eps)
        weight = 1 + self.lesion_weight * batch["lesions"] * keep[:, None, None, None]
        arguments = (t, batch["radiograph"], batch["radiograph_latent"], batch["depth"], features, keep)
        return self.schedule.add_noise(z_0, t, eps), (target, weight), arguments, {}

    @torch.no_grad()
    def encoded(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """``latent`` and ``radiograph_latent`` [B,C,h,w] of a batch with ``slice`` and ``radiograph`` [B,1,H,W]."""
        return {
            "latent": self.network.encode_slices(batch["slice"]),
            "radiograph_latent": self.network.radiograph_latent(batch["radiograph"]),
        }

    def draw_timesteps(self, count: int) -> Tensor:
        """Time steps [count], more of them in the upper half."""
        half = self.schedule.steps // 2
        high = torch.rand(count) < self.high_noise_share
        low_t, high_t = torch.randint(0, half, (count,)), torch.randint(half, self.schedule.steps, (count,))
        return torch.where(high, high_t, low_t)

    def draw_known(self, count: int) -> Tensor:
        """1 where a feature's one-hot group stays, 0 where it becomes unknown: [count, sum of groups]."""
        known = torch.rand(count, len(self.groups)) >= self.drop_feature
        known &= torch.rand(count, 1) >= self.drop_features
        return known.float().repeat_interleave(self.groups, dim=1)


class WeightedSquaredError(nn.Module):
    """Mean of weight x squared error (paper 000, Eq. 10, with a weight)."""

    def forward(self, prediction: Tensor, target: tuple[Tensor, Tensor]) -> Tensor:
        """Loss of a prediction [B,C,h,w] against (target [B,C,h,w], weight [B,1,h,w])."""
        wanted, weight = target
        return (weight * (prediction.float() - wanted).square()).mean()


class AveragedWeights:
    """Exponential moving average of the weights (paper 000: EMA), written as the bundle's ``model.pt``.

    The average starts fast and slows down, ``min(decay, (1 + n) / (10 + n))`` after n updates, so that a short run is
    not dominated by its random start.

    Args:
        module: what is trained.
        network: the whole network, whose state dict is written, in half precision.
        path: file to write.
        decay: of the average.
        interval: iterations between two files.
    """

    def __init__(
        self, module: ConditionalDenoising, network: SliceDiffusion, path: str | Path, decay: float, interval: int
    ) -> None:
        self.module, self.network, self.path = module, network, Path(path)
        self.decay, self.interval, self.updates = decay, interval, 0
        self.average = {name: value.detach().clone() for name, value in module.named_parameters()}

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.update)
        engine.add_event_handler(Events.ITERATION_COMPLETED(every=self.interval), self.write)
        engine.add_event_handler(Events.COMPLETED, self.write)

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the current weights."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        names = list(self.average)
        current = dict(self.module.named_parameters())
        torch._foreach_lerp_([self.average[name] for name in names], [current[name] for name in names], 1 - decay)

    def write(self) -> None:
        """Write the network with the averaged weights."""
        averaged = copy.deepcopy(self.network)
        ConditionalDenoising(averaged).load_state_dict(self.average)
        save_state(averaged, self.path, half=True)
