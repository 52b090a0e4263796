"""SCCDM (Wan 2025) as one network: a photograph to a radiograph, by diffusion of their difference.

``DifferenceDiffusion`` is the ``network_def`` of SCCDM's bundles: codec, denoiser and schedule, with one state dict.
What is diffused is half the difference of radiograph and photograph, which lies in [-1,1] as images do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar, Final

import torch
from torch import Tensor, nn

from monai_xray2mri.core.random_streams import case_generator
from monai_xray2mri.diffusion.guidance import Condition
from monai_xray2mri.diffusion.latent_diffusion import LatentDiffusion, use_channels_last
from monai_xray2mri.diffusion.sampler_settings import SHORTEST_MM, SamplerSettings
from monai_xray2mri.diffusion.samplers import Model, ddim
from monai_xray2mri.diffusion.schedule import NoiseSchedule
from monai_xray2mri.systems.foot_xray_sccdm.difference import radiograph_of
from monai_xray2mri.systems.foot_xray_sccdm.multiscale_unet import Denoised, MultiScaleUNet
from monai_xray2mri.systems.foot_xray_sccdm.refinement import Refinement

_NO_TOKENS: Final = (1, 1)


class NoContext(nn.Module):
    """Stands where other networks have an image encoder: SCCDM's condition lies beside d_t alone."""

    def forward(self, image: Tensor) -> Tensor:
        """One token of one zero for each image: [B,1,1]."""
        return image.new_zeros(len(image), *_NO_TOKENS)


class WhiteNoise:
    """The noise of one image: independent in every pixel and step; drawn on the CPU.

    Args:
        shape: of a latent, (C, h, w).
        generator: on the CPU; one per result.
    """

    def __init__(self, shape: tuple[int, int, int], generator: torch.Generator) -> None:
        self.shape = shape
        self._seed = int(torch.randint(2**62, (), generator=generator))

    def initial(self, places: Tensor) -> Tensor:
        """d_T [B,C,h,w]; every image of a result has the same."""
        return self._drawn(-1, places)

    def step(self, index: int, places: Tensor) -> Tensor:
        """The noise [B,C,h,w] that step ``index`` adds."""
        return self._drawn(index, places)

    def _drawn(self, index: int, places: Tensor) -> Tensor:
        generator = case_generator("white noise", self._seed, index)
        return torch.randn(1, *self.shape, generator=generator).expand(len(places), -1, -1, -1)


class WatchedModel:
    """A bound denoiser that keeps what its last call gave, which the refinement needs.

    Args:
        denoise: (d_t, t) to what the network gives.
    """

    def __init__(self, denoise: Callable[[Tensor, Tensor], Denoised]) -> None:
        self.denoise = denoise

    def __call__(self, d_t: Tensor, t: Tensor) -> Tensor:
        """The prediction alone, as samplers take it."""
        return self.denoise(d_t, t).prediction


