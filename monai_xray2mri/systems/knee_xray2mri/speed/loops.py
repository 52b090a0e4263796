"""Ways of drawing the same volume: the authors', the package's own, and those of other libraries.

All get the same network, noise, depths and steps, so that what differs between two of them is the way alone.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from monai_xray2mri.diffusion.precision import DTYPES, computing_in
from monai_xray2mri.diffusion.sampler_settings import SamplerSettings
from monai_xray2mri.diffusion.samplers import Sampler, ddim
from monai_xray2mri.diffusion.schedule import NoiseSchedule
from monai_xray2mri.systems.knee_xray2mri.drawing import KneeView, condition_of
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion


@dataclass(frozen=True)
class Task:
    """A volume to draw.

    Attributes:
        network: on its device, in evaluation mode.
        view: of the knee.
        slices: over the modelled range.
        settings: of the sampler.
        dtype: what networks compute in.
        chunk: slices at a time, where a loop batches them.
    """

    network: SliceDiffusion
    view: KneeView
    slices: int
    settings: SamplerSettings
    dtype: str = "float32"
    chunk: int = 25

    @property
    def device(self) -> torch.device:
        """Of the network."""
        return self.network.null_context.device

    def noise(self) -> Any:
        """All noise of the volume; equal for all ways."""
        return self.network.draw_noise(self.view.generator(0, 0), self.settings)

    def with_steps(self, steps: int) -> Task:
        """The same in other steps."""
        return replace(self, settings=replace(self.settings, steps=steps))

    def computing(self) -> Any:
        """Compute in ``dtype``."""
        return computing_in(DTYPES[self.dtype], self.device)


def authors_network(network: SliceDiffusion) -> SliceDiffusion:
    """A copy as the authors' code computes it: channels first, attention as matrix products and a softmax."""
    from diffusers.models.attention_processor import Attention, AttnProcessor

    twin = copy.deepcopy(network)
    for parameter in twin.parameters():
        parameter.data = parameter.data.contiguous()
    for part in twin.modules():
        if isinstance(part, Attention):
            part.set_processor(AttnProcessor())
    return twin


@contextmanager
def tensor_float_32(device: torch.device) -> Iterator[None]:
    """Products in TensorFloat-32 on CUDA, as the authors' version of PyTorch computes float32 there."""
    if device.type != "cuda":
        yield
        return
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=True):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


@torch.inference_mode()
def authors_loop(task: Task) -> Tensor:
    """Wang 2024a, Algorithm 2, in the manner of the loop of Zero-123 that it builds on: one slice after another.

    For each slice the radiograph is encoded anew, the schedule built anew, one latent sampled, decoded and moved to the
    host. What would only slow it down is left out: weights are the averaged ones already, and stay on the device.

    Returns:
        [S,H,W] float32 in [-1,1].
    """
    network, noise, settings = task.network, task.noise(), task.settings
    like, images = network.null_context, []
    half = task.computing() if task.dtype != "float32" else tensor_float_32(task.device)
    with half:
        for place in network.depths(task.slices).split(1):
            old = network.schedule
            schedule = NoiseSchedule(old.steps, old.rule, old.prediction, old.network_steps).to(task.device)
            condition = condition_of(network, task.view)
            model = network.bind(condition, place.to(like), settings.guidance, settings.feature_guidance)
            latent = ddim(model, noise.initial(place).to(like), schedule, settings.steps, settings.eta)
            images.append(network.decode(latent)[0, 0].float().cpu().numpy())
    return torch.from_numpy(np.stack(images))


@torch.inference_mode()
def batched_loop(task: Task, together: int | None = None) -> Tensor:
    """Slices in batches, the condition encoded once for a batch; ``together`` of them are decoded at a time (all).

    Returns:
        [S,H,W] float32 in [-1,1].
    """
    network, noise, settings = task.network, task.noise(), task.settings
    like, images = network.null_context, []
    with task.computing():
        for place in network.depths(task.slices).split(task.chunk):
            condition = condition_of(network, task.view).expand(len(place))
            model = network.bind(condition, place.to(like), settings.guidance, settings.feature_guidance)
            latent = ddim(model, noise.initial(place).to(like), network.schedule, settings.steps, settings.eta)
            images += [network.decode(part).float().cpu() for part in latent.split(together or len(latent))]
    return torch.cat(images)[:, 0]


