"""Latent diffusion of the slices of one knee (paper 000, Algorithm 2), as one network.

``SliceDiffusion`` is the ``network_def`` of the knee bundles: autoencoder, denoiser, condition and schedule with one
state dict, and ``forward(image, features=None)`` as MONAI's tools call it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_xray2mri.diffusion.samplers import ddim
from monai_xray2mri.diffusion.schedule import NoiseSchedule
from monai_xray2mri.networks.autoencoder import SliceAutoencoder
from monai_xray2mri.networks.condition import RadiographEncoder
from monai_xray2mri.networks.denoiser import SliceDenoiser


class Condition(NamedTuple):
    """What guides the denoiser, encoded once per knee.

    Attributes:
        radiograph_latent: E2(y), [B,C,h,w].
        context: image embedding, [B,N,context].
        features: one-hot code r, [B,61].
    """

    radiograph_latent: Tensor
    context: Tensor
    features: Tensor

    def expand(self, batch: int) -> Condition:
        """The condition of one knee for ``batch`` of its slices (no copy)."""
        return Condition(*(part.expand(batch, *part.shape[1:]) for part in self))


class SliceDiffusion(nn.Module):
    """Xray2MRI with radiographic features (paper 000): radiograph, features and depth to the MR slice at that depth.

    What belongs to the weights is kept with them: the latent scale and the null condition in the state dict, the
    geometry and the default sampler in the constructor's arguments, which the bundle's configuration holds.

    Args:
        autoencoder: E1 and D.
        denoiser: U.
        radiograph_encoder: image embedding of the radiograph.
        schedule: noise schedule.
        region_mm: side of the radiograph region at the detector in mm.
        magnification: of the joint plane onto the detector; with ``align`` the radiograph is drawn to the MR's scale.
        align: resample the radiograph to the field of view of the slices before E2, so that both latents lie on one
            grid; the papers do not (their region and slice have different scales).
        image_size: side of radiograph and slice in pixels.
        pixel_mm: pixel side of a slice in mm.
        slice_mm: distance of the acquired slices in mm.
        acquired_slices: slices of the acquired series.
        modelled_slices: first and last modelled index, 0-based from the posterior end; depth 0 and 1 lie there.
        steps: default number of sampling steps.
        guidance: default guidance scale; 1 is none.
        eta: default DDIM eta (0 in paper 000, Eq. 9).
    """

    latent_scale: Tensor
    null_context: Tensor

    def __init__(
        self,
        autoencoder: SliceAutoencoder,
        denoiser: SliceDenoiser,
        radiograph_encoder: RadiographEncoder,
        schedule: NoiseSchedule,
        *,
        region_mm: float = 110.0,
        magnification: float = 1.08,
        align: bool = True,
        image_size: int = 256,
        pixel_mm: float = 0.625,
        slice_mm: float = 1.5,
        acquired_slices: int = 80,
        modelled_slices: Sequence[int] = (13, 62),
        steps: int = 20,
        guidance: float = 1.0,
        eta: float = 0.0,
    ) -> None:
        super().__init__()
        self.autoencoder, self.denoiser = autoencoder, denoiser
        self.radiograph_encoder, self.schedule = radiograph_encoder, schedule
        self.region_mm, self.magnification, self.align = region_mm, magnification, align
        self.image_size, self.pixel_mm, self.slice_mm = image_size, pixel_mm, slice_mm
        self.acquired_slices, self.modelled_slices = acquired_slices, tuple(modelled_slices)
        self.steps, self.guidance, self.eta = steps, guidance, eta
        self.register_buffer("latent_scale", torch.ones(()))
        self.register_buffer("null_context", torch.zeros(radiograph_encoder.position.shape))

    @property
    def slices(self) -> int:
        """Number of modelled slices S."""
        first, last = self.modelled_slices
        return last - first + 1

    @property
    def feature_width(self) -> int:
        """Width G of the guidance of the up path: 61 for the one-hot code r."""
        width: int = self.denoiser.guide.features
        return width

    def latent_shape(self) -> tuple[int, int, int]:
        """Shape (C, h, w) of the latent of one slice."""
        side = self.image_size // self.autoencoder.factor
        return self.autoencoder.latent_channels, side, side

    def depths(self, slices: int | None = None) -> Tensor:
        """Depths d [S] of S slices over the modelled range, ends included, 0 = posterior."""
        return torch.linspace(0, 1, slices or self.slices)

    def spacing(self, slices: int | None = None) -> float:
        """Distance in mm of S slices over the modelled range."""
        first, last = self.modelled_slices
        return (last - first) * self.slice_mm / max((slices or self.slices) - 1, 1)

    def encode_slices(self, image: Tensor) -> Tensor:
        """Scaled latents z_0 [B,C,h,w] of slices [B,1,H,W] in [-1,1]."""
        return self.autoencoder.encode(image) * self.latent_scale

    def decode_slices(self, latent: Tensor) -> Tensor:
        """Slices [B,1,H,W] in [-1,1] of scaled latents [B,C,h,w]."""
        return self.autoencoder.decode(latent / self.latent_scale).clamp(-1, 1)

    def radiograph_latent(self, radiograph: Tensor) -> Tensor:
        """E2(y): the radiograph [B,1,H,W] in [-1,1] through the same encoder, [B,C,h,w]; see ``align``."""
        return self.encode_slices(self.to_slice_scale(radiograph) if self.align else radiograph)

    def to_slice_scale(self, radiograph: Tensor) -> Tensor:
        """Draw the radiograph region to the scale of the slices, black around it: [B,1,H,W] to [B,1,H,W]."""
        scale = self.image_size * self.pixel_mm * self.magnification / self.region_mm
        theta = radiograph.new_tensor([[scale, 0, 0], [0, scale, 0]]).expand(len(radiograph), 2, 3)
        grid = F.affine_grid(theta, list(radiograph.shape), align_corners=False)
        smooth = F.avg_pool2d(radiograph + 1, 3, stride=1, padding=1, count_include_pad=False)
        return F.grid_sample(smooth, grid, padding_mode="zeros", align_corners=False) - 1

    def condition(self, radiograph: Tensor, features: Tensor | None = None) -> Condition:
        """Encode radiographs [B,1,H,W] in [-1,1] and one-hot features [B,61] (None = all unknown)."""
        if features is None:
            features = radiograph.new_zeros(len(radiograph), self.feature_width)
        return Condition(self.radiograph_latent(radiograph), self.radiograph_encoder(radiograph), features)

    def null_condition(self, batch: int) -> Condition:
        """The condition of dropout and guidance: no radiograph, features unknown."""
        context = self.null_context.expand(batch, -1, -1)
        return Condition(
            context.new_zeros(batch, *self.latent_shape()), context, context.new_zeros(batch, self.feature_width)
        )

    def bind(self, condition: Condition, depth: Tensor, guidance: float) -> Callable[[Tensor, Tensor], Tensor]:
        """The denoiser with condition and depth [B] bound, ``(z_t, t) -> prediction``; guided if guidance is not 1."""

        def conditional(z_t: Tensor, t: Tensor) -> Tensor:
            return self.denoiser(z_t, t, condition.radiograph_latent, condition.context, depth, condition.features)

        if guidance == 1:
            return conditional
        null = self.null_condition(len(depth))

        def guided(z_t: Tensor, t: Tensor) -> Tensor:
            free = self.denoiser(z_t, t, null.radiograph_latent, null.context, depth, null.features)
            return free + guidance * (conditional(z_t, t) - free)

        return guided

    @torch.inference_mode()
    def generate(
        self,
        radiograph: Tensor,
        features: Tensor | None = None,
        *,
        noise: Tensor,
        slices: int | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        chunk: int = 25,
        callback: Callable[[int], None] | None = None,
    ) -> Tensor:
        """Paper 000, Algorithm 2: one volume, its slices sharing the initial noise, ``chunk`` slices at a time.

        Args:
            radiograph: y, [1,1,H,W] in [-1,1], right-knee space.
            features: one-hot r, [1,61]; None = unknown.
            noise: initial noise [1,C,h,w] drawn on the CPU, shared by all slices.
            slices: number of slices over the modelled range; None = the modelled number.
            steps: sampling steps; None = the model's default.
            guidance: guidance scale; None = the model's default.
            chunk: slices sampled together; bounds the memory, does not change the result.
            callback: called with the number of slices whenever a chunk is done.

        Returns:
            [1,1,S,H,W] in [-1,1], slice 0 posterior.
        """
        condition = self.condition(radiograph, features)
        noise = noise.to(radiograph)
        parts = []
        for depth in self.depths(slices).to(radiograph).split(chunk):
            model = self.bind(condition.expand(len(depth)), depth, self.guidance if guidance is None else guidance)
            start = noise.expand(len(depth), *noise.shape[1:])  # [chunk,C,h,w]
            latent = ddim(model, start, self.schedule, steps or self.steps, self.eta)
            parts.append(self.decode_slices(latent))  # [chunk,1,H,W]
            if callback is not None:
                callback(len(depth))
        return torch.cat(parts).transpose(0, 1)[None]  # [1,1,S,H,W]

    def draw_noise(self, generator: torch.Generator) -> Tensor:
        """Initial noise [1,C,h,w] of one volume, on the CPU so that it is the same for every device."""
        return torch.randn(1, *self.latent_shape(), generator=generator)

    def forward(self, image: Tensor, features: Tensor | None = None) -> Tensor:
        """MONAI's view: radiographs [B,1,H,W] in [-1,1] to volumes [B,1,H,W,S], seed 0, default sampler."""
        volumes = []
        for index in range(len(image)):
            noise = self.draw_noise(torch.Generator().manual_seed(0))
            one = None if features is None else features[index : index + 1]
            volumes.append(self.generate(image[index : index + 1], one, noise=noise))
        return torch.cat(volumes).permute(0, 1, 3, 4, 2)  # [B,1,H,W,S]
