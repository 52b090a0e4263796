"""MONAI inferer of the knee bundles: seed, steps and slices per request, the network made once."""

from __future__ import annotations

from typing import Any

import torch
from monai.inferers import Inferer


class SliceDiffusionInferer(Inferer):
    """Samples one volume per radiograph of the batch.

    Options may be numbers, numeric strings or empty (clients of MONAI Label send all three); empty, None and 0 stand
    for the model's default.

    Args:
        seed: seed of the initial noise, the same for every radiograph.
        steps: sampling steps.
        slices: slices over the modelled range.
        guidance: guidance scale.
        chunk: slices that are computed together.
    """

    def __init__(
        self, seed: Any = 0, steps: Any = None, slices: Any = None, guidance: Any = None, chunk: Any = 25
    ) -> None:
        super().__init__()
        self.seed, self.steps, self.slices = int(seed or 0), int(steps or 0) or None, int(slices or 0) or None
        self.guidance, self.chunk = float(guidance or 0) or None, int(chunk or 25)

    def __call__(
        self, inputs: torch.Tensor, network: Any, features: torch.Tensor | None = None, *_: Any, **__: Any
    ) -> torch.Tensor:
        """Radiographs [B,1,H,W] in [-1,1], one-hot features [B,61] or None, to volumes [B,1,H,W,S] in [-1,1]."""
        volumes = []
        for index in range(len(inputs)):
            volume = network.generate(
                inputs[index : index + 1],
                None if features is None else features[index : index + 1],
                noise=network.draw_noise(torch.Generator().manual_seed(self.seed)),
                slices=self.slices,
                steps=self.steps,
                guidance=self.guidance,
                chunk=self.chunk,
            )  # [1,1,S,H,W]
            volumes.append(volume.permute(0, 1, 3, 4, 2))
        return torch.cat(volumes)
