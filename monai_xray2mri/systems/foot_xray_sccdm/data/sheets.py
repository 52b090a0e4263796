"""Rows of the picture sheets that a training of SCCDM writes."""

from __future__ import annotations

import torch
from torch import Tensor

from monai_xray2mri.systems.foot_xray_sccdm.data.pairs import Pairs
from monai_xray2mri.systems.foot_xray_sccdm.network import DifferenceDiffusion


class PairRows:
    """A row for each foot: photograph, radiograph, and two generated radiographs of different noise.

    Args:
        network: generates.
        pairs: of the validation set.
        count: how many, evenly spread over the set.
        steps: sampling steps; None takes the network's own.
    """

    def __init__(self, network: DifferenceDiffusion, pairs: Pairs, count: int = 6, steps: int | None = None) -> None:
        self.network, self.pairs, self.steps = network, pairs, steps
        self.rows = torch.linspace(0, len(pairs) - 1, min(count, len(pairs))).round().long().tolist()

    def __call__(self) -> Tensor:
        """[R,4,S,S] in [-1,1]."""
        photographs, radiographs = (
            2 * torch.from_numpy(pictures[self.rows]).float()[:, None] / 255 - 1
            for pictures in (self.pairs.photographs, self.pairs.radiographs)
        )
        device = self.network.latent_scale.device
        generated = [
            self.network.radiographs(
                photographs.to(device),
                [torch.Generator().manual_seed(seed + 2 * row) for row in range(len(self.rows))],
                steps=self.steps,
            ).cpu()
            for seed in (0, 1)
        ]
        return torch.cat([photographs, radiographs, *generated], dim=1)
