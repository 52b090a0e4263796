"""Handlers and helpers that both training stages share."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.inferers import SimpleInferer
from torch import nn

from monai_xray2mri.diffusion.slice_diffusion import SliceDiffusion


class AutocastInferer(SimpleInferer):
    """Runs the network in a lower precision, on any device type (MONAI's ``amp`` knows CUDA only).

    Args:
        device_type: ``"cpu"`` or ``"cuda"``.
        dtype: the type of matrix products and convolutions; None computes in float32.
    """

    def __init__(self, device_type: str = "cpu", dtype: torch.dtype | None = torch.bfloat16) -> None:
        super().__init__()
        self.device_type, self.dtype = device_type, dtype

    def __call__(self, inputs: Any, network: Any, *args: Any, **kwargs: Any) -> Any:
        """``network(inputs, *args, **kwargs)``."""
        with torch.autocast(self.device_type, dtype=self.dtype, enabled=self.dtype is not None):
            return network(inputs, *args, **kwargs)


class TimeBudget:
    """Ends the run cleanly after ``minutes``; later handlers of COMPLETED still write checkpoint and weights."""

    def __init__(self, minutes: float | None) -> None:
        self.minutes = minutes
        self.start = 0.0

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        engine.add_event_handler(Events.STARTED, self._begin)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._check)

    def _begin(self, engine: Engine) -> None:
        self.start = time.monotonic()

    def _check(self, engine: Engine) -> None:
        if self.minutes is not None and time.monotonic() - self.start > 60 * self.minutes:
            engine.terminate()


class DataEpoch:
    """Tells a training set the number of the epoch, from which it draws its boxes, before anything is read for it.

    Args:
        dataset: anything with ``set_epoch``.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._tell)

    def _tell(self, engine: Engine) -> None:
        self.dataset.set_epoch(engine.state.epoch - 1)


class LossLog:
    """Appends the mean loss of every ``interval`` iterations to a JSON-lines file."""

    def __init__(self, path: str | Path, interval: int = 100) -> None:
        self.path, self.interval = Path(path), interval
        self.losses: list[float] = []
        self.start = time.monotonic()

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._collect)

    def _collect(self, engine: Engine) -> None:
        output: Any = engine.state.output
        self.losses.append(float(output["loss"].detach()))
        if engine.state.iteration % self.interval == 0:
            record = {
                "iteration": engine.state.iteration,
                "loss": sum(self.losses) / len(self.losses),
                "seconds": round(time.monotonic() - self.start, 1),
            }
            with self.path.open("a") as stream:
                stream.write(json.dumps(record) + "\n")
            self.losses.clear()


def save_state(module: nn.Module, path: str | Path, half: bool = False) -> None:
    """Write a state dict beside, then rename; ``half`` stores floating point numbers in half precision."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {
        name: value.detach().cpu().half() if half and value.is_floating_point() else value.detach().cpu()
        for name, value in module.state_dict().items()
    }
    beside = path.with_suffix(".part")
    torch.save(state, beside)
    beside.rename(path)


def load_weights(network: SliceDiffusion, path: str | Path | None) -> SliceDiffusion:
    """Start from the weights of a bundle (``model.pt``); None leaves the random start."""
    if path is not None:
        network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
    return network


def load_autoencoder(network: SliceDiffusion, path: str | Path) -> SliceDiffusion:
    """Load and freeze the autoencoder of the first stage (paper 000, Algorithm 1)."""
    network.autoencoder.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
    network.autoencoder.requires_grad_(False).eval()
    return network


def warm_up_and_decay(warm_up: int, total: int) -> Any:
    """Learning-rate factor: linear warm-up, then linear decay to 5 % at ``total`` iterations."""

    def factor(iteration: int) -> float:
        rise = min(1.0, (iteration + 1) / warm_up)
        return rise * max(0.05, 1 - 0.95 * iteration / total)

    return factor
