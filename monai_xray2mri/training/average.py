"""Exponential moving average of the weights (Wang 2024a and 2024b: decay 0.99)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import nn

from monai_xray2mri.training import processes
from monai_xray2mri.training.weights import save_state


class AveragedWeights:
    """The average of what is trained; validated, sampled from and written as the stage's weights.

    The average starts fast and slows down, ``min(decay, (1 + n) / (10 + n))`` after n steps, so that a short run is
    not dominated by its random start. It moves once per step and lies on the device of the weights.

    Args:
        module: what is trained; frozen parameters are left out.
        written: the module whose state dict is written, with the averages in it.
        path: file to write.
        decay: of the average; 0 keeps the weights themselves.
        interval: steps between two files.
        half: write in half precision.
        accumulate: micro-batches per step.
    """

    def __init__(
        self,
        module: nn.Module,
        written: nn.Module,
        path: str | Path,
        decay: float,
        interval: int = 500,
        half: bool = True,
        accumulate: int = 1,
    ) -> None:
        self.written, self.path, self.decay, self.half = written, Path(path), decay, half
        self.interval, self.accumulate, self.updates = interval, accumulate, 0
        self.parameters = {name: value for name, value in module.named_parameters() if value.requires_grad}
        self.average = {name: value.detach().clone() for name, value in self.parameters.items()}

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        engine.add_event_handler(Events.ITERATION_COMPLETED(every=self.accumulate), self.update)
        engine.add_event_handler(Events.ITERATION_COMPLETED(every=self.accumulate * self.interval), self.write)
        engine.add_event_handler(Events.COMPLETED, self.write)

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the current weights."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        averages, current = tuple(self.average.values()), tuple(self.parameters.values())
        torch._foreach_lerp_(averages, current, 1 - decay)

    def exchange(self) -> None:
        """Put the averages in the place of the weights, or back. Nothing is copied."""
        for name, parameter in self.parameters.items():
            parameter.data, self.average[name] = self.average[name], parameter.data

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The averages stand in the place of the weights while this lasts."""
        self.exchange()
        try:
            yield
        finally:
            self.exchange()

    def write(self) -> None:
        """Write the averaged weights; process 0 does."""
        self.write_to(self.path)

    def write_to(self, path: Path) -> None:
        """Write the averaged weights under another name."""
        if processes.rank() == 0:
            with self.applied():
                save_state(self.written, path, half=self.half)

    def state_dict(self) -> dict[str, Any]:
        """Averages and number of updates, for a checkpoint."""
        return {"average": self.average, "updates": self.updates}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.updates = int(state["updates"])
        for name, value in state["average"].items():
            self.average[name].copy_(value)


class ValidateAverage:
    """A validator's handler: it sees the averaged weights, not those of the last step."""

    def __init__(self, average: AveragedWeights) -> None:
        self.average = average

    def attach(self, engine: Engine) -> None:
        """Attach to a validator."""
        engine.add_event_handler(Events.STARTED, self.average.exchange)
        engine.add_event_handler(Events.COMPLETED, self.average.exchange)
