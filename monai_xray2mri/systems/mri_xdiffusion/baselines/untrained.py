"""Methods without a network, which every other must beat: zero, mean, another volume, nearest, interpolation, kriging.

The mean volume has the least squared error among all predictions that see no slice. The random pair is the paper's own
control (section 5.1): its ScoreMRI and TPDM lie below it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.core.random_streams import case_generator
from monai_xray2mri.evaluation.protocols import Method
from monai_xray2mri.systems.mri_xdiffusion.baselines.given import (
    Extent,
    FittingVolume,
    GivenSlices,
    as_bytes,
    as_floats,
    require_fitted,
)
from monai_xray2mri.systems.mri_xdiffusion.baselines.interpolation import interpolated
from monai_xray2mri.systems.mri_xdiffusion.baselines.kriging import KrigedSlices


class ZeroVolume:
    """Nothing at all."""

    def predict(self, given: GivenSlices, samples: int, seed: int) -> np.ndarray:
        """[1,D,D,D]."""
        return np.zeros((1, *given.shape), np.float32)


class MeanVolume:
    """The mean of the training volumes, whatever the slices."""

    def __init__(self) -> None:
        self._totals: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def fit(self, cases: Iterable[FittingVolume]) -> None:
        """Average the volumes of each domain."""
        self._totals, self._counts = {}, {}
        for case in cases:
            voxels = torch.from_numpy(case.voxels).double()
            self._totals[case.domain] = self._totals.get(case.domain, 0) + voxels
            self._counts[case.domain] = self._counts.get(case.domain, 0) + 1

    def predict(self, given: GivenSlices, samples: int, seed: int) -> np.ndarray:
        """[1,D,D,D].

        Raises:
            ValueError: it was fitted to no volume of this domain.
        """
        require_fitted(self._counts, given)
        return (self._totals[given.domain] / self._counts[given.domain]).float().numpy()[None]


class _Memory:
    """Training volumes in 8 bits, by domain."""

    def __init__(self) -> None:
        self._volumes: dict[str, list[tuple[Tensor, Extent]]] = {}

    def fit(self, cases: Iterable[FittingVolume]) -> None:
        """Remember the volumes."""
        self._volumes = {}
        for case in cases:
            self._volumes.setdefault(case.domain, []).append((as_bytes(case.voxels), case.extent))

    def _of(self, given: GivenSlices) -> list[tuple[Tensor, Extent]]:
        require_fitted(self._volumes, given)
        return self._volumes[given.domain]


class AnotherVolume(_Memory):
    """A training volume, drawn: what a sharp and wrong answer scores (the paper's random pair)."""

    def predict(self, given: GivenSlices, samples: int, seed: int) -> np.ndarray:
        """[samples,D,D,D]; raises ValueError where it was fitted to no volume of this domain."""
        volumes = self._of(given)
        generator = case_generator("another volume", seed, given.name)
        drawn = torch.randint(len(volumes), (samples,), generator=generator).tolist()
        return torch.stack([as_floats(volumes[number][0]) for number in drawn]).numpy()


class NearestVolume(_Memory):
    """The training volume whose sections at the same places are nearest to the given slices, by squared error."""

    def predict(self, given: GivenSlices, samples: int, seed: int) -> np.ndarray:
        """[1,D,D,D]; raises ValueError where it was fitted to no volume of this domain."""
        errors, size = [], given.shape[0]
        volumes = self._of(given)
        for voxels, extent in volumes:
            sections, known = extent.sampled(voxels).sections(given.places, size)
            errors.append(((sections / 255 - given.slices) * known).square().mean().item())
        return as_floats(volumes[int(np.argmin(errors))][0]).numpy()[None]


class InterpolatedSlices:
    """Linear interpolation of the given slices."""

    def predict(self, given: GivenSlices, samples: int, seed: int) -> np.ndarray:
        """[1,D,D,D]; see :func:`~monai_xray2mri.systems.mri_xdiffusion.baselines.interpolation.interpolated`."""
        return interpolated(given.slices, given.places, given.known).clamp(0, 1).numpy()[None]


BASELINES: Final[Mapping[str, Callable[[], Method]]] = {
    "zero volume": ZeroVolume,
    "mean volume": MeanVolume,
    "another volume": AnotherVolume,
    "nearest volume": NearestVolume,
    "interpolation": InterpolatedSlices,
    "kriging": KrigedSlices,
}
"""Methods without weights by the names that tables have for them."""
