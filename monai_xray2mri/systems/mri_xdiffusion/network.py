"""Diffusion of cross-sections (X-Diffusion, section 3.2) as one network.

``CrossSectionDiffusion`` is the ``network_def`` of X-Diffusion's bundles: autoencoder, denoiser, tokens of the input
slices and schedule, with one state dict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from monai_xray2mri.diffusion.depth_noise import VolumeNoise
from monai_xray2mri.diffusion.guidance import Condition
from monai_xray2mri.diffusion.latent_diffusion import LatentDiffusion, use_channels_last
from monai_xray2mri.diffusion.sampler_settings import SamplerSettings
from monai_xray2mri.diffusion.samplers import Model
from monai_xray2mri.diffusion.schedule import NoiseSchedule
from monai_xray2mri.networks.pixel_codec import PixelCodec
from monai_xray2mri.systems.mri_xdiffusion.denoiser import SectionDenoiser
from monai_xray2mri.systems.mri_xdiffusion.noise import SectionNoise
from monai_xray2mri.systems.mri_xdiffusion.planes import (
    PLACE_NUMBERS,
    POSE_NUMBERS,
    places,
    poses,
    section_grid,
    view_places,
)
from monai_xray2mri.systems.mri_xdiffusion.sections import ROUNDING
from monai_xray2mri.systems.mri_xdiffusion.slices import SliceTokens, reduce_images


class CrossSectionDiffusion(LatentDiffusion):
    """X-Diffusion: K slices of a volume, and a plane, to the section in that plane.

    The guide of a condition holds the poses of its slices, [B,K*11]; zeros stand for no slice. The null condition is
    no slice: the place of the target stays.

    Args:
        autoencoder: the codec, with the attributes ``factor`` and ``latent_channels``.
        denoiser: predicts sections.
        image_encoder: context tokens of the slices; its reduction must be the denoiser's.
        schedule: noise schedule.
        side_mm: side of the cube that sections and volumes fill.
        extent_mm: of that cube along columns, rows and slices, what the training volumes were acquired of, around its
            middle; None: all of it. Nothing is generated beyond.
        image_size: D, pixels per side of a section and sections of a volume.
        latent_scale: factor of the latents, which makes their root mean square 1; weights bring their own.
        scale_image_latent: the factor applies to the input slices, too; Zero-123 leaves those unscaled.
        steps, guidance, eta, noise_shared, noise_length_mm, noise_aspect: the network's own sampler, see
            :class:`~monai_xray2mri.diffusion.sampler_settings.SamplerSettings`.

    Raises:
        ValueError: two reductions, an impossible share or length of the noise, or a difference with a network
            that does not predict z_0.
    """

    place_shape = (PLACE_NUMBERS,)
    guide_width = POSE_NUMBERS
    """Of the guide of one slice."""

    def __init__(
        self,
        autoencoder: nn.Module,
        denoiser: SectionDenoiser,
        image_encoder: SliceTokens,
        schedule: NoiseSchedule,
        *,
        side_mm: float,
        image_size: int,
        extent_mm: Sequence[float] | None = None,
        latent_scale: float = 1.0,
        scale_image_latent: bool = True,
        steps: int = 10,
        guidance: float = 1.0,
        eta: float = 0.0,
        noise_shared: float = 0.0,
        noise_length_mm: float = 1.0,
        noise_aspect: float = 0.0,
    ) -> None:
        if image_encoder.reduction != denoiser.reduction:
            raise ValueError(
                f"tokens and denoiser must reduce slices alike, not {image_encoder.reduction!r} and "
                f"{denoiser.reduction!r}"
            )
        if denoiser.difference and schedule.prediction != "sample":
            raise ValueError(f"a difference needs the prediction 'sample', not {schedule.prediction!r}")
        super().__init__(
            autoencoder,
            denoiser,
            schedule,
            SamplerSettings(steps, guidance, guidance, eta, noise_shared, noise_length_mm, noise_aspect),
            tokens=(1, image_encoder.tokens[1]),
            image_size=image_size,
            pixel_mm=side_mm / image_size,
            range_mm=side_mm,
            latent_scale=latent_scale,
        )
        self.image_encoder = image_encoder
        self.scale_image_latent = scale_image_latent
        self.extent = tuple(min(length / side_mm, 1.0) for length in extent_mm or (side_mm,) * 3)
        use_channels_last(self)

    @property
    def folds(self) -> bool:
        """Whether the codec folds pixels, so that 0 is the background of a latent and each number of it a pixel."""
        return isinstance(self.autoencoder, PixelCodec)

    def known(self, place: Tensor) -> Tensor:
        """Which pixels of sections at places [B,10] lie within ``extent``: [B,H,W], bool."""
        grid = section_grid(place, self.image_size)
        return (grid.abs() <= grid.new_tensor(self.extent) + ROUNDING).all(dim=-1)

    def known_cells(self, mask: Tensor) -> Tensor:
        """See the base class; where pixels are folded, each counts for itself."""
        return self.autoencoder.encode(2 * mask - 1) if self.folds else super().known_cells(mask)

    def bind(
        self, condition: Condition, place: Tensor, guidance: float, feature_guidance: float | None = None
    ) -> Model:
        """See the base class. Estimates of z_0 are 0 beyond ``extent``, as they are in training."""
        model = super().bind(condition, place, guidance, feature_guidance)
        known = self.known(place)
        if not self.folds or known.all():
            return model
        cells = self.known_cells(known[:, None].to(place))

        def predict(z_t: Tensor, t: Tensor) -> Tensor:
            z_0 = self.schedule.split(model(z_t, t), z_t, t)[0] * cells
            a, s = self.schedule.coefficients(t, z_t)
            return self.schedule.target(z_0, t, (z_t - a * z_0) / s)

        return predict

    @property
    def side_mm(self) -> float:
        """Side of the cube in mm."""
        return self.range_mm

    @property
    def image_latent_scale(self) -> Tensor | float:
        """Factor of the latents of slices; ``scale_image_latent``."""
        return self.latent_scale if self.scale_image_latent else 1.0

    def image_latent(self, slices: Tensor) -> Tensor:
        """Scaled latents [B,K*C,h,w] of slices [B,K,H,W] in [-1,1]; K = 1 where they are multiplied before."""
        reduced = reduce_images(slices, self.image_encoder.reduction)
        latents = self.autoencoder.encode(reduced.flatten(0, 1)[:, None])  # [B*K,C,h,w]
        scaled: Tensor = latents.unflatten(0, reduced.shape[:2]).flatten(1, 2) * self.image_latent_scale
        return scaled

    def guide_of(self, slices: Tensor, given: Tensor | None) -> Tensor:
        """Poses [B,K*11] of slices [B,K,H,W]; zeros where they are not given."""
        batch, number = slices.shape[:2]
        return slices.new_zeros(batch, number * POSE_NUMBERS) if given is None else given

    def condition(self, slices: Tensor, poses: Tensor) -> Condition:
        """Encode slices [B,K,H,W] in [-1,1] with their poses [B,K,11]."""
        return Condition(self.image_latent(slices), self.image_encoder(slices), poses.flatten(1))

    def null_condition(self, batch: int) -> Condition:
        """The condition of dropout and guidance: one slice that is not there."""
        context = self.null_context.expand(batch, -1, -1)
        return Condition(
            context.new_zeros(batch, *self.latent_shape()), context, context.new_zeros(batch, POSE_NUMBERS)
        )

    def null_like(self, condition: Condition) -> Condition:
        """As many slices that are not there as a condition has."""
        context = self.null_context.expand_as(condition.context)
        return Condition(torch.zeros_like(condition.image_latent), context, torch.zeros_like(condition.guide))

    def denoise(self, z_t: Tensor, t: Tensor, condition: Condition, place: Tensor) -> Tensor:
        """The prediction [B,C,h,w] for z_t [B,C,h,w] at t [B] and places [B,10]."""
        signal = self.schedule.coefficients(t, z_t)[0]
        time = self.schedule.network_time(t)
        found: Tensor = self.denoiser(
            z_t, time, condition.image_latent, condition.context, place, condition.guide, signal
        )
        return found

    def forward(self, image: Tensor) -> Tensor:
        """MONAI's view: middle slices of the first plane [B,1,D,D] in [-1,1] to cubes [B,1,D,D,D], seed 0."""
        place = view_places(torch.eye(3), self.image_size).to(image)
        middle = poses(places(torch.eye(3)[None], torch.zeros(1))).to(image)[None]
        cubes = []
        for one in image:
            with torch.inference_mode():
                condition = self.condition(one[None], middle)
            cubes.append(self.sample(condition, place, noise=self.draw_noise(torch.Generator().manual_seed(0))))
        return (torch.stack(cubes).transpose(1, 2) + 1) / 2

    def draw_noise(  # type: ignore[override]
        self, generator: torch.Generator, settings: SamplerSettings | None = None
    ) -> SectionNoise:
        """The noise of one view, on the CPU; see the base class."""
        kernel = self.noise_kernel(settings or self.settings)
        if not self.folds:
            return SectionNoise(VolumeNoise(self.latent_shape(), kernel, generator), 1)
        pixels = (1, self.image_size, self.image_size)
        process = VolumeNoise(pixels, replace(kernel, pixel_mm=self.pixel_mm), generator)
        return SectionNoise(process, self.autoencoder.factor)
