"""The first guess of the network, by itself: what mean and correlation of training volumes say of the given slices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.systems.mri_xdiffusion.alignment import AlignedSlices
from monai_xray2mri.systems.mri_xdiffusion.baselines.given import (
    Extent,
    FittingVolume,
    GivenSlices,
    as_bytes,
    require_fitted,
)
from monai_xray2mri.systems.mri_xdiffusion.first_guess import FirstGuess
from monai_xray2mri.systems.mri_xdiffusion.planes import poses, view_places

_BATCH = 16
"""Sections at a time."""


class KrigedSlices:
    """Simple kriging around the mean volume (:mod:`~monai_xray2mri.systems.mri_xdiffusion.first_guess`)."""

    def __init__(self) -> None:
        self._guesses: dict[str, FirstGuess] = {}

    def fit(self, cases: Iterable[FittingVolume]) -> None:
        """Mean and correlation of each domain."""
        volumes: dict[str, list[tuple[Tensor, Extent]]] = {}
        for case in cases:
            volumes.setdefault(case.domain, []).append((as_bytes(case.voxels), case.extent))
        self._guesses = {}
        for domain, held in volumes.items():
            size = len(held[0][0])
            self._guesses[domain] = FirstGuess(1, size, size)
            self._guesses[domain].fit(_Held(held))

    def predict(self, given: GivenSlices, samples: int, seed: int) -> np.ndarray:
        """[1,D,D,D]; raises ValueError where it was fitted to no volume of this domain."""
        require_fitted(self._guesses, given)
        guess, alignment, size = self._guesses[given.domain], AlignedSlices(1, 1, 2), given.shape[0]
        latents, told = given.slices[None, :, None], poses(given.places)[None]
        sections = []
        for place in view_places(torch.eye(3), size).split(_BATCH):
            batch = len(place)
            near = alignment.nearest_to(latents.expand(batch, -1, -1, -1, -1), told.expand(batch, -1, -1), place)
            sections.append(guess(near, place)[0][:, 0])
        return torch.cat(sections).clamp(0, 1).numpy()[None]


class _Held:
    """Volumes in 8 bits, to be cut."""

    def __init__(self, volumes: Sequence[tuple[Tensor, Extent]]) -> None:
        self.volumes = volumes

    def __len__(self) -> int:
        return len(self.volumes)

    @property
    def acquired(self) -> np.ndarray:
        return np.array([[extent.low, extent.high] for _, extent in self.volumes])

    def sections(self, volume: int, place: Tensor, pixels: int) -> tuple[Tensor, Tensor]:
        voxels, extent = self.volumes[volume]
        values, known = extent.sampled(voxels).sections(place, pixels)
        return values / 255, known
