"""Batches of sections in all directions, drawn while the network trains (X-Diffusion, Eq. 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.core.random_streams import draw_generator
from monai_xray2mri.errors import UsageError
from monai_xray2mri.systems.mri_xdiffusion.planes import places, plane_rotation, poses, random_rotations, ticks
from monai_xray2mri.systems.mri_xdiffusion.sections import SectionSource

_PLANES = torch.stack([plane_rotation(axis) for axis in range(3)])


class SectionStream:
    """Batches, each of which follows from seed, epoch and number alone.

    A batch holds, for B sections of B volumes, the keys of
    :mod:`monai_xray2mri.training.denoiser`: ``target`` [B,1,D,D] and ``image`` [B,K,D,D] in [-1,1], ``place`` [B,10],
    ``guide`` [B,K*11] (the poses of the input slices), and ``mask`` [B,1,D,D], 1 where the target was acquired. K is
    one number per batch.

    Args:
        source: of the volumes.
        batches: per epoch, those of all processes.
        batch_size: B.
        pixels: D.
        seed: of what is drawn.
        slices: how often a batch has K input slices, by K: ``{"1": 0.6, "5": 0.4}`` (keys of JSON are words).
        plane_share: share of targets that lie in one of ``planes``; the others are uniform on SO(3).
        planes: axes of the volume [S,H,W] that these targets are counted along.
        reach: greatest depth of a single input slice, 0 to 1; several are spread evenly over what was acquired.
        orthogonal_share: share of batches of 2 or 3 slices whose slices lie in different planes (section 6.2).
        uneven_share: share of the other batches of 2 slices or more whose slices lie anywhere along their axis, as
            slices do that somebody chose, instead of at even distances.

    Raises:
        UsageError: no volume, or an impossible K or share.
    """

    def __init__(
        self,
        source: SectionSource,
        batches: int,
        batch_size: int,
        pixels: int,
        *,
        seed: int = 0,
        slices: Mapping[str, float] | None = None,
        plane_share: float = 0.15,
        planes: Sequence[int] = (0, 1, 2),
        reach: float = 0.6,
        orthogonal_share: float = 0.3,
        uneven_share: float = 0.0,
    ) -> None:
        shares = {int(number): share for number, share in (slices or {"1": 1.0}).items()}
        if not len(source) or min(shares) < 1 or sum(shares.values()) <= 0 or min(shares.values()) < 0:
            found = f"{len(source)} volumes, shares {shares}"
            raise UsageError("sections", "need volumes and numbers of slices with their shares", found)
        self.source, self.batches, self.batch_size, self.pixels = source, batches, batch_size, pixels
        self.seed, self.plane_share, self.reach, self.orthogonal_share = seed, plane_share, reach, orthogonal_share
        self.uneven_share = uneven_share
        self.planes, self.acquired = _PLANES[list(planes)], source.acquired
        self.numbers = list(shares)
        self.shares = np.array(list(shares.values())) / sum(shares.values())

    def __len__(self) -> int:
        """Batches per epoch."""
        return self.batches

    def set_epoch(self, epoch: int) -> None:
        """Nothing: the epoch is given with each batch."""

    def batch(self, epoch: int, number: int) -> dict[str, Tensor]:
        """Batch ``number`` of an epoch; see the class."""
        rng = draw_generator("sections", self.seed, epoch, number)
        count = int(rng.choice(self.numbers, p=self.shares))
        volumes = rng.integers(len(self.source), size=self.batch_size)
        target = self._targets(rng)
        given = self._inputs(count, volumes, rng)
        cut = [
            self.source.sections(int(volume), torch.cat([target[row : row + 1], given[row]]), self.pixels)
            for row, volume in enumerate(volumes)
        ]
        images = torch.stack([values for values, _ in cut]) * 2 - 1  # [B,1+K,D,D]
        return {
            "target": images[:, :1],
            "image": images[:, 1:],
            "place": target,
            "guide": poses(given).flatten(1),
            "mask": torch.stack([known[:1] for _, known in cut]).float(),
        }

    def _targets(self, rng: np.random.Generator) -> Tensor:
        """Places [B,10]."""
        rotation = random_rotations(self.batch_size, rng)
        axis, draw = rng.integers(len(self.planes), size=self.batch_size), rng.random(self.batch_size)
        in_plane = torch.from_numpy(draw < self.plane_share)[:, None, None]
        depth = ticks(self.pixels)[torch.from_numpy(rng.integers(self.pixels, size=self.batch_size))]
        return places(torch.where(in_plane, self.planes[torch.from_numpy(axis)], rotation), depth)

    def _inputs(self, count: int, volumes: np.ndarray, rng: np.random.Generator) -> Tensor:
        """Places [B,K,10] of K input slices of volumes [B]."""
        size = len(volumes)
        if 2 <= count <= 3 and rng.random() < self.orthogonal_share:
            axes = np.argsort(rng.random((size, 3)), axis=1)[:, :count]
            depth = rng.uniform(-self.reach, self.reach, (size, count))
        else:
            axes = np.repeat(rng.integers(3, size=(size, 1)), count, axis=1)
            depth = self._parallel(count, self.acquired[volumes, :, 2 - axes[:, 0]], rng)
        rotation = _PLANES[torch.from_numpy(axes).flatten()]
        return places(rotation, torch.from_numpy(depth).float().flatten()).unflatten(0, (size, count))

    def _parallel(self, count: int, range_: np.ndarray, rng: np.random.Generator) -> Any:
        """Depths [B,K] of slices over the range [B,2] that was acquired along their axis."""
        if count == 1:
            return rng.uniform(-self.reach, self.reach, (len(range_), 1)).clip(range_[:, :1], range_[:, 1:])
        low, high = range_[:, :1], range_[:, 1:]
        if self.uneven_share and rng.random() < self.uneven_share:
            return np.sort(rng.uniform(low, high, (len(range_), count)), axis=1)
        return low + (high - low) * (np.arange(count) + rng.random((len(range_), 1))) / count


def section_rms(stream: SectionStream, batches: int = 16) -> float:
    """Root mean square of a stream's targets in [0,1], background 0: one over the latent scale of the pixel codec."""
    squares = [((stream.batch(0, number)["target"].double() + 1) / 2).square().mean() for number in range(batches)]
    return float(torch.stack(squares).mean().sqrt())
