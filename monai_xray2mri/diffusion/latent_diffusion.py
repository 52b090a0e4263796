"""Latent diffusion of images: what every method shares.

A method is an autoencoder, a denoiser, a noise schedule and a sampler. A system derives its network from
:class:`LatentDiffusion` and defines three things: how its inputs become a condition, what stands for no condition, and
how the denoiser is evaluated. Encoding, decoding, guidance and sampling are written here, once.

Each image has a *place*: the depth of a slice, [B] (Wang 2024a, 2024b), the numbers of a plane, [B,P], or, where an
image lies nowhere in particular, no number at all, [B,0].
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_xray2mri.diffusion.depth_noise import DepthKernel, VolumeNoise
from monai_xray2mri.diffusion.guidance import Condition, classifier_free_guidance
from monai_xray2mri.diffusion.parts import compute_parts
from monai_xray2mri.diffusion.precision import computing_in
from monai_xray2mri.diffusion.sampler_settings import SamplerSettings
from monai_xray2mri.diffusion.samplers import Model, Sampler, ddim
from monai_xray2mri.diffusion.schedule import NoiseSchedule
from monai_xray2mri.networks.inference import inference_twin

_DECODED_TOGETHER = {True: 1, False: 5}
"""Images, on a CPU in float32 and elsewhere; one image's activations just fit into a CPU's cache (docs/speed.md)."""


class Noise(Protocol):
    """All the noise of one result, such as :class:`~monai_xray2mri.diffusion.depth_noise.VolumeNoise`."""

    def initial(self, places: Tensor) -> Tensor:
        """z_T [B,C,h,w] at places [B] or [B,P]."""
        ...

    def step(self, index: int, places: Tensor) -> Tensor:
        """The noise [B,C,h,w] that step ``index`` adds at places [B] or [B,P]."""
        ...


class LatentDiffusion(nn.Module, ABC):
    """Autoencoder, denoiser, schedule, latent scale and null condition with one state dict.

    Args:
        autoencoder: ``encode`` [B,1,H,W] to [B,C,h,w] and ``decode`` back; its attributes ``factor`` = H / h and
            ``latent_channels`` = C.
        denoiser: the network that :meth:`denoise` evaluates.
        schedule: noise schedule.
        settings: of the network's own sampler.
        tokens: number of context tokens and their width, (N, width).
        image_size: side of an image in pixels.
        pixel_mm: pixel side of an image in mm.
        range_mm: distance in mm of place 0 from place 1, where places are depths; 0 where they are not.
        latent_scale: factor of the latents, which makes their variance about 1; weights bring their own.

    Raises:
        ValueError: settings of the noise that are out of range.
    """

    latent_scale: Tensor
    null_context: Tensor
    place_shape: ClassVar[tuple[int, ...]] = ()
    """Of the place of one image: empty for a depth, (P,) for P numbers."""

    def __init__(
        self,
        autoencoder: nn.Module,
        denoiser: nn.Module,
        schedule: NoiseSchedule,
        settings: SamplerSettings,
        *,
        tokens: tuple[int, int],
        image_size: int = 256,
        pixel_mm: float = 1.0,
        range_mm: float = 0.0,
        latent_scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.autoencoder: Any = autoencoder
        self.denoiser: Any = denoiser
        self.schedule, self.settings = schedule, settings
        self.image_size, self.pixel_mm, self.range_mm = image_size, pixel_mm, range_mm
        self.noise_kernel(settings)  # refuses impossible values here, not at the first result
        self.register_buffer("latent_scale", torch.tensor(float(latent_scale)))
        self.register_buffer("null_context", torch.zeros(1, *tokens))

    @abstractmethod
    def condition(self, *inputs: Any, **options: Any) -> Condition:
        """Encode what a result is made from."""

    @abstractmethod
    def null_condition(self, batch: int) -> Condition:
        """What the denoiser learned to take for no condition, for ``batch`` images."""

    def null_like(self, condition: Condition) -> Condition:
        """No condition in the shape of this one; a system whose conditions differ in their shapes has its own."""
        return self.null_condition(len(condition.image_latent))

    @abstractmethod
    def denoise(self, z_t: Tensor, t: Tensor, condition: Condition, place: Tensor) -> Tensor:
        """The denoiser's prediction for z_t [B,C,h,w] at t [B], condition of B and place [B] or [B,P].

        With m guides for the same B it is [m*B,C,h,w], else [B,C,h,w].
        """

    def latent_shape(self) -> tuple[int, int, int]:
        """Shape (C, h, w) of the latent of one image."""
        side = self.image_size // self.autoencoder.factor
        return self.autoencoder.latent_channels, side, side

    def encode(self, image: Tensor) -> Tensor:
        """Scaled latents z_0 [B,C,h,w] of images [B,1,H,W] in [-1,1]."""
        latent: Tensor = self.autoencoder.encode(image) * self.latent_scale
        return latent

    def decode(self, latent: Tensor) -> Tensor:
        """Images [B,1,H,W] in [-1,1] of scaled latents [B,C,h,w]."""
        image: Tensor = self.autoencoder.decode(latent / self.latent_scale).clamp(-1, 1)
        return image

    def known_cells(self, mask: Tensor) -> Tensor:
        """Which of a latent's numbers are known where pixels are (1 in masks [B,1,H,W]): 1 or 0, to be broadcast.

        A cell of which not all pixels are known is not known; [B,1,h,w].
        """
        return -F.max_pool2d(-mask, self.autoencoder.factor)

    def bind(
        self, condition: Condition, place: Tensor, guidance: float, feature_guidance: float | None = None
    ) -> Model:
        """The denoiser with its condition and places [B] or [B,P] bound: ``(z_t, t) -> prediction``.

        Guided by :func:`~monai_xray2mri.diffusion.guidance.classifier_free_guidance` where a scale is not 1.
        """

        def predict(z_t: Tensor, t: Tensor, given: Condition) -> Tensor:
            copies = len(z_t) // len(place)
            return self.denoise(z_t, t, given, place.repeat(copies, *[1] * (place.dim() - 1))).to(z_t)

        return classifier_free_guidance(predict, condition, self.null_like(condition), guidance, feature_guidance)

    @torch.inference_mode()
    def sample(
        self,
        condition: Condition,
        places: Tensor,
        *,
        noise: Noise,
        sampler: Sampler = ddim,
        settings: SamplerSettings | None = None,
        chunk: int = 25,
        dtype: torch.dtype = torch.float32,
        together: bool = False,
        callback: Callable[[int], object] | None = None,
    ) -> Tensor:
        """Draw the images of one result, ``chunk`` of them at a time (Wang 2024a, Algorithm 2).

        Next to the result itself, memory depends on ``chunk`` alone.

        Args:
            condition: of one result, see :meth:`condition`.
            places: of its images, [S] or [S,P]; an image does not depend on the others.
            noise: of this result, see :meth:`draw_noise`.
            sampler: how z_0 follows from z_T.
            settings: None = :attr:`settings`, the network's own. Those of the noise count where it is drawn.
            chunk: images that are sampled together; bounds the memory, does not change the result.
            dtype: what the networks compute in; the sampler's own sums are float32.
            together: ``sampler`` wants all images of a chunk at once; else threads of a CPU share a chunk's images.
            callback: called with the number of images' worth of work done since; the sum is S.

        Returns:
            [S,1,H,W] float32 in [-1,1].
        """
        chosen, like = settings or self.settings, condition.image_latent
        images = torch.empty(len(places), 1, self.image_size, self.image_size, device=like.device)
        twin = inference_twin(self, dtype)
        threads = torch.get_num_threads() if like.device.type == "cpu" and not together else 1
        size = -(-min(chunk, len(places)) // threads)  # all parts at a time are one chunk
        few = decoded_together(like.device, dtype)

        def draw(part: Tensor, place: Tensor, report: Callable[[int], object]) -> None:
            with torch.inference_mode(), computing_in(dtype, like.device):  # of each thread
                model = twin.bind(
                    condition.expand(len(place)), place.to(like), chosen.guidance, chosen.feature_guidance
                )
                latent = sampler(
                    model,
                    noise.initial(place).to(like),
                    self.schedule,
                    chosen.steps,
                    chosen.eta,
                    lambda index: noise.step(index, place).to(like),
                    share_of_work(len(place), chosen.steps, report),
                )  # [size,C,h,w]
                for image, code in zip(part.split(few), latent.split(few), strict=True):
                    image.copy_(twin.decode(code))  # [few,1,H,W]

        parts = zip(images.split(size), places.split(size), strict=True)
        compute_parts([partial(draw, part, place) for part, place in parts], threads, callback)
        return images

    def draw_noise(self, generator: torch.Generator, settings: SamplerSettings | None = None) -> VolumeNoise:
        """The noise of one result, drawn on the CPU so that it is the same for every device.

        Args:
            generator: on the CPU; one per result.
            settings: share, length and aspect of the noise count; None = the network's own.

        Raises:
            ValueError: an impossible share, length or aspect.
        """
        return VolumeNoise(self.latent_shape(), self.noise_kernel(settings or self.settings), generator)

    def noise_kernel(self, settings: SamplerSettings) -> DepthKernel:
        """How the noise of two places is correlated.

        Raises:
            ValueError: an impossible share, length or aspect.
        """
        latent_pixel_mm = self.pixel_mm * self.autoencoder.factor
        shared, length, aspect = settings.noise_shared, settings.noise_length_mm, settings.noise_aspect
        return DepthKernel(shared, length, self.range_mm, aspect, latent_pixel_mm)


def decoded_together(device: torch.device, dtype: torch.dtype) -> int:
    """How many images are decoded together."""
    return _DECODED_TOGETHER[device.type == "cpu" and dtype == torch.float32]


def use_channels_last(network: nn.Module) -> None:
    """Lay a network's convolutions out with channels last: a fifth faster on a CPU, in training too."""
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def share_of_work(images: int, steps: int, callback: Callable[[int], object]) -> Callable[[int], None]:
    """A callback per step that reports the steps of some images as whole images, the last step with the last one."""

    def report(index: int) -> None:
        done = images * (index + 1) // steps - images * index // steps
        if done:
            callback(done)

    return report
