"""Latent diffusion of the slices of one knee (Wang 2024a, Algorithm 2), as one network.

``SliceDiffusion`` is the ``network_def`` of the knee bundles: autoencoder, denoiser, condition and schedule with one
state dict, and ``forward(image, features=None)`` as MONAI's tools call it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_xray2mri.diffusion.depth_noise import DepthKernel, VolumeNoise
from monai_xray2mri.diffusion.guidance import Condition, guided
from monai_xray2mri.diffusion.precision import computing_in
from monai_xray2mri.diffusion.sampler_settings import SamplerSettings
from monai_xray2mri.diffusion.samplers import ddim
from monai_xray2mri.diffusion.schedule import NoiseSchedule
from monai_xray2mri.networks.autoencoder import SliceAutoencoder
from monai_xray2mri.networks.denoiser import SliceDenoiser

_DECODED_TOGETHER = 5
"""Slices; decoding needs more memory per slice than denoising and gains nothing from larger batches."""


class SliceDiffusion(nn.Module):
    """Xray2MRI with radiographic features (Wang 2024a): radiograph, features and depth to the MR slice at that depth.

    What belongs to the weights is kept with them: the latent scale and the null condition in the state dict, the
    geometry and the default sampler in the constructor's arguments, which the bundle's configuration holds.

    Args:
        autoencoder: E1 and D.
        denoiser: U.
        radiograph_encoder: image embedding of the radiograph, [B,1,H,W] to [B,N,width]; any module with the attribute
            ``tokens`` = (N, width).
        schedule: noise schedule.
        describe: reads the guidance of the up path in the radiograph itself, [B,1,H,W] to [B,G] (Wang 2024b: KOA
            probability and intensity distribution); its attribute ``room`` is the number of zeros that it begins with,
            where features go. Without it the features alone guide, zeros where they are unknown.
        region_mm: side of the radiograph region at the detector in mm.
        magnification: of the joint plane onto the detector; with ``align`` the radiograph is drawn to the MR's scale.
        align: resample the radiograph to the field of view of the slices before E2, so that both latents lie on one
            grid; the papers do not (their region and slice have different scales).
        latent_scale: factor of the latents (0.2 in Wang 2024a); weights bring their own.
        scale_radiograph_latent: the factor applies to E2(y) too; Zero-123 leaves that one unscaled.
        image_size: side of radiograph and slice in pixels.
        pixel_mm: pixel side of a slice in mm.
        slice_mm: distance of the acquired slices in mm.
        acquired_slices: slices of the acquired series.
        modelled_slices: first and last modelled index, 0-based from the posterior end; depth 0 and 1 lie there.
        steps, guidance, eta, noise_shared, noise_length_mm, noise_aspect: the network's own sampler, see
            :class:`~monai_xray2mri.diffusion.sampler_settings.SamplerSettings`.
        feature_guidance: of that sampler, too; None = ``guidance``.

    Raises:
        ValueError: an impossible share or length.
    """

    latent_scale: Tensor
    null_context: Tensor

    def __init__(
        self,
        autoencoder: SliceAutoencoder,
        denoiser: SliceDenoiser,
        radiograph_encoder: nn.Module,
        schedule: NoiseSchedule,
        *,
        describe: nn.Module | None = None,
        region_mm: float = 110.0,
        magnification: float = 1.08,
        align: bool = True,
        latent_scale: float = 1.0,
        scale_radiograph_latent: bool = True,
        image_size: int = 256,
        pixel_mm: float = 0.625,
        slice_mm: float = 1.5,
        acquired_slices: int = 80,
        modelled_slices: Sequence[int] = (13, 62),
        steps: int = 20,
        guidance: float = 1.0,
        feature_guidance: float | None = None,
        eta: float = 0.0,
        noise_shared: float = 1.0,
        noise_length_mm: float = 1.5,
        noise_aspect: float = 0.0,
    ) -> None:
        super().__init__()
        self.autoencoder, self.denoiser = autoencoder, denoiser
        self.radiograph_encoder: Any = radiograph_encoder
        self.schedule, self.describe = schedule, describe
        self.region_mm, self.magnification, self.align = region_mm, magnification, align
        self.scale_radiograph_latent = scale_radiograph_latent
        self.image_size, self.pixel_mm, self.slice_mm = image_size, pixel_mm, slice_mm
        self.acquired_slices, self.modelled_slices = acquired_slices, tuple(modelled_slices)
        self.sampler = SamplerSettings(
            steps,
            guidance,
            guidance if feature_guidance is None else feature_guidance,
            eta,
            noise_shared,
            noise_length_mm,
            noise_aspect,
        )
        self._noise_kernel(self.sampler)  # refuses impossible values here, not at the first volume
        self.register_buffer("latent_scale", torch.tensor(float(latent_scale)))
        self.register_buffer("null_context", torch.zeros(1, *self.tokens))
        # Convolutions take the layout of their weights; a fifth faster on a CPU, in training too.
        for parameter in self.parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)

    @property
    def slices(self) -> int:
        """Number of modelled slices S."""
        first, last = self.modelled_slices
        return last - first + 1

    @property
    def tokens(self) -> tuple[int, int]:
        """Number of context tokens and their width."""
        number, width = self.radiograph_encoder.tokens
        return number, width

    @property
    def range_mm(self) -> float:
        """Distance in mm of depth 0 from depth 1."""
        first, last = self.modelled_slices
        return (last - first) * self.slice_mm

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
        return self.range_mm / max((slices or self.slices) - 1, 1)

    def encode_slices(self, image: Tensor) -> Tensor:
        """Scaled latents z_0 [B,C,h,w] of slices [B,1,H,W] in [-1,1]."""
        return self.autoencoder.encode(image) * self.latent_scale

    def decode_slices(self, latent: Tensor) -> Tensor:
        """Slices [B,1,H,W] in [-1,1] of scaled latents [B,C,h,w]."""
        return self.autoencoder.decode(latent / self.latent_scale).clamp(-1, 1)

    def radiograph_latent(self, radiograph: Tensor) -> Tensor:
        """E2(y): radiographs [B,1,H,W] in [-1,1] through E1, [B,C,h,w]; ``align``, ``scale_radiograph_latent``."""
        image = self.to_slice_scale(radiograph) if self.align else radiograph
        return self.encode_slices(image) if self.scale_radiograph_latent else self.autoencoder.encode(image)

    def to_slice_scale(self, radiograph: Tensor) -> Tensor:
        """Draw the radiograph region to the scale of the slices, black around it: [B,1,H,W] to [B,1,H,W]."""
        scale = self.image_size * self.pixel_mm * self.magnification / self.region_mm
        theta = radiograph.new_tensor([[scale, 0, 0], [0, scale, 0]]).expand(len(radiograph), 2, 3)
        grid = F.affine_grid(theta, list(radiograph.shape), align_corners=False)
        smooth = F.avg_pool2d(radiograph + 1, 3, stride=1, padding=1, count_include_pad=False)
        return F.grid_sample(smooth, grid, padding_mode="zeros", align_corners=False) - 1

    def condition(self, radiograph: Tensor, features: Tensor | None = None) -> Condition:
        """Encode radiographs [B,1,H,W] in [-1,1] and features r [B,61] (None: unknown); see :meth:`guidance_of`."""
        guidance = self.guidance_of(radiograph, features)
        return Condition(self.radiograph_latent(radiograph), self.radiograph_encoder(radiograph), guidance)

    def guidance_of(self, radiograph: Tensor, features: Tensor | None = None) -> Tensor:
        """Guidance of the up path [B,G]: features r [B,61], or what ``describe`` reads in radiographs [B,1,H,W].

        The description of Wang 2024b takes the place of features; one that leaves room for them (``describe.room``)
        stands beside them.
        """
        if self.describe is None:
            return radiograph.new_zeros(len(radiograph), self.feature_width) if features is None else features
        described: Tensor = self.describe(radiograph)
        room: int = self.describe.room  # type: ignore[assignment]
        return described if features is None or not room else torch.cat([features, described[:, room:]], dim=1)

    def null_condition(self, batch: int, features: Tensor | None = None) -> Condition:
        """The condition of dropout and guidance: no radiograph; features r [B,61] if given, else unknown."""
        context = self.null_context.expand(batch, -1, -1)
        guidance = context.new_zeros(batch, self.feature_width)
        room: int = self.feature_width if self.describe is None else self.describe.room  # type: ignore[assignment]
        if features is not None and room:
            guidance[:, :room] = features
        return Condition(context.new_zeros(batch, *self.latent_shape()), context, guidance)

    def bind(
        self, condition: Condition, depth: Tensor, guidance: float, feature_guidance: float | None = None
    ) -> Callable[[Tensor, Tensor], Tensor]:
        """The denoiser with condition and depth [B] bound, ``(z_t, t) -> prediction``.

        Guided by :func:`~monai_xray2mri.diffusion.guidance.guided` where a scale is not 1.
        """

        def predict(z_t: Tensor, t: Tensor, given: Condition) -> Tensor:
            told, depths = self.schedule.network_time(t), depth.repeat(len(z_t) // len(depth))
            return self.denoiser(z_t, told, given.radiograph_latent, given.context, depths, given.features).to(z_t)

        return guided(predict, condition, self.null_condition(len(depth)), guidance, feature_guidance)

    def generate(self, radiograph: Tensor, features: Tensor | None = None, **sampling: Any) -> Tensor:
        """One volume [1,1,S,H,W] of a radiograph [1,1,H,W] in [-1,1], right-knee space, and features [1,G].

        ``sampling``: see :meth:`sample`, which takes a condition that was encoded before.
        """
        with torch.inference_mode():
            return self.sample(self.condition(radiograph, features), **sampling)

    @torch.inference_mode()
    def sample(
        self,
        condition: Condition,
        *,
        noise: VolumeNoise,
        sampler: SamplerSettings | None = None,
        slices: int | None = None,
        depths: Tensor | None = None,
        chunk: int = 25,
        dtype: torch.dtype = torch.float32,
        callback: Callable[[int], object] | None = None,
    ) -> Tensor:
        """Wang 2024a, Algorithm 2: one volume, ``chunk`` slices at a time.

        Beside the volume itself, memory depends on ``chunk`` alone.

        Args:
            condition: of one knee, see :meth:`condition`.
            noise: of this volume, see :meth:`draw_noise`.
            sampler: settings; None = :attr:`sampler`, the network's own. Those of the noise count where it is drawn.
            slices: number of slices over the modelled range; None = the modelled number.
            depths: d [S] of the slices, 0 to 1, in place of ``slices``; a slice does not depend on the others.
            chunk: slices sampled together; bounds the memory, does not change the result.
            dtype: what the networks compute in; the sampler's own sums are float32.
            callback: called with the number of slices' worth of work done since; the sum is the number of slices.

        Returns:
            [1,1,S,H,W] float32 in [-1,1], slice 0 posterior.
        """
        chosen = sampler or self.sampler
        scales = chosen.guidance, chosen.feature_guidance
        place = condition.radiograph_latent
        depths = self.depths(slices) if depths is None else depths
        volume = torch.empty(len(depths), 1, self.image_size, self.image_size, device=place.device)
        with computing_in(dtype, place.device):
            for part, depth in zip(volume.split(chunk), depths.split(chunk), strict=True):
                model = self.bind(condition.expand(len(depth)), depth.to(place), *scales)
                latent = ddim(
                    model,
                    noise.initial(depth * self.range_mm).to(place),
                    self.schedule,
                    chosen.steps,
                    chosen.eta,
                    lambda index, depth=depth: noise.step(index, depth * self.range_mm).to(place),  # type: ignore[misc]
                    _share_of_work(len(depth), chosen.steps, callback),
                )  # [chunk,C,h,w]
                for image, code in zip(part.split(_DECODED_TOGETHER), latent.split(_DECODED_TOGETHER), strict=True):
                    image.copy_(self.decode_slices(code))  # [few,1,H,W]
        return volume.transpose(0, 1)[None]  # [1,1,S,H,W]

    def draw_noise(self, generator: torch.Generator, sampler: SamplerSettings | None = None) -> VolumeNoise:
        """The noise of one volume, drawn on the CPU so that it is the same for every device.

        Args:
            generator: on the CPU; one per volume.
            sampler: settings, of which share, length and aspect count; None = the network's own.

        Raises:
            ValueError: an impossible share, length or aspect.
        """
        return VolumeNoise(self.latent_shape(), self._noise_kernel(sampler or self.sampler), generator)

    def _noise_kernel(self, sampler: SamplerSettings) -> DepthKernel:
        return DepthKernel(
            sampler.noise_shared,
            sampler.noise_length_mm,
            self.range_mm,
            sampler.noise_aspect,
            self.pixel_mm * self.autoencoder.factor,
        )

    def forward(self, image: Tensor, features: Tensor | None = None) -> Tensor:
        """MONAI's view: radiographs [B,1,H,W] in [-1,1] to volumes [B,1,H,W,S], seed 0, default sampler."""
        volumes = []
        for index in range(len(image)):
            noise = self.draw_noise(torch.Generator().manual_seed(0))
            one = None if features is None else features[index : index + 1]
            volumes.append(self.generate(image[index : index + 1], one, noise=noise))
        return torch.cat(volumes).permute(0, 1, 3, 4, 2)  # [B,1,H,W,S]


def _share_of_work(slices: int, steps: int, callback: Callable[[int], object] | None) -> Callable[[int], None]:
    """A callback per step that reports the steps of so many slices as whole slices, the last step with the last one."""

    def report(index: int) -> None:
        done = slices * (index + 1) // steps - slices * index // steps
        if callback is not None and done:
            callback(done)

    return report
