"""One way to train a network that is small enough for a single processor and has no configuration of its own.

Equal recipe, settings and data give equal weights on one machine, whatever was interrupted: what a step sees follows
from the number of the step alone, torch's generators are seeded by it, and the checkpoint holds everything else.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from tqdm import tqdm

from monai_xray2mri.errors import UsageError
from monai_xray2mri.training.rates import warm_up_and_cosine
from monai_xray2mri.training.weights import read_saved, write_saved

Network = TypeVar("Network", bound=nn.Module)
Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Recipe:
    """How a small network is trained, by AdamW.

    Attributes:
        iterations: steps of the whole run.
        learning_rate: the highest, reached after a tenth of the steps; cosine decay to 0.
        weight_decay: of AdamW.
        averaging: decay of the average of the weights, which is the result; 0 takes the weights of the last step.
        largest_gradient: norm that gradients are clipped to; None leaves them.
        interval: steps between two checkpoints, lines of the log and looks at the average.
        seed: of the start and of all that is drawn.
    """

    iterations: int
    learning_rate: float
    weight_decay: float = 1e-4
    averaging: float = 0.0
    largest_gradient: float | None = None
    interval: int = 50
    seed: int = 0


class SmallTraining(Generic[Network, Batch]):
    """One run: the network, its average, and where it stands.

    Args:
        make: makes the network; called after torch is seeded.
        batch: what a step sees, from the number of the step alone.
        loss: of the network on a batch.
        recipe: how to train.
        settings: numbers and words about the data that must be the same after an interruption.

    Attributes:
        average: the network with the averaged weights, in evaluation mode.
        step: number of steps that are done.
        kept: what a look at the average kept (:meth:`run`): tensors, numbers and words; part of the checkpoint.
        losses: mean loss of each interval.
    """

    def __init__(
        self,
        make: Callable[[], Network],
        batch: Callable[[int], Batch],
        loss: Callable[[Network, Batch], Tensor],
        recipe: Recipe,
        settings: Mapping[str, Any],
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.network = make()
        self.average = deepcopy(self.network).eval().requires_grad_(False)
        self.batch, self.loss, self.recipe = batch, loss, recipe
        self.settings = {**asdict(recipe), **settings}
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        rate = warm_up_and_cosine(max(recipe.iterations // 10, 1), recipe.iterations)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, rate)
        self.step = 0
        self.kept: dict[str, Any] = {}
        self.losses: list[float] = []
        self._since: list[float] = []

    def run(
        self,
        output: Path,
        minutes: float | None = None,
        look: Callable[[Network], dict[str, Any]] | None = None,
        progress: bool = False,
    ) -> bool:
        """Train to the last step or until the time is over; whether it is complete.

        Writes ``<output>.checkpoint``, from which it goes on if it is there, and the log ``<output>.jsonl``.

        Args:
            output: file that the caller will write the weights to.
            minutes: how long at most.
            look: judges the average after every interval; returns what the log says of it.
            progress: show a progress bar on stderr.

        Raises:
            UsageError: the checkpoint is of other settings, or a file cannot be written.
            WeightsError: the checkpoint is damaged.
        """
        checkpoint, log, start = output.with_suffix(".checkpoint"), output.with_suffix(".jsonl"), time.monotonic()
        if checkpoint.exists():
            self.load_state_dict(read_saved(checkpoint))
        bar = tqdm(total=self.recipe.iterations, initial=self.step, unit="step", disable=not progress)
        over = False
        while self.step < self.recipe.iterations and not over:
            self.advance()
            bar.update()
            over = minutes is not None and time.monotonic() - start > 60 * minutes
            if self.step % self.recipe.interval == 0 or self.step == self.recipe.iterations:
                record = {
                    "iteration": self.step,
                    "loss": self._close_interval(),
                    **(look(self.average) if look else {}),
                }
                _append(log, {**record, "seconds": round(time.monotonic() - start, 1)})
                write_saved(self.state_dict(), checkpoint)
        bar.close()
        if over:
            write_saved(self.state_dict(), checkpoint)
        return self.step == self.recipe.iterations

    def advance(self) -> float:
        """One step; its loss."""
        torch.manual_seed(zlib.crc32(f"small network {self.recipe.seed} {self.step}".encode()))
        self.network.train()
        loss = self.loss(self.network, self.batch(self.step))
        self.optimizer.zero_grad()
        loss.backward()
        if self.recipe.largest_gradient is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.largest_gradient)
        self.optimizer.step()
        self.schedule.step()
        self.step += 1
        self._move_average()
        self._since.append(float(loss.detach()))
        return self._since[-1]

    @torch.no_grad()
    def _move_average(self) -> None:
        """Fast at first, so that a short run is not dominated by its random start; buffers as well as weights."""
        decay = min(self.recipe.averaging, (1 + self.step) / (10 + self.step))
        current = self.network.state_dict()
        for name, mean in self.average.state_dict().items():
            if mean.is_floating_point() and decay:
                mean.lerp_(current[name], 1 - decay)
            else:
                mean.copy_(current[name])

    def _close_interval(self) -> float:
        mean = sum(self._since) / len(self._since)
        self._since = []
        self.losses.append(mean)
        return mean

    def state_dict(self) -> dict[str, Any]:
        """All that a later process needs to go on; loads with ``weights_only``."""
        parts = {name: getattr(self, name).state_dict() for name in ("network", "average", "optimizer", "schedule")}
        numbers = {"step": self.step, "losses": self.losses, "since": self._since}
        return {"settings": self.settings, **parts, **numbers, "kept": self.kept}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state_dict`.

        Raises:
            UsageError: it is of a run with other settings.
        """
        theirs, ours = state["settings"], self.settings
        names = [key for key in {**theirs, **ours} if theirs.get(key) != ours.get(key)]
        if names:
            found = ", ".join(f"{key} {theirs.get(key)} instead of {ours.get(key)}" for key in names)
            raise UsageError("checkpoint", "must be of a run with the same settings", found, "Name another --output.")
        for name in ("network", "average", "optimizer", "schedule"):
            getattr(self, name).load_state_dict(state[name])
        self.step, self.kept = int(state["step"]), dict(state["kept"])
        self.losses, self._since = list(state["losses"]), list(state["since"])


def _append(log: Path, record: Mapping[str, Any]) -> None:
    with log.open("a") as stream:
        stream.write(json.dumps(record) + "\n")