class DifferenceDiffusion(LatentDiffusion):
    """SCCDM: a grey photograph to the radiograph of the same foot.

    Args:
        autoencoder: the codec, with the attributes ``factor`` and ``latent_channels``.
        denoiser: predicts what the schedule says.
        schedule: noise schedule.
        image_size: pixels per side.
        difference: diffuse half the difference (Eq. 9); False diffuses the radiograph itself (ablation).
        refinement: what sampling does to each step (Algorithm 1).
        steps, guidance, eta: the network's own sampler.
    """

    place_shape = (0,)
    guide_width = 0
    stochastic: ClassVar[bool] = True
    """Whether two radiographs of one photograph differ."""

    def __init__(
        self,
        autoencoder: nn.Module,
        denoiser: MultiScaleUNet,
        schedule: NoiseSchedule,
        *,
        image_size: int = 256,
        difference: bool = True,
        refinement: Refinement | None = None,
        latent_scale: float = 1.0,
        steps: int = 10,
        guidance: float = 1.0,
        eta: float = 0.0,
    ) -> None:
        super().__init__(
            autoencoder,
            denoiser,
            schedule,
            SamplerSettings(steps, guidance, guidance, eta, 0.0, SHORTEST_MM, 0.0),
            tokens=_NO_TOKENS,
            image_size=image_size,
            latent_scale=latent_scale,
        )
        self.image_encoder = NoContext()
        self.difference, self.refinement = difference, refinement or Refinement()
        use_channels_last(self)

    @property
    def image_latent_scale(self) -> float:
        """Photographs are not scaled."""
        return 1.0

    def image_latent(self, photograph: Tensor) -> Tensor:
        """The codec's view [B,C,h,w] of grey photographs [B,1,H,W] in [-1,1], as wide a range as theirs."""
        latent: Tensor = 2 * self.autoencoder.encode(photograph)
        return latent

    def guide_of(self, photograph: Tensor, given: Tensor | None) -> Tensor:
        """No guide: [B,0]."""
        return photograph.new_zeros(len(photograph), 0)

    def condition(self, photograph: Tensor) -> Condition:
        """Encode grey photographs [B,1,H,W] in [-1,1]."""
        return Condition(self.image_latent(photograph), self.image_encoder(photograph), self.guide_of(photograph, None))

    def null_condition(self, batch: int) -> Condition:
        """No photograph: zeros."""
        context = self.null_context.expand(batch, -1, -1)
        return Condition(context.new_zeros(batch, *self.latent_shape()), context, context.new_zeros(batch, 0))

    def given(self, d_t: Tensor, t: Tensor, condition: Condition) -> Denoised:
        """What the denoiser gives for d_t [B,C,h,w] at t [B]."""
        found: Denoised = self.denoiser(d_t, condition.image_latent, self.schedule.network_time(t))
        return found

    def denoise(self, z_t: Tensor, t: Tensor, condition: Condition, place: Tensor) -> Tensor:
        """The denoiser's prediction [B,C,h,w]; places are empty."""
        return self.given(z_t, t, condition).prediction

    def bind(
        self, condition: Condition, place: Tensor, guidance: float, feature_guidance: float | None = None
    ) -> Model:
        """See the base class; without guidance the model tells the refinement what the network saw."""
        if guidance != 1:
            return super().bind(condition, place, guidance, feature_guidance)
        return WatchedModel(partial(self._given_now, condition))

    def _given_now(self, condition: Condition, d_t: Tensor, t: Tensor) -> Denoised:
        return self.given(d_t, t, condition)

    def refined_ddim(
        self,
        model: Model,
        z_t: Tensor,
        schedule: NoiseSchedule,
        steps: int,
        eta: float,
        noise: Callable[[int], Tensor] | None,
        callback: Callable[[int], None] | None,
        *,
        refinement: Refinement | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> Tensor:
        """A :class:`~monai_xray2mri.diffusion.samplers.Sampler`: DDIM with the refinement of each step.

        ``refinement`` takes the place of the network's own, ``progress`` is called with 1 after each step.
        """

        def step_done(index: int) -> None:
            if callback is not None:
                callback(index)
            if progress is not None:
                progress(1)

        refine = None
        if isinstance(model, WatchedModel):  # a guided model would show the refinement half of what it saw
            model, refine = (refinement or self.refinement).bind(model.denoise, schedule)
        return ddim(model, z_t, schedule, steps, eta, noise, step_done, refine)

    def radiographs(
        self,
        photographs: Tensor,
        generators: Sequence[torch.Generator],
        *,
        refinement: Refinement | None = None,
        dtype: torch.dtype = torch.float32,
        progress: Callable[[int], object] | None = None,
        **settings: object,
    ) -> Tensor:
        """Radiographs [B,1,H,W] in [-1,1] of grey photographs [B,1,H,W] in [-1,1].

        Args:
            photographs: see above.
            generators: of the noise of each, on the CPU.
            refinement: what sampling does to each step; None: the network's own.
            dtype: what the network computes in.
            progress: called with 1 after each step of each radiograph.
            **settings: of :class:`~monai_xray2mri.diffusion.sampler_settings.SamplerSettings`.
        """
        chosen = self.settings.altered(**settings)
        found = []
        for photograph, generator in zip(photographs.split(1), generators, strict=True):
            half = self.sample(
                self.condition(photograph),
                photograph.new_zeros(1, 0),
                noise=WhiteNoise(self.latent_shape(), generator),
                sampler=partial(self.refined_ddim, refinement=refinement, progress=progress),
                settings=chosen,
                dtype=dtype,
            )
            found.append(radiograph_of(half, photograph) if self.difference else half)
        return torch.cat(found)

    def forward(self, image: Tensor) -> Tensor:
        """MONAI's view: grey photographs [B,1,H,W] in [-1,1] to radiographs [B,1,H,W] in [-1,1], seed 0."""
        return self.radiographs(image, [torch.Generator().manual_seed(0) for _ in image])