def own_loop(task: Task, sampler: Sampler = ddim) -> Tensor:
    """As the package draws a volume: [S,H,W] float32 in [-1,1]."""
    drawn = task.network.sample_volume(
        condition_of(task.network, task.view),
        noise=task.noise(),
        sampler=sampler,
        settings=task.settings,
        slices=task.slices,
        chunk=task.chunk,
        dtype=DTYPES[task.dtype],
    )
    return drawn[0, 0].float().cpu()


@torch.inference_mode()
def diffusers_loop(task: Task, scheduler: str = "DDIMScheduler") -> Tensor:
    """The loop of a pipeline of diffusers over the same network, all slices in one batch: [S,H,W].

    Args:
        task: the volume.
        scheduler: class of diffusers.
    """
    import diffusers

    network, like = task.network, task.network.null_context
    places = network.depths(task.slices)
    options: dict[str, Any] = {"clip_sample": False, "set_alpha_to_one": True} if scheduler == "DDIMScheduler" else {}
    steps = getattr(diffusers, scheduler)(
        num_train_timesteps=network.schedule.steps,
        trained_betas=_betas(network.schedule),
        prediction_type=_prediction(network.schedule),
        timestep_spacing="trailing",
        **options,
    )
    with task.computing():
        condition = condition_of(network, task.view).expand(len(places))
        model = network.bind(condition, places.to(like), task.settings.guidance, task.settings.feature_guidance)
        steps.set_timesteps(task.settings.steps, device=task.device)
        latents = task.noise().initial(places).to(like) * steps.init_noise_sigma
        for t in steps.timesteps:
            given = steps.scale_model_input(latents, t)
            prediction = model(given, t.expand(len(given)))
            latents = steps.step(prediction, t, latents, return_dict=False)[0]
        return network.decode(latents)[:, 0].float().cpu()


@torch.inference_mode()
def monai_loop(task: Task) -> Tensor:
    """MONAI's ``LatentDiffusionInferer`` over the same network, all slices in one batch: [S,H,W]."""
    from monai.inferers import LatentDiffusionInferer
    from monai.networks.schedulers import DDIMScheduler

    network, like = task.network, task.network.null_context
    places = network.depths(task.slices)
    scheduler = DDIMScheduler(
        num_train_timesteps=network.schedule.steps,
        prediction_type=_prediction(network.schedule),
        clip_sample=False,
        set_alpha_to_one=True,
    )
    scheduler.alphas_cumprod = network.schedule.alpha_bar.to(like)
    scheduler.set_timesteps(task.settings.steps)
    scheduler.timesteps = network.schedule.timesteps(task.settings.steps)  # the network's, not MONAI's own
    with task.computing():
        condition = condition_of(network, task.view).expand(len(places))
        model = network.bind(condition, places.to(like), task.settings.guidance, task.settings.feature_guidance)
        inferer: Any = LatentDiffusionInferer(scheduler, scale_factor=1.0)
        drawn: Tensor = inferer.sample(
            task.noise().initial(places).to(like), _Decoder(network), _Denoiser(model), scheduler, verbose=False
        )
    return drawn[:, 0].float().cpu()


class _Denoiser(nn.Module):
    """A denoiser with its condition bound, by the names that MONAI gives its arguments."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, z_t: Tensor, timesteps: Tensor, context: Tensor | None = None, **_: Any) -> Tensor:
        prediction: Tensor = self.model(z_t, timesteps.long().expand(len(z_t)))
        return prediction


class _Decoder(nn.Module):
    """A decoder by the name that MONAI gives it."""

    def __init__(self, network: SliceDiffusion) -> None:
        super().__init__()
        self.network = network

    def decode_stage_2_outputs(self, latent: Tensor) -> Tensor:
        """Images of latents."""
        return self.network.decode(latent)


def _betas(schedule: NoiseSchedule) -> np.ndarray:
    alpha_bar = schedule.alpha_bar.double().cpu().numpy()
    return np.asarray(1 - alpha_bar / np.concatenate([[1.0], alpha_bar[:-1]]))


def _prediction(schedule: NoiseSchedule) -> str:
    return "v_prediction" if schedule.prediction == "v" else schedule.prediction
