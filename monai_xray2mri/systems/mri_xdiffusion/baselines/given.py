"""What methods are given of a volume, and the volumes that they are fitted to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.systems.mri_xdiffusion.sections import SampledVolume


@dataclass(frozen=True)
class GivenSlices:
    """The slices that a method is given of a volume [D,D,D].

    Attributes:
        name: of the volume; methods may derive their random numbers from it and from nothing else.
        domain: what it is a volume of, ``"cones"`` or ``"knees"``: a method fits each on its own.
        slices: [K,D,D] float32 in [0,1].
        places: of each, [K,10].
        known: which of their pixels are known, [K,D,D] bool; None: all.
    """

    name: str
    domain: str
    slices: Tensor
    places: Tensor
    known: Tensor | None = None

    @property
    def title(self) -> str:
        """``volume 9000``."""
        return f"volume {self.name}"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (D, D, D) of the volume."""
        size = self.slices.shape[-1]
        return size, size, size


@dataclass(frozen=True)
class Extent:
    """Lowest and highest (x, y, z) that was acquired of a volume, in halves of the cube's side."""

    low: tuple[float, float, float] = (-1.0, -1.0, -1.0)
    high: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @classmethod
    def of(cls, acquired: np.ndarray) -> Extent:
        """Of ``acquired`` [2,3] of a :class:`~monai_xray2mri.systems.mri_xdiffusion.volumes.cube.Cube`."""
        low, high = (tuple(float(value) for value in corner) for corner in acquired)
        return cls(low, high)  # type: ignore[arg-type]

    def sampled(self, voxels: Tensor) -> SampledVolume:
        """A volume [D,D,D] of this extent, to be cut."""
        return SampledVolume(voxels, low=self.low, high=self.high)


class FittingVolume(Protocol):
    """A training volume."""

    @property
    def domain(self) -> str:
        """What it is a volume of."""
        ...

    @property
    def voxels(self) -> np.ndarray:
        """[D,D,D] float32 in [0,1]."""
        ...

    @property
    def extent(self) -> Extent:
        """What was acquired of it."""
        ...


def require_fitted(fitted: Mapping[str, object], given: GivenSlices) -> None:
    """Raise a ValueError unless a method was fitted to the domain of what it is given."""
    if given.domain not in fitted:
        raise ValueError(f"fit the method to volumes of {given.domain} before use")


def as_bytes(voxels: np.ndarray) -> Tensor:
    """Voxels in [0,1] as uint8, as training sets have them."""
    return torch.from_numpy(np.rint(np.clip(voxels, 0, 1) * 255).astype(np.uint8))


def as_floats(voxels: Tensor) -> Tensor:
    """Voxels 0..255 as float32 in [0,1]."""
    return voxels.float() / 255
