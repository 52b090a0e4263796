"""Which simulated knees a step of training sees."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from monai_xray2mri.diffusion.latent_diffusion import LatentDiffusion
from monai_xray2mri.knee.data.latents import lesion_weights
from monai_xray2mri.knee.data.on_the_fly import SimulatedStream, fit_latent_scale
from monai_xray2mri.knee.data.slices import StoredSlices
from monai_xray2mri.training.order import Division


def draw_weights(source: StoredSlices, lesion_share: float | None) -> Tensor:
    """Relative probability [N] of each slice of a set; ``lesion_share`` of what is drawn shows a lesion, None: even."""
    if lesion_share is None:
        return torch.ones(len(source))
    return lesion_weights(source.with_lesion(), lesion_share)


class StreamOrder(IterableDataset[dict[str, Tensor]]):
    """Micro-batches of one process from knees that are simulated on the fly; each process simulates its own.

    Args:
        stream: gives micro-batches; its lanes are the processes, its batches those of all processes.
        division: of a step.
    """

    def __init__(self, stream: SimulatedStream, division: Division) -> None:
        self.stream, self.division = stream, division
        self.epoch, self.first = 0, 0

    def set_epoch(self, epoch: int) -> None:
        """Go on with the knees and the draws of another epoch."""
        self.stream.set_epoch(epoch)

    def begin(self, epoch: int, first: int = 0) -> None:
        """Give the micro-batches of an epoch next, from number ``first`` of this process on."""
        self.epoch, self.first = epoch, first

    def __len__(self) -> int:
        """Micro-batches per epoch in this process."""
        return len(self.stream) // self.division.world

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        """Yield micro-batches."""
        world = self.division.world
        for number in range(self.first * world + self.division.rank, len(self.stream), world):
            yield self.stream.batch(self.epoch, number)


def scaled_stream(order: StreamOrder, network: LatentDiffusion, fit: bool, knees: int = 16) -> StreamOrder:
    """Set ``network.latent_scale`` by the stream's first knees, if that is wanted; returns ``order``."""
    if fit:
        fit_latent_scale(network, order.stream, knees)
    return order
