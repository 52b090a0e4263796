"""Training batches of knees that are simulated while the network trains: no knee twice, nothing on the disk.

A ring of knees stays on the device. Batches are drawn from it; every few batches its oldest knees give way to new ones,
which a thread has simulated meanwhile. Everything follows from the seed and the number of the batch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from monai_xray2mri.core.random_streams import draw_generator
from monai_xray2mri.errors import UsageError
from monai_xray2mri.knee.data.arrays import LATENT_SIZE, MARGIN, MODELED_SLICES, SLICES
from monai_xray2mri.knee.data.jitter import BoxJitter, network_view
from monai_xray2mri.knee.data.latents import SliceEncoder, SliceNetwork
from monai_xray2mri.knee.data.slices import lesion_weights
from monai_xray2mri.knee.grading.features import one_hot
from monai_xray2mri.simulation.knee.knee import KneeTensors, SimulatedKnee, simulate_knees
from monai_xray2mri.simulation.knee.people.seeds import require_training_seed

Knee = dict[str, Tensor]
"""A knee of the ring: ``slices`` [S,H,W], ``views`` [D,H,W], ``features`` [61], ``lesions`` [S,h,w], all uint8, and
``with_lesion`` [S] bool on the CPU."""

Simulate = Callable[[Sequence[int]], Sequence[SimulatedKnee | KneeTensors]]


class SimulatedStream(IterableDataset[dict[str, Tensor]]):
    """Batches of slices of knees that are simulated on the fly, of the same make as those of stored sets.

    A batch holds what a loader makes of the items of :class:`~monai_xray2mri.knee.data.slices.TrainingSlices`:
    ``target`` and ``image`` [B,1,H,W], ``guide`` [B,61], ``place`` [B], ``weight`` [B,1,h,w], and ``knee`` [B], here
    the knee's seed. Give it to a ``DataLoader`` with ``batch_size=None``. In the main process batches stay on the
    device, in a loader's worker they go through the CPU.

    Batch k depends on the arguments, the epoch and k: it belongs to lane k % ``lanes``, and each lane has seeds and a
    ring of its own. So the batches are the same, in the same order, for every number of workers that divides
    ``lanes``.

    Args:
        seeds: training seeds; used in this order, again from the first when they run out.
        batches: batches per epoch, a multiple of ``lanes``.
        batch_size: slices per batch.
        device: where knees are kept; None takes the GPU if there is one.
        ring: knees that a lane's batches are drawn from, a multiple of ``group``.
        group: knees that are simulated together and replaced together.
        reuse: batches of a lane between two replacements.
        draws: boxes per knee.
        lesion_share: share of slices that show a lesion; None draws evenly. See
            :func:`~monai_xray2mri.knee.data.slices.draw_weights`.
        seed: of what is drawn.
        visibility: of hidden features in the radiograph, 0 to 1.
        jitter: how the boxes err.
        lesion_weight: added to the weight of 1 where cysts, chondrocalcinosis or attrition lie.
        lanes: independent rings.
        simulate: makes the knees of some seeds, with ``MARGIN`` around the region; None takes ``simulate_knees``, knee
            by knee on the CPU.

    Raises:
        InputRefused: a seed of a held-out range.
        UsageError: numbers that do not fit one another.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        batches: int,
        batch_size: int = 16,
        *,
        device: str | torch.device | None = None,
        ring: int = 64,
        group: int = 16,
        reuse: int = 16,
        draws: int = 8,
        lesion_share: float | None = 0.4,
        seed: int = 0,
        visibility: float = 0.5,
        jitter: BoxJitter | None = None,
        lesion_weight: float = 0.0,
        lanes: int = 1,
        simulate: Simulate | None = None,
    ) -> None:
        for one in seeds:
            require_training_seed(one)
        _check_multiple("ring", ring, "group", group)
        _check_multiple("batches", batches, "lanes", lanes)
        if len(seeds) < ring * lanes:
            raise UsageError("on-the-fly training set", f"needs at least {ring * lanes} seeds", f"{len(seeds)}")
        self.seeds, self.batches, self.batch_size = seeds, batches, batch_size
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.ring, self.group, self.reuse, self.draws = ring, group, reuse, draws
        self.lesion_share, self.seed, self.visibility = lesion_share, seed, visibility
        self.jitter, self.lesion_weight, self.lanes = jitter or BoxJitter(), lesion_weight, lanes
        self.simulate = simulate or self._simulate
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        self._rings: dict[tuple[int, int], _Ring] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Without the knees, which every process makes for itself."""
        return {**self.__dict__, "_rings": {}}

    def set_epoch(self, epoch: int) -> None:
        """Go on with the knees and the draws of another epoch."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        """Number of batches per epoch."""
        return self.batches

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        """Yield the batches of an epoch, or a worker's part of them.

        Raises:
            UsageError: the number of workers does not divide the number of lanes.
        """
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        _check_multiple("lanes", self.lanes, "workers of the loader", workers)
        epoch = int(self._epoch)
        for number in range(worker, self.batches, workers):
            batch = self.batch(epoch, number)
            yield {name: value.cpu() for name, value in batch.items()} if info else batch

    def knees(self, epoch: int, number: int) -> dict[int, Knee]:
        """Seeds and knees that batch ``number`` of an epoch is drawn from, the oldest first."""
        lane, turn = number % self.lanes, number // self.lanes // self.reuse
        turns_per_epoch = self.batches // self.lanes // self.reuse
        return self._ring(lane).at((epoch * turns_per_epoch + turn) * self.group)

    def _ring(self, lane: int) -> _Ring:
        # A forked worker must not use its parent's ring: the thread that fills it does not live on there.
        key = os.getpid(), lane
        if key not in self._rings:
            self._rings[key] = _Ring(self._make, self.seeds[lane :: self.lanes], self.ring, self.group, self.device)
        return self._rings[key]

    def _make(self, seeds: Sequence[int]) -> list[Knee]:
        return [self.knee_tensors(knee) for knee in self.simulate(seeds)]

    def _simulate(self, seeds: Sequence[int]) -> list[KneeTensors]:
        return list(simulate_knees(seeds, self.device, self.visibility, margin=MARGIN))

    def knee_tensors(self, knee: SimulatedKnee | KneeTensors) -> Knee:
        """A knee as the ring keeps it, rounded as the store rounds."""
        modeled = slice(MODELED_SLICES[0], MODELED_SLICES[1] + 1)
        volume = torch.as_tensor(knee.volume[modeled], device=self.device)
        lesions = torch.as_tensor(knee.lesions[modeled], device=self.device) != 0
        with_lesion = lesions.flatten(1).any(dim=1).cpu()
        blocks = lesions.unflatten(2, (LATENT_SIZE, -1)).unflatten(1, (LATENT_SIZE, -1))  # [S,h,8,w,8]
        region = torch.as_tensor(knee.radiograph).cpu().numpy()
        stored = np.rint(np.clip(region, 0, 1) * 65535).astype(np.uint16)
        boxes = [self.jitter.draw(draw_generator("box", self.seed, knee.seed, draw)) for draw in range(self.draws)]
        views = np.stack([np.rint((network_view(stored, box) + 1) * 127.5) for box in boxes]).astype(np.uint8)
        return {
            "slices": (volume.clamp(0, 1) * 255).round().to(torch.uint8),
            "views": torch.from_numpy(views).to(self.device),
            "features": torch.from_numpy(one_hot(knee.grades).astype(np.uint8)).to(self.device),
            "lesions": blocks.any(dim=4).any(dim=2).to(torch.uint8),
            "with_lesion": with_lesion,
        }

    def batch(self, epoch: int, number: int) -> dict[str, Tensor]:
        """Batch ``number`` of an epoch, on the device; see :class:`SimulatedStream`."""
        knees = self.knees(epoch, number)
        rows = list(knees.values())
        generator = draw_generator("batch", self.seed, epoch, number)
        places = generator.choice(len(rows) * SLICES, self.batch_size, p=self._weights(rows))
        draws = generator.integers(self.draws, size=self.batch_size)
        seeds = list(knees)
        chosen = [
            (int(place) // SLICES, int(place) % SLICES, int(draw)) for place, draw in zip(places, draws, strict=True)
        ]
        slices = torch.stack([rows[knee]["slices"][position] for knee, position, _ in chosen])  # [B,H,W]
        views = torch.stack([rows[knee]["views"][draw] for knee, _, draw in chosen])
        lesions = torch.stack([rows[knee]["lesions"][position] for knee, position, _ in chosen])  # [B,h,w]
        return {
            "target": slices[:, None].float() / 127.5 - 1,
            "image": views[:, None].float() / 127.5 - 1,
            "guide": torch.stack([rows[knee]["features"] for knee, _, _ in chosen]).float(),
            "place": torch.tensor([position / (SLICES - 1) for _, position, _ in chosen], device=self.device),
            "weight": 1 + self.lesion_weight * lesions[:, None].float(),
            "knee": torch.tensor([seeds[knee] for knee, _, _ in chosen], device=self.device),
        }

    def _weights(self, rows: list[Knee]) -> np.ndarray:
        if self.lesion_share is None:
            return np.full(len(rows) * SLICES, 1 / (len(rows) * SLICES))
        with_lesion = torch.cat([row["with_lesion"] for row in rows])
        weights: np.ndarray = lesion_weights(with_lesion, self.lesion_share).numpy()
        return weights


class _Ring:
    """A window of ``size`` knees that moves along a sequence of seeds, ``group`` knees at a time.

    Args:
        make: simulates knees.
        seeds: the sequence, repeated without end.
        size: knees in the window.
        group: knees that are made together.
        device: where ``make`` computes.
    """

    def __init__(
        self,
        make: Callable[[Sequence[int]], list[Knee]],
        seeds: Sequence[int],
        size: int,
        group: int,
        device: torch.device,
    ) -> None:
        self.make, self.seeds, self.size, self.group, self.device = make, seeds, size, group, device
        self.groups: dict[int, Future[list[Knee]]] = {}
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="knees")
        # On a stream of its own, so that kernels of the simulator run between those of the network.
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def at(self, start: int) -> dict[int, Knee]:
        """Seeds and knees of the window that begins at ``start``, a multiple of ``group``."""
        wanted = range(start, start + self.size, self.group)
        for first in [first for first in self.groups if first < start]:
            del self.groups[first]
        for first in (*wanted, wanted.stop):  # the next group is made while this window is in use
            if first not in self.groups:
                self.groups[first] = self.thread.submit(self._made, first)
        rows = [knee for first in wanted for knee in self.groups[first].result()]
        if self.stream is not None:
            for tensor in (value for row in rows for value in row.values() if value.is_cuda):
                tensor.record_stream(torch.cuda.current_stream(self.device))
        return dict(zip(self._seeds(start, self.size), rows, strict=True))

    def _seeds(self, start: int, count: int) -> list[int]:
        return [self.seeds[place % len(self.seeds)] for place in range(start, start + count)]

    def _made(self, first: int) -> list[Knee]:
        stream: AbstractContextManager[Any] = torch.cuda.stream(self.stream) if self.stream else nullcontext()
        with torch.inference_mode(False), torch.no_grad(), stream:
            knees = self.make(self._seeds(first, self.group))
            if self.stream is not None:
                self.stream.synchronize()
        return knees


def latent_deviation(network: SliceNetwork, stream: SimulatedStream, knees: int = 16) -> float:
    """Standard deviation of all numbers of the latents, not scaled, of a stream's first knees.

    Args:
        network: its autoencoder is trained.
        stream: where the knees come from; they stay in its ring.
        knees: how many at most.
    """
    encoder = SliceEncoder(network)
    rows = list(stream.knees(0, 0).values())[:knees]
    images = torch.cat([row["slices"] for row in rows])[:, None].float() / 127.5 - 1  # [K*S,1,H,W]
    return float(encoder.slices(images).double().std())


def _check_multiple(what: str, value: int, of: str, unit: int) -> None:
    if unit < 1 or value < unit or value % unit:
        raise UsageError(f"on-the-fly training set: {what}", f"must be a multiple of the {of}, {unit}", f"{value}")
