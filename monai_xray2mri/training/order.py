"""Which images a step sees, and with which random numbers: the same for every division of the work.

A *step* is one update of the weights, from ``batch_size`` images. It is divided into *micro-batches*: ``accumulate`` of
them one after the other in each of ``world`` processes. What a step draws follows from the run's seed and the number of
the step alone, and is drawn for the whole step before a micro-batch takes its part. So a run gives the same weights, up
to the rounding of sums, however its steps are divided; and it goes on after an interruption as if there had been none,
without any state of a random generator in its checkpoint.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import torch
from ignite.engine import Engine, Events
from torch import Tensor
from torch.utils.data import IterableDataset, Sampler

from monai_xray2mri.core.random_streams import draw_generator
from monai_xray2mri.errors import UsageError
from monai_xray2mri.training import processes


class Division:
    """How a step is divided into micro-batches, and which of them is at work.

    Attached to an engine it seeds torch's generators before each micro-batch, with the seed of the step.

    Args:
        batch_size: images of a step.
        accumulate: micro-batches of a step in each process.
        seed: of the run.
        stream: what is drawn; runs of other names are independent of each other.

    Attributes:
        part: which micro-batch of the step is at work.
        step: number of that step, from 0.

    Raises:
        UsageError: the batch does not divide evenly.
    """

    def __init__(self, batch_size: int, accumulate: int = 1, seed: int = 0, stream: str = "training") -> None:
        self.batch_size, self.accumulate, self.seed, self.stream = batch_size, accumulate, seed, stream
        self.rank, self.world = processes.rank(), processes.world()
        self.parts = self.accumulate * self.world
        if accumulate < 1 or batch_size < 1 or batch_size % self.parts:
            raise UsageError(
                "batch size",
                f"must be a multiple of the micro-batches of a step, {accumulate} in each of {self.world} processes",
                str(batch_size),
            )
        self.micro_batch = batch_size // self.parts
        self.part, self.step = self.rank, 0

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer or evaluator; before everything that draws."""
        engine.add_event_handler(Events.ITERATION_STARTED, lambda: self.move_to(engine.state.iteration - 1))

    def move_to(self, iteration: int) -> None:
        """Take micro-batch ``iteration`` of this process, counted from 0 over all steps, and seed torch for it."""
        self.step, turn = divmod(iteration, self.accumulate)
        self.part = turn * self.world + self.rank
        torch.manual_seed(zlib.crc32(f"{self.stream} {self.seed} {self.step}".encode()))

    def my_rows(self, drawn: Tensor) -> Tensor:
        """The rows [micro_batch,...] of what was drawn for the whole step, [batch_size,...], of this micro-batch."""
        return drawn[self.part * self.micro_batch :][: self.micro_batch]


class BatchOrder(Sampler[list[int]]):
    """Items of the micro-batches of one process, drawn with replacement; a ``batch_sampler`` of ``DataLoader``.

    Args:
        weights: [N] relative probability of each item.
        division: of a step.
        steps: steps per epoch.
    """

    def __init__(self, weights: Tensor, division: Division, steps: int) -> None:
        cumulated = np.cumsum(weights.double().numpy())
        self.cumulated = cumulated / cumulated[-1]
        self.division, self.steps = division, steps
        self.epoch, self.first = 0, 0

    def begin(self, epoch: int, first: int = 0) -> None:
        """Give the micro-batches of an epoch next, from number ``first`` of this process on."""
        self.epoch, self.first = epoch, first

    def __len__(self) -> int:
        """Micro-batches per epoch in this process."""
        return self.steps * self.division.accumulate

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the items of each micro-batch."""
        division = self.division
        for number in range(self.first, len(self)):
            step, turn = divmod(number, division.accumulate)
            drawn = draw_generator("order", division.seed, self.epoch, step).random(division.batch_size)
            part = turn * division.world + division.rank
            mine = drawn[part * division.micro_batch :][: division.micro_batch]
            yield np.searchsorted(self.cumulated, mine, side="right").tolist()


class Stream(Protocol):
    """Batches that are made while the network trains; each follows from the epoch and its number alone."""

    def __len__(self) -> int:
        """Batches per epoch, those of all processes."""
        ...

    def set_epoch(self, epoch: int) -> None:
        """Go on with what another epoch draws."""
        ...

    def batch(self, epoch: int, number: int) -> dict[str, Tensor]:
        """Micro-batch ``number`` of an epoch."""
        ...


class StreamOrder(IterableDataset[dict[str, Tensor]]):
    """Micro-batches of one process from a stream; each process makes its own.

    Args:
        stream: gives micro-batches; process r of w takes numbers r, r + w, r + 2w ...
        division: of a step.
    """

    def __init__(self, stream: Stream, division: Division) -> None:
        self.stream, self.division = stream, division
        self.epoch, self.first = 0, 0

    def set_epoch(self, epoch: int) -> None:
        """Go on with the draws of another epoch."""
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


class DataEpoch:
    """Tells a training set the epoch, and its order where to begin in it, before anything is read for it.

    Args:
        dataset: anything with ``set_epoch``.
        order: anything with ``begin``.
    """

    def __init__(self, dataset: Any, order: Any = None) -> None:
        self.dataset, self.order = dataset, order

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._tell)

    def _tell(self, engine: Engine) -> None:
        state: Any = engine.state
        epoch = state.epoch - 1
        self.dataset.set_epoch(epoch)
        if self.order is not None:
            self.order.begin(epoch, state.iteration - epoch * state.epoch_length)
