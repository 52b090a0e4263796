"""Handlers that both training stages share, where MONAI has none that does the job."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import torch
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from monai.inferers import SimpleInferer
from torch import nn

from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.devices import computes_bfloat16
from monai_xray2mri.training import processes

_LOGGER: Final = logging.getLogger(__name__)


def fastest_precision(device: torch.device) -> torch.dtype | None:
    """bfloat16 where a device computes it in hardware, else None, float32: emulated it is tens of times slower."""
    return torch.bfloat16 if computes_bfloat16(device) else None


class AutocastInferer(SimpleInferer):
    """Runs the network in a lower precision, on any device type (MONAI's ``amp`` knows CUDA only).

    Args:
        device_type: ``"cpu"``, ``"cuda"`` or ``"mps"``.
        dtype: the type of matrix products and convolutions; None computes in float32.

    Raises:
        UsageError: float16 on something else than CUDA, where its loss cannot be scaled.
    """

    def __init__(self, device_type: str = "cpu", dtype: torch.dtype | None = torch.bfloat16) -> None:
        super().__init__()
        if dtype == torch.float16 and device_type != "cuda":
            raise UsageError("precision float16", "needs CUDA", device_type, "Take bfloat16 or float32.")
        self.device_type, self.dtype = device_type, dtype

    def __call__(self, inputs: Any, network: Any, *args: Any, **kwargs: Any) -> Any:
        """``network(inputs, *args, **kwargs)``."""
        with torch.autocast(self.device_type, dtype=self.dtype, enabled=self.dtype is not None):
            return network(inputs, *args, **kwargs)


def handler_of_reference(handler: Any) -> Any:
    """The handler that a reference names: MONAI looks for ``_target_`` in each entry of a list of handlers."""
    return handler


class EveryStep:
    """Calls a handler after every step, where MONAI would call it after every micro-batch.

    Args:
        handler: called with the engine.
        accumulate: micro-batches per step.
    """

    def __init__(self, handler: Callable[[Engine], Any], accumulate: int = 1) -> None:
        self.handler, self.accumulate = handler, accumulate

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        engine.add_event_handler(Events.ITERATION_COMPLETED(every=self.accumulate), self.handler)


class ClipGradient:
    """Scales the gradient of a step down to a greatest norm, before the optimizer sees it.

    Args:
        module: what is trained.
        largest: the greatest norm; None leaves gradients as they are.
        accumulate: micro-batches per step.
    """

    def __init__(self, module: nn.Module, largest: float | None, accumulate: int = 1) -> None:
        self.module, self.largest, self.accumulate = module, largest, accumulate

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        if self.largest is not None:
            engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self._clip)

    def _clip(self, engine: Any) -> None:
        if engine.state.iteration % self.accumulate:
            return
        if engine.scaler is not None:
            engine.scaler.unscale_(engine.optimizer)
        nn.utils.clip_grad_norm_(self.module.parameters(), self.largest)  # type: ignore[arg-type]


class EndOfRun:
    """Ends the run cleanly after a number of steps or minutes; handlers of COMPLETED still write what they write.

    It ends between two steps, never within one, and in all processes at the same step. Attach it last.

    Args:
        iterations: steps.
        minutes: of time; None is no limit.
        accumulate: micro-batches per step.
        start: ``time.monotonic()`` that the time counts from; None is now.

    Example:
        A loop without an engine asks after each step:

        >>> end = EndOfRun(iterations=3)
        >>> [step for step in range(1, 5) if not end.reached(step)]
        [1, 2]
    """

    def __init__(
        self, iterations: int, minutes: float | None = None, accumulate: int = 1, start: float | None = None
    ) -> None:
        self.iterations, self.minutes, self.accumulate = iterations, minutes, accumulate
        self.start = time.monotonic() if start is None else start

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        engine.add_event_handler(Events.ITERATION_COMPLETED(every=self.accumulate), self._check)

    def reached(self, step: int) -> bool:
        """Whether a run that has made ``step`` steps ends; all processes must ask, and get the same answer."""
        over = self.minutes is not None and processes.any_of(time.monotonic() - self.start > 60 * self.minutes)
        return over or step >= self.iterations

    def _check(self, engine: Engine) -> None:
        if self.reached(engine.state.iteration // self.accumulate):
            engine.terminate()


class RunLog:
    """Appends what happened to a JSON-lines file: the mean loss of every ``interval`` steps, and what others add.

    Each line holds ``iteration``, the number of the step, and ``seconds`` since the process began to train. The same
    goes to the logger of this module, for people.

    Args:
        path: file.
        interval: steps between two lines of losses.
        accumulate: micro-batches per step.
        optimizer: whose learning rate is noted.
        batch_size: images of a step, of all processes; where it is given, ``images_per_second`` since the last line of
            losses is noted, by the clock.
    """

    def __init__(
        self,
        path: str | Path,
        interval: int = 100,
        accumulate: int = 1,
        optimizer: torch.optim.Optimizer | None = None,
        batch_size: int | None = None,
    ) -> None:
        self.path, self.interval, self.accumulate, self.optimizer = Path(path), interval, accumulate, optimizer
        self.batch_size = batch_size
        self.losses: list[torch.Tensor] = []
        self.start = self.since = time.monotonic()

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        engine.add_event_handler(Events.STARTED, self._begin)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._collect)

    def _begin(self, engine: Engine) -> None:
        self.since = time.monotonic()

    def _collect(self, engine: Engine) -> None:
        output: Any = engine.state.output
        self.losses.append(output["loss"].detach())
        if engine.state.iteration % (self.interval * self.accumulate) == 0:
            record = {"loss": processes.mean(float(torch.stack(self.losses).mean()))}
            if self.optimizer is not None:
                record["learning_rate"] = self.optimizer.param_groups[0]["lr"]
            if self.batch_size is not None:
                images = self.batch_size * len(self.losses) / self.accumulate
                record["images_per_second"] = float(f"{images / (time.monotonic() - self.since):.4g}")
                self.since = time.monotonic()
            self.add(engine.state.iteration // self.accumulate, record)
            self.losses.clear()

    def add(self, step: int, record: dict[str, float]) -> None:
        """Append a line; process 0 does."""
        if processes.rank() == 0:
            line = {"iteration": step, **record, "seconds": round(time.monotonic() - self.start, 1)}
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a") as stream:
                stream.write(json.dumps(line) + "\n")
            told = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in record.items())
            _LOGGER.info("step %d: %s", step, told)


def metric_of(engine: Engine, name: str) -> Callable[[Any], float]:
    """An ``output_transform`` for another engine's handler: the last value of a metric of ``engine``."""
    return lambda _: float(engine.state.metrics[name])


def has_tensorboard() -> bool:
    """Whether this process can and should write for TensorBoard: the package is installed, and it is process 0."""
    return find_spec("tensorboard") is not None and processes.rank() == 0
