"""Latent diffusion of the slices of one knee (Wang 2024a, Algorithm 2), as one network.

``SliceDiffusion`` is the ``network_def`` of the knee bundles: autoencoder, denoiser, condition and schedule with one
state dict, and ``forward(image, features=None)`` as MONAI's tools call it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_xray2mri.core.bundles import load_network
from monai_xray2mri.diffusion.depth_mixed import DepthMixedDiffusion
from monai_xray2mri.diffusion.guidance import Condition
from monai_xray2mri.diffusion.latent_diffusion import use_channels_last
from monai_xray2mri.diffusion.sampler_settings import SamplerSettings
from monai_xray2mri.diffusion.schedule import NoiseSchedule
from monai_xray2mri.errors import WeightsError
from monai_xray2mri.networks.autoencoder import SliceAutoencoder
from monai_xray2mri.networks.denoiser import SliceDenoiser
from monai_xray2mri.networks.token_reader import TokenReader

_SAME_MM: Final = 0.01
"""Two slices as near as this are one."""


class SliceDiffusion(DepthMixedDiffusion):
    """Xray2MRI with radiographic features (Wang 2024a): radiograph, features and depth to the MR slice at that depth.

    What belongs to the weights is kept with them: the latent scale and the null condition in the state dict, the
    geometry and the default sampler in the constructor's arguments, which the bundle's configuration holds.

    Args:
        autoencoder: E1 and D.
        denoiser: U.
        radiograph_encoder: image embedding of the radiograph, [B,1,H,W] to [B,N,width]; any module with the attribute
            ``tokens`` = (N, width).
        schedule: noise schedule.
        describe: reads the guide of the up path in the radiograph itself, [B,1,H,W] to [B,G] (Wang 2024b: KOA
            probability and intensity distribution). Its first ``feature_width`` numbers, an attribute, are zeros, in
            the place of the features. Without it the features alone guide, zeros where they are unknown.
        reader: reads joint spaces and KL grade in the radiograph's tokens (:mod:`monai_xray2mri.training.reading`).
        read_guide: the guide ends with the joint spaces' code (:mod:`monai_xray2mri.knee.grading.guide_numbers`); what
            is not given of it is read in the radiograph.
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
        modeled_slices: first and last modelled index, 0-based from the posterior end; depth 0 and 1 lie there.
        steps, guidance, eta, noise_shared, noise_length_mm, noise_aspect: the network's own sampler, see
            :class:`~monai_xray2mri.diffusion.sampler_settings.SamplerSettings`.
        feature_guidance: of that sampler, too; None = ``guidance``.

    Raises:
        ValueError: an impossible share or length.
    """

    def __init__(
        self,
        autoencoder: SliceAutoencoder,
        denoiser: SliceDenoiser,
        radiograph_encoder: nn.Module,
        schedule: NoiseSchedule,
        *,
        describe: nn.Module | None = None,
        reader: TokenReader | None = None,
        read_guide: bool = False,
        region_mm: float = 110.0,
        magnification: float = 1.08,
        align: bool = True,
        latent_scale: float = 1.0,
        scale_radiograph_latent: bool = True,
        image_size: int = 256,
        pixel_mm: float = 0.625,
        slice_mm: float = 1.5,
        acquired_slices: int = 80,
        modeled_slices: Sequence[int] = (13, 62),
        steps: int = 20,
        guidance: float = 1.0,
        feature_guidance: float | None = None,
        eta: float = 0.0,
        noise_shared: float = 1.0,
        noise_length_mm: float = 1.5,
        noise_aspect: float = 0.0,
    ) -> None:
        first, last = modeled_slices
        super().__init__(
            autoencoder,
            denoiser,
            schedule,
            SamplerSettings(
                steps,
                guidance,
                guidance if feature_guidance is None else feature_guidance,
                eta,
                noise_shared,
                noise_length_mm,
                noise_aspect,
            ),
            tokens=radiograph_encoder.tokens,  # type: ignore[arg-type]
            image_size=image_size,
            pixel_mm=pixel_mm,
            range_mm=(last - first) * slice_mm,
            latent_scale=latent_scale,
        )
        self.radiograph_encoder: Any = radiograph_encoder
        self.describe: Any = describe
        self.reader: Any = reader
        self.read_guide = read_guide
        self.region_mm, self.magnification, self.align = region_mm, magnification, align
        self.scale_radiograph_latent, self.slice_mm = scale_radiograph_latent, slice_mm
        self.acquired_slices, self.modeled_slices = acquired_slices, (first, last)
        use_channels_last(self)

    @property
    def slices(self) -> int:
        """Number of modelled slices S."""
        first, last = self.modeled_slices
        return last - first + 1

    @property
    def guide_width(self) -> int:
        """Width G of the guide of the up path: 61 for the one-hot code r."""
        width: int = self.denoiser.guide_width
        return width

    @property
    def _feature_width(self) -> int:
        """How many numbers of the guide are features; 0 where the description of the radiograph is all of it."""
        width: int = self.guide_width if self.describe is None else self.describe.feature_width
        return width

    def depths(self, slices: int | None = None) -> Tensor:
        """Depths d [S] of S slices over the modelled range, ends included, 0 = posterior."""
        return torch.linspace(0, 1, slices or self.slices)

    def spacing(self, slices: int | None = None) -> float:
        """Distance in mm of S slices over the modelled range."""
        return self.range_mm / max((slices or self.slices) - 1, 1)

    @property
    def image_encoder(self) -> nn.Module:
        """Of radiographs; the weights have it as ``radiograph_encoder``."""
        encoder: nn.Module = self.radiograph_encoder
        return encoder

    @property
    def image_latent_scale(self) -> Tensor | float:
        """Factor of the latents of radiographs; ``scale_radiograph_latent``."""
        return self.latent_scale if self.scale_radiograph_latent else 1.0

    def image_latent(self, radiograph: Tensor) -> Tensor:
        """E2(y): radiographs [B,1,H,W] in [-1,1] through E1, [B,C,h,w]; ``align``, ``scale_radiograph_latent``."""
        image = self.to_slice_scale(radiograph) if self.align else radiograph
        latent: Tensor = self.autoencoder.encode(image) * self.image_latent_scale
        return latent

    def to_slice_scale(self, radiograph: Tensor) -> Tensor:
        """Draw the radiograph region to the scale of the slices, black around it: [B,1,H,W] to [B,1,H,W]."""
        scale = self.image_size * self.pixel_mm * self.magnification / self.region_mm
        theta = radiograph.new_tensor([[scale, 0, 0], [0, scale, 0]]).expand(len(radiograph), 2, 3)
        grid = F.affine_grid(theta, list(radiograph.shape), align_corners=False)
        smooth = F.avg_pool2d(radiograph + 1, 3, stride=1, padding=1, count_include_pad=False)
        return F.grid_sample(smooth, grid, padding_mode="zeros", align_corners=False) - 1

    def condition(self, radiograph: Tensor, features: Tensor | None = None) -> Condition:
        """Encode radiographs [B,1,H,W] in [-1,1] and features r [B,61] (None: unknown); see :meth:`guide_of`."""
        guide = self.guide_of(radiograph, features)
        return Condition(self.image_latent(radiograph), self.radiograph_encoder(radiograph), guide)

    def guide_of(self, radiograph: Tensor, features: Tensor | None = None) -> Tensor:
        """Guide of the up path [B,G]: features r [B,61], or what ``describe`` reads in radiographs [B,1,H,W].

        The description of Wang 2024b takes the place of the features; where it keeps ``feature_width`` numbers free,
        they stand next to it.
        """
        if self.describe is None:
            return self._completed(radiograph, features)
        described: Tensor = self.describe(radiograph)
        width = self._feature_width
        return described if features is None or not width else torch.cat([features, described[:, width:]], dim=1)

    def _completed(self, radiograph: Tensor, given: Tensor | None) -> Tensor:
        """A guide [B,G] of what is given of its first numbers; the rest is unknown, or read in the radiograph."""
        if given is not None and given.shape[1] == self.guide_width and not self.read_guide:
            return given
        guide = radiograph.new_zeros(len(radiograph), self.guide_width)
        if given is not None:
            guide[:, : given.shape[1]] = given
        if self.read_guide:
            pairs = guide[:, -2 * self.reader.numbers :].unflatten(1, (-1, 2))  # [B,V,(number, known)]
            unknown = pairs[..., 1] == 0
            if unknown.any():
                read = self.reader(self.radiograph_encoder(radiograph))[:, : self.reader.numbers]
                pairs[..., 0] = torch.where(unknown, read.to(guide), pairs[..., 0])
                pairs[..., 1] = 1
        return guide

    def null_condition(self, batch: int, features: Tensor | None = None) -> Condition:
        """The condition of dropout and guidance: no radiograph; features r [B,61] if given, else unknown."""
        context = self.null_context.expand(batch, -1, -1)
        guide = context.new_zeros(batch, self.guide_width)
        if features is not None and self._feature_width:
            guide[:, : features.shape[1]] = features
        return Condition(context.new_zeros(batch, *self.latent_shape()), context, guide)

    def denoise(
        self, z_t: Tensor, t: Tensor, condition: Condition, place: Tensor, neighbors: Tensor | None = None
    ) -> Tensor:
        """U(z_t, E2(y), t, d, r) at depths d [B]: [B,C,h,w], or [m*B,C,h,w] for m guides."""
        given = condition.image_latent, condition.context, place, condition.guide
        near = () if neighbors is None else (neighbors,)  # a denoiser without mixing takes none
        prediction: Tensor = self.denoiser(z_t, self.schedule.network_time(t), *given, *near)
        return prediction

    def generate(self, radiograph: Tensor, features: Tensor | None = None, **sampling: Any) -> Tensor:
        """One volume [1,1,S,H,W] of a radiograph [1,1,H,W] in [-1,1], right-knee space, and features [1,G].

        ``sampling``: see :meth:`sample_volume`, which takes a condition that was encoded before.
        """
        with torch.inference_mode():
            return self.sample_volume(self.condition(radiograph, features), **sampling)

    def sample_volume(
        self, condition: Condition, *, slices: int | None = None, depths: Tensor | None = None, **sampling: Any
    ) -> Tensor:
        """One volume of a condition (Wang 2024a, Algorithm 2).

        Args:
            condition: of one knee, see :meth:`condition`.
            slices: number of slices over the modelled range; None = the modelled number.
            depths: d [S] of the slices, 0 to 1, in place of ``slices``. A slice does not depend on the others; where
                neighboring slices hear each other, the modelled ones are drawn with them and left.
            **sampling: noise, sampler, settings ... of
                :meth:`~monai_xray2mri.diffusion.latent_diffusion.LatentDiffusion.sample`.

        Returns:
            [1,1,S,H,W] float32 in [-1,1], slice 0 posterior.
        """
        if depths is not None and self.mixing is not None:
            images = self._sample_some(condition, depths, **sampling)
        else:
            images = self.sample(condition, self.depths(slices) if depths is None else depths, **sampling)  # [S,1,H,W]
        return images.transpose(0, 1)[None]

    def _sample_some(
        self, condition: Condition, depths: Tensor, callback: Callable[[int], object] | None = None, **sampling: Any
    ) -> Tensor:
        """Slices [S,1,H,W] at some depths [S] of a volume whose other slices they hear."""
        modeled = self.depths().to(depths)
        far = (modeled[:, None] - depths).abs().amin(dim=1) * self.range_mm > _SAME_MM
        volume = torch.cat([depths, modeled[far]])
        images = self.sample(condition, volume, **sampling)[: len(depths)]
        if callback is not None:
            callback(len(depths))
        return images

    def forward(self, image: Tensor, features: Tensor | None = None) -> Tensor:
        """MONAI's view: radiographs [B,1,H,W] in [-1,1] to volumes [B,1,H,W,S], seed 0, default sampler."""
        volumes = []
        for index in range(len(image)):
            noise = self.draw_noise(torch.Generator().manual_seed(0))
            one = None if features is None else features[index : index + 1]
            volumes.append(self.generate(image[index : index + 1], one, noise=noise))
        return torch.cat(volumes).permute(0, 1, 3, 4, 2)  # [B,1,H,W,S]


def load_slice_diffusion(bundle: Path) -> SliceDiffusion:
    """The network of a knee bundle with its weights.

    Raises:
        WeightsError: see :func:`~monai_xray2mri.core.bundles.load_network`; also a bundle of another system.
    """
    network = load_network(bundle)
    if not isinstance(network, SliceDiffusion):
        raise WeightsError(
            f"bundle {bundle.name}",
            "must hold a network of the system knee_xray2mri",
            type(network).__name__,
            "Give --bundle the folder of a knee bundle.",
        )
    return network
