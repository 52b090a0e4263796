"""Stages of a recipe that make knees and encode them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from monai_xray2mri.knee.data.cache import CacheShard, KneeCache, cached_knee, count_done
from monai_xray2mri.knee.data.cached_latents import LatentCache, frozen_network
from monai_xray2mri.knee.data.simulated import simulate_training_set
from monai_xray2mri.runtime.workers import Workers
from monai_xray2mri.simulation.knee.people.seeds import SEED_RANGES
from monai_xray2mri.training.recipe.stage import Progress, Turn


class SimulateKnees:
    """Simulates a cache (:class:`~monai_xray2mri.knee.data.cache.KneeCache`), knee by knee.

    Args:
        folder: of the cache.
        knees: how many; more may be asked for later.
        workers: processes, one thread each.
        **options: of the cache.
    """

    free: ClassVar[frozenset[str]] = frozenset({"knees", "workers"})

    def __init__(self, folder: str | Path, knees: int, workers: int = 1, **options: Any) -> None:
        self.cache, self.workers = KneeCache(folder, knees=knees, **options), workers

    def progress(self) -> Progress:
        """Knees that are complete."""
        return Progress(self.cache.done(), len(self.cache), "knees")

    def work(self, turn: Turn) -> None:
        """Simulate those that are missing.

        Raises:
            UsageError: another set lies in the folder, or there is no room.
        """
        for number in range(len(self.cache.folders())):
            shard = self.cache.open(number)
            missing = np.flatnonzero(~shard.done).tolist()
            simulate = partial(_simulate_into, shard.directory, self.cache)
            with closing(Workers(self.workers)(simulate, missing)) as results:
                while not turn.over() and next(results, None) is not None:
                    turn.tell()
            if turn.over():
                return


_opened = cache(CacheShard.open)
"""A process opens a shard once for all its knees."""


def _simulate_into(directory: Path, cache: KneeCache, row: int) -> int:
    shard = _opened(directory)
    seed = shard.index["knees"][row]
    shard.write(row, cached_knee(seed, cache.positions(seed), cache.visibility))
    return row


class SimulateWholeKnees:
    """Simulates whole volumes to watch a training by (:class:`~monai_xray2mri.knee.data.slices.ValidationSlices`).

    Args:
        folder: of the set.
        knees: how many, of the validation split.
    """

    free: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, folder: str | Path, knees: int) -> None:
        start = SEED_RANGES["validation"].start
        self.folder, self.seeds = Path(folder), range(start, start + knees)

    def progress(self) -> Progress:
        """Knees that are complete."""
        return Progress(count_done([self.folder]), len(self.seeds), "knees")

    def work(self, turn: Turn) -> None:
        """Simulate those that are missing.

        Raises:
            UsageError: another set lies in the folder, or there is no room.
        """
        simulate_training_set(self.folder, self.seeds, split="validation", heard=turn.tell, over=turn.over)


class EncodeKnees:
    """Encodes a cache by a frozen autoencoder (:class:`~monai_xray2mri.knee.data.cached_latents.LatentCache`).

    Args:
        folder: of the cache.
        knees: how many; more may be asked for later.
        bundle: folder of the bundle whose network encodes.
        autoencoder: file of its weights.
        configurations: files that change its network, such as
            :class:`~monai_xray2mri.training.recipe.choosing.ChosenWeights` leaves.
        views: looks at each film.
        options: of the cache.
    """

    free: ClassVar[frozenset[str]] = frozenset({"knees"})

    def __init__(
        self,
        folder: str | Path,
        knees: int,
        bundle: str | Path,
        autoencoder: str | Path,
        configurations: Sequence[str] = (),
        views: int = 4,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.cache, self.views = KneeCache(folder, knees=knees, **(options or {})), views
        self.bundle, self.autoencoder = Path(bundle), Path(autoencoder)
        self.configurations = list(configurations)

    def progress(self) -> Progress:
        """Knees whose slices and films are encoded by these weights."""
        done = self._latents().done() if self.autoencoder.is_file() else 0
        return Progress(done, len(self.cache), "knees")

    def work(self, turn: Turn) -> None:
        """Encode those that are missing.

        Raises:
            UsageError: there is no room.
            WeightsError: the autoencoder does not fit.
        """
        self._latents().encode_missing(turn)

    def _latents(self) -> LatentCache:
        network = frozen_network(self.bundle, self.configurations, self.autoencoder)
        return LatentCache(self.cache, network, views=self.views)
