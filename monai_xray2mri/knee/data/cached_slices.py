"""Slices and films of a cache of knees as pictures: what an autoencoder is trained on."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.core.random_streams import draw_generator
from monai_xray2mri.errors import UsageError
from monai_xray2mri.knee.data.cache import KneeCache
from monai_xray2mri.knee.data.jitter import BoxJitter, network_view


class CachedSlices:
    """An :class:`~monai_xray2mri.training.autoencoder.ImageSource` of a cache: its knees as drawn.

    Args:
        cache: all its knees must be complete.
        seed: of boxes and of what is made of the slices.
        jitter: how the boxes of films err.

    Raises:
        UsageError: some knees are missing.
    """

    def __init__(self, cache: KneeCache, *, seed: int = 0, jitter: BoxJitter | None = None) -> None:
        if (done := cache.done()) < len(cache):
            raise UsageError(
                f"cache {cache.folder.name}", f"must hold {len(cache)} knees", f"{done}", "Simulate them first."
            )
        self.cache, self.seed, self.jitter, self.epoch = cache, seed, jitter or BoxJitter(), 0
        self._shards = [cache.open(number) for number in range(len(cache.folders()))]

    def set_epoch(self, epoch: int) -> None:
        """Draw other boxes from now on."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.cache) * self.cache.slices

    def target(self, item: int) -> Tensor:
        """A slice [1,H,W] in [-1,1]."""
        knee, place = divmod(item, self.cache.slices)
        number, row = divmod(knee, self.cache.shard)
        gray = self._shards[number].array("slices")[row, 0, place]
        return torch.from_numpy(gray.astype(np.float32))[None] / 127.5 - 1

    def image(self, item: int) -> Tensor:
        """The knee's film [1,H,W] in [-1,1], cut out by this epoch's box."""
        knee = item // self.cache.slices
        number, row = divmod(knee, self.cache.shard)
        box = self.jitter.draw(draw_generator("box", self.seed, knee, self.epoch, item))
        return torch.from_numpy(network_view(self._shards[number].array("film")[row], box))[None]
