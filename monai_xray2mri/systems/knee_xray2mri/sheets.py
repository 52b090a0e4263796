"""Rows of the picture sheets that a training run writes."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from monai_xray2mri.diffusion.samplers import Sampler, ddim
from monai_xray2mri.knee.data.slices import StoredSlices
from monai_xray2mri.networks.autoencoder import SliceAutoencoder
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion

SHOWN: Final = 8
"""Slices of a knee on a sheet: every seventh of 50, both ends among them."""


class SynthesisRows:
    """Rows of a sheet for the denoiser, two per knee: radiograph and true slices; below them the generated ones.

    Args:
        network: generates.
        source: validation knees.
        knees: how many, the first ones.
        steps: sampling steps; None takes the network's default.
        sampler: how they are sampled.
    """

    def __init__(
        self,
        network: SliceDiffusion,
        source: StoredSlices,
        knees: int = 2,
        steps: int | None = None,
        sampler: Sampler = ddim,
    ) -> None:
        self.network, self.source, self.steps, self.sampler = network, source, steps, sampler
        self.knees = min(knees, len(source) // source.slices)

    def __call__(self) -> Tensor:
        """[R,C,H,W] in [-1,1]."""
        rows = []
        for knee in range(self.knees):
            first, spread = knee * self.source.slices, (self.source.slices - 1) // (SHOWN - 1)
            items = [self.source[first + spread * place] for place in range(SHOWN)]
            radiograph = items[0]["image"]  # [1,H,W]
            truth = torch.cat([radiograph, *(item["target"] for item in items)])  # [C,H,W]
            volume = self._generate(radiograph[None], items[0]["guide"][None])[0, 0].cpu()  # [SHOWN,H,W]
            rows += [truth, torch.cat([-torch.ones_like(radiograph), volume])]
        return torch.stack(rows)

    def _generate(self, radiograph: Tensor, features: Tensor) -> Tensor:
        network = self.network
        device = network.latent_scale.device
        noise, settings = (
            network.draw_noise(torch.Generator().manual_seed(0)),
            network.settings.altered(steps=self.steps),
        )
        return network.generate(
            radiograph.to(device),
            features.to(device),
            noise=noise,
            sampler=self.sampler,
            settings=settings,
            slices=SHOWN,
            chunk=SHOWN,
        )


class ReconstructionRows:
    """Rows of a sheet for the autoencoder, two per knee: radiograph and slices; below them what comes back.

    Args:
        autoencoder: encodes and decodes.
        source: validation knees.
        knees: how many, the first ones.
    """

    def __init__(self, autoencoder: SliceAutoencoder, source: StoredSlices, knees: int = 2) -> None:
        self.autoencoder, self.source = autoencoder, source
        self.knees = min(knees, len(source) // source.slices)

    @torch.inference_mode()
    def __call__(self) -> Tensor:
        """[R,C,H,W] in [-1,1]."""
        device = next(self.autoencoder.parameters()).device
        rows = []
        for knee in range(self.knees):
            first, spread = knee * self.source.slices, (self.source.slices - 1) // (SHOWN - 1)
            slices = [self.source.target(first + spread * place) for place in range(SHOWN)]
            images = torch.stack([self.source.image(first), *slices])  # [C,1,H,W]
            back = [self.autoencoder.decode(self.autoencoder.encode(image[None].to(device))) for image in images]
            rows += [images[:, 0], torch.cat(back)[:, 0].cpu()]
        return torch.stack(rows)
