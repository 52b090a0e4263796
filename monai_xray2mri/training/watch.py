"""Watching a run on what it does not train on: its loss, the best weights so far, sheets of pictures."""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from PIL import Image
from torch import Tensor
from torch.utils.data import Sampler

from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.training import processes
from monai_xray2mri.training.average import AveragedWeights
from monai_xray2mri.training.handlers import RunLog
from monai_xray2mri.training.order import Division


class EvenOrder(Sampler[list[int]]):
    """The same items at every validation, evenly spread over a set and divided among the processes.

    Args:
        length: items of the set.
        count: how many to take, rounded down to whole batches.
        division: of a batch.

    Raises:
        UsageError: the set is smaller than a batch.
    """

    def __init__(self, length: int, count: int, division: Division) -> None:
        size = division.batch_size
        batches = min(count, length) // size
        if batches < 1:
            raise UsageError("validation", f"needs at least one batch of {size} images", f"{min(count, length)}")
        self.division = division
        self.items = torch.linspace(0, length - 1, batches * size).round().long().unflatten(0, (size, batches)).t()

    def __len__(self) -> int:
        """Batches of this process."""
        return len(self.items)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the items of each batch."""
        size = self.division.micro_batch
        for batch in self.items:
            yield batch[self.division.rank * size :][:size].tolist()


class KeepBest:
    """Validates now and then, notes the loss, and writes the averaged weights if it is the least so far.

    MONAI's ``ValidationHandler`` with a clock, and with what follows a validation. Which step the best weights are of,
    and their loss, stands in a JSON file beside them, where a run that goes on finds it.

    Args:
        validator: its metric ``loss`` judges.
        average: the weights that were validated.
        path: file of the best weights.
        log: notes the loss.
        interval: steps between two validations.
        accumulate: micro-batches per step.
        resume: whether the run goes on, and an earlier best one counts.
        minutes: minutes between two validations, instead of steps, and one at the end of the run; None: steps.
    """

    def __init__(
        self,
        validator: Engine,
        average: AveragedWeights,
        path: str | Path,
        log: RunLog,
        interval: int,
        accumulate: int = 1,
        resume: bool = False,
        minutes: float | None = None,
    ) -> None:
        self.validator, self.average, self.path = validator, average, Path(path)
        self.log, self.interval, self.accumulate = log, interval, accumulate
        self.minutes, self._last = minutes, time.monotonic()
        self.record = self.path.with_suffix(".json")
        known = resume and self.record.is_file()
        self.best = float(json.loads(self.record.read_text())["validation_loss"]) if known else math.inf

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        engine.add_event_handler(Events.ITERATION_COMPLETED(every=self.accumulate), self._judge_if_due)
        if self.minutes is not None:
            engine.add_event_handler(Events.COMPLETED, self._judge)

    def _judge_if_due(self, engine: Engine) -> None:
        if self.minutes is None:
            due = engine.state.iteration // self.accumulate % self.interval == 0
        else:
            due = processes.any_of(time.monotonic() - self._last >= 60 * self.minutes)
        if due:
            self._judge(engine)

    def _judge(self, engine: Engine) -> None:
        self.validator.run(engine.state.epoch)  # type: ignore[arg-type]
        self._last = time.monotonic()
        step, loss = engine.state.iteration // self.accumulate, float(self.validator.state.metrics["loss"])
        self.log.add(step, {"validation_loss": loss})
        if loss < self.best:
            self.best = loss
            self.average.write_to(self.path)
            if processes.rank() == 0:
                write_whole(self.record, json.dumps({"iteration": step, "validation_loss": loss}).encode())


class PictureSheets:
    """Writes a sheet of pictures, made with the averaged weights, every so many steps; process 0 does.

    Args:
        rows: makes [R,C,H,W] in [-1,1].
        average: the weights to show.
        modules: put into evaluation mode meanwhile.
        directory: folder of the sheets, named by the step.
        interval: steps between two sheets.
        accumulate: micro-batches per step.
    """

    def __init__(
        self,
        rows: Callable[[], Tensor],
        average: AveragedWeights,
        modules: torch.nn.Module,
        directory: str | Path,
        interval: int,
        accumulate: int = 1,
    ) -> None:
        self.rows, self.average, self.modules, self.directory = rows, average, modules, Path(directory)
        self.interval, self.accumulate = interval, accumulate

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        engine.add_event_handler(Events.ITERATION_COMPLETED(every=self.interval * self.accumulate), self._write)

    def _write(self, engine: Engine) -> None:
        if processes.rank() > 0:
            return
        self.modules.eval()  # the trainer puts what it trains back before its next iteration
        with self.average.applied():
            rows = self.rows()
        encoded = io.BytesIO()
        sheet_picture(rows).save(encoded, "PNG")
        write_whole(self.directory / f"{engine.state.iteration // self.accumulate:08d}.png", encoded.getvalue())


def sheet_picture(rows: Tensor) -> Image.Image:
    """One grey picture of [R,C,H,W] in [-1,1]: R rows of C pictures each."""
    count, columns, height, width = rows.shape
    sheet = rows.permute(0, 2, 1, 3).reshape(count * height, columns * width)
    gray: Any = ((sheet.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy()
    return Image.fromarray(gray)
