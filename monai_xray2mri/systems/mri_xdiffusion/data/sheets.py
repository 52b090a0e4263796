"""Rows of the picture sheets that a training of X-Diffusion writes."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from monai_xray2mri.systems.mri_xdiffusion.network import CrossSectionDiffusion
from monai_xray2mri.systems.mri_xdiffusion.planes import places, plane_rotation, poses, ticks
from monai_xray2mri.systems.mri_xdiffusion.sections import SectionSource

SHOWN: Final = 7
"""Sections of a volume on a sheet, evenly over the middle three quarters of its depth."""


class SectionRows:
    """Rows of a sheet, two per volume: the input slice and true sections; below them the generated ones.

    The input is the middle slice; the sections are those of the volume's own direction, the input's among them.

    Args:
        network: generates.
        source: volumes of the validation set.
        volumes: how many, the first ones.
        steps: sampling steps; None takes the network's default.
    """

    def __init__(
        self, network: CrossSectionDiffusion, source: SectionSource, volumes: int = 3, steps: int | None = None
    ) -> None:
        self.network, self.source, self.steps = network, source, steps
        self.volumes = min(volumes, len(source))

    def __call__(self) -> Tensor:
        """[R,C,D,D] in [-1,1]."""
        size, rows = self.network.image_size, []
        depth = ticks(size)[torch.linspace(size / 8, 7 * size / 8 - 1, SHOWN).round().long()]
        depth[SHOWN // 2] = 0
        target = places(plane_rotation(0).expand(SHOWN, 3, 3), depth)
        for volume in range(self.volumes):
            truth = self.source.sections(volume, target, size)[0] * 2 - 1  # [SHOWN,D,D]
            given = truth[SHOWN // 2][None]
            generated = self._generate(given[None], poses(target[SHOWN // 2])[None, None], target)
            rows += [torch.cat([given, truth]), torch.cat([-torch.ones_like(given), generated])]
        return torch.stack(rows)

    def _generate(self, slices: Tensor, given: Tensor, target: Tensor) -> Tensor:
        network = self.network
        device = network.latent_scale.device
        with torch.inference_mode():
            condition = network.condition(slices.to(device), given.to(device))
        noise = network.draw_noise(torch.Generator().manual_seed(0))
        settings = network.settings.altered(steps=self.steps)
        return network.sample(condition, target, noise=noise, settings=settings)[:, 0].cpu()
