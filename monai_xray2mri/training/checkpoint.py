"""Checkpoints of a run: everything that its next step depends on.

MONAI's ``CheckpointSaver`` writes in place and its loader does not say what differs; the unit here is one file that is
whole or as it was, and that is refused if another run wrote it. The state of random generators is not among its parts:
what a step draws follows from its number (:mod:`monai_xray2mri.training.order`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn

from monai_xray2mri.errors import UsageError, WeightsError
from monai_xray2mri.training import processes
from monai_xray2mri.training.average import AveragedWeights
from monai_xray2mri.training.weights import differences, read_saved, weights_digest, write_saved

FORMAT: Final = "monai_xray2mri training checkpoint 1"
_PARTS: Final = {"format", "step", "settings", "module", "frozen", "latent_scale", "optimizer", "lr_scheduler",
                 "average", "scaler"}  # fmt: skip


class RunCheckpoint:
    """Writes a run's checkpoint at intervals and at its end, and restores it.

    Args:
        path: file to write.
        module: what is trained.
        network: the whole network: what is frozen in it must be the same after resuming.
        optimizer: of the module.
        lr_scheduler: of the optimizer.
        average: of the weights.
        settings: numbers and words that must be the same after resuming, e.g. ``{"batch size": 64}``.
        interval: steps between two files.
        accumulate: micro-batches per step.
    """

    def __init__(
        self,
        path: str | Path,
        module: nn.Module,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        lr_scheduler: torch.optim.lr_scheduler.LRScheduler,
        average: AveragedWeights,
        settings: Mapping[str, Any],
        interval: int = 500,
        accumulate: int = 1,
    ) -> None:
        self.path, self.module, self.network = Path(path), module, network
        self.optimizer, self.lr_scheduler, self.average = optimizer, lr_scheduler, average
        self.settings, self.interval, self.accumulate = dict(settings), interval, accumulate
        self._scaler: dict[str, Any] | None = None

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer, behind everything that changes the run's state."""
        engine.add_event_handler(Events.STARTED, self._restore_scaler)
        engine.add_event_handler(Events.ITERATION_COMPLETED(every=self.accumulate * self.interval), self.write)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def write(self, engine: Engine) -> None:
        """Write the checkpoint of a trainer's step; process 0 does."""
        scaler = getattr(engine, "scaler", None)
        self.save(engine.state.iteration // self.accumulate, None if scaler is None else scaler.state_dict())

    def save(self, step: int, scaler: Mapping[str, Any] | None = None) -> None:
        """Write the checkpoint of a step; process 0 does.

        Args:
            step: steps that are done.
            scaler: state of the loss's scaler, where there is one.
        """
        if processes.rank() != 0:
            return
        content = {
            "format": FORMAT,
            "step": step,
            "settings": self.settings,
            "module": self._trained(),
            "frozen": weights_digest(self._frozen()),
            "latent_scale": _latent_scale(self.network),
            "optimizer": self.optimizer.state_dict(),
            "lr_scheduler": self.lr_scheduler.state_dict(),
            "average": self.average.state_dict(),
            "scaler": scaler,
        }
        write_saved(content, self.path)

    def resume(self, engine: Engine) -> int:
        """Restore the run, and tell the trainer where it stands; returns the step.

        Args:
            engine: the trainer, not yet started.

        Raises:
            WeightsError, UsageError: see :meth:`restore`.
        """
        step = self.restore()
        state: Any = engine.state
        state.iteration = step * self.accumulate
        state.epoch = state.iteration // state.epoch_length
        return step

    def restore(self) -> int:
        """Restore what the run had trained; returns the steps that are done.

        Raises:
            WeightsError: the file is missing, damaged, of another program or of another network.
            UsageError: a run with other settings wrote it.
        """
        content = read_saved(self.path)
        self._check(content)
        with torch.no_grad():
            for name, value in self._trained().items():
                value.copy_(content["module"][name])
            if (scale := getattr(self.network, "latent_scale", None)) is not None:
                scale.fill_(content["latent_scale"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.lr_scheduler.load_state_dict(content["lr_scheduler"])
        self.average.load_state_dict(content["average"])
        self._scaler = content["scaler"]
        return int(content["step"])

    def _check(self, content: Mapping[str, Any]) -> None:
        name, remedy = (
            f"checkpoint {self.path.name}",
            "Start anew in another folder; its weights can be given to start from.",
        )
        if content.get("format") != FORMAT or content.keys() != _PARTS:
            raise WeightsError(name, f"must be a {FORMAT!r}", f"{content.get('format', 'something else')!r}", remedy)
        if found := differences(content["module"], self._trained()):
            raise WeightsError(name, "must be of this network", found, remedy)
        if content["frozen"] != (frozen := weights_digest(self._frozen())):
            found = f"digest {content['frozen']} instead of {frozen}"
            raise WeightsError(name, "must be of a run with the same frozen weights", found, remedy)
        theirs, ours = content["settings"], self.settings
        names = [key for key in {**theirs, **ours} if theirs.get(key) != ours.get(key)]
        if names:
            found = ", ".join(f"{key} {theirs.get(key)} instead of {ours.get(key)}" for key in names)
            raise UsageError(name, "must be of a run with the same settings", found, "Give the settings it had.")

    def _trained(self) -> dict[str, Tensor]:
        return {name: value.detach() for name, value in self.module.named_parameters() if value.requires_grad}

    def _frozen(self) -> dict[str, Tensor]:
        trained = {id(value) for value in self.module.parameters() if value.requires_grad}
        return {name: value for name, value in self.network.named_parameters() if id(value) not in trained}

    def _restore_scaler(self, engine: Engine) -> None:
        """MONAI's trainer makes a new scaler whenever it starts."""
        if self._scaler is not None and getattr(engine, "scaler", None) is not None:
            engine.scaler.load_state_dict(self._scaler)  # type: ignore[attr-defined]


def _latent_scale(network: nn.Module) -> float | None:
    scale = getattr(network, "latent_scale", None)
    return None if scale is None else float(scale)


def run_stage(engine: Engine, checkpoint: RunCheckpoint, iterations: int, resume: bool) -> None:
    """Run a stage to its end, from its checkpoint if that is wanted and there is one.

    Args:
        engine: the trainer.
        checkpoint: of the run.
        iterations: steps of the whole run; a run that has made them is left as it is.
        resume: whether to go on.
    """
    if resume and checkpoint.path.exists():
        step = checkpoint.resume(engine)
        engine.logger.info(f"resumed at step {step} of {iterations}")
        if step >= iterations:
            return
    engine.run()
