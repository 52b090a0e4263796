"""A stage of a recipe that trains a network by a bundle's configurations."""

from __future__ import annotations

import pickle
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

import torch
from ignite.engine import Engine

from monai_xray2mri.errors import UsageError, WeightsError
from monai_xray2mri.training.configurations import configuration_files
from monai_xray2mri.training.configured import read_configurations, run_configured
from monai_xray2mri.training.plotting import draw_losses
from monai_xray2mri.training.recipe.stage import Progress, Turn

_PLOT_INTERVAL_S: Final = 600.0


class ConfiguredTraining:
    """The autoencoder or the denoiser of a bundle, as ``xray2mri train`` trains it: one folder, one checkpoint.

    Its folder holds what ``xray2mri train`` leaves in the output folder (docs/training/training.md), and the losses as
    a picture, ``STAGE.png``, where matplotlib is installed.

    Args:
        stage: ``"autoencoder"`` or ``"denoiser"``.
        folder: of weights, checkpoint and log.
        iterations: steps of the whole stage.
        bundle: folder of the bundle whose network is trained.
        configurations: behind ``train.json``: of the bundle by name, or paths of JSON files.
        shared: folder of the bundle whose configurations others use where they have none; None: ``bundle``.
        options: entries of the configurations that are changed.
        device: where to compute.
    """

    free: ClassVar[frozenset[str]] = frozenset({"iterations", "device"})

    def __init__(
        self,
        stage: Literal["autoencoder", "denoiser"],
        folder: str | Path,
        iterations: int,
        bundle: str | Path,
        configurations: Sequence[str] = (),
        shared: str | Path | None = None,
        options: Mapping[str, Any] | None = None,
        device: str = "cpu",
    ) -> None:
        self.stage, self.folder, self.iterations = stage, Path(folder), iterations
        self.bundle, self.shared = Path(bundle), Path(shared or bundle)
        self.configurations, self.options, self.device = list(configurations), dict(options or {}), device
        self._drawn = time.monotonic()

    @property
    def log(self) -> Path:
        """Losses of the stage, JSON lines."""
        return self.folder / f"{self.stage}.jsonl"

    def files(self) -> list[Path]:
        """Configurations in order.

        Raises:
            UsageError: one is missing.
        """
        first = ["train_autoencoder"] * (self.stage == "autoencoder")
        return configuration_files(self.bundle, [*first, *self.configurations], self.shared)

    def overrides(self) -> dict[str, Any]:
        """Entries of the configurations that this stage changes.

        Raises:
            UsageError: an option that the configurations do not have.
        """
        chosen = {"output_dir": str(self.folder), "iterations": self.iterations, **self.options}
        known = read_configurations(self.files(), {})
        if unknown := [name for name in chosen if name.partition("#")[0] not in known]:
            raise UsageError(f"option {unknown[0]}", "must be an entry of the configurations", "none of them")
        return {**chosen, "bundle_root": str(self.bundle), "device": f"$torch.device('{self.device}')", "resume": True}

    @cached_property
    def batch_size(self) -> int:
        """Slices of a step."""
        return int(self.options.get("batch_size") or read_configurations(self.files(), {})["batch_size"])

    def progress(self) -> Progress:
        """Slices that were seen, as the checkpoint says."""
        done = checkpoint_step(self.folder / f"{self.stage}_checkpoint.pt")
        try:
            size = self.batch_size
        except UsageError:  # an earlier stage has not written its configuration yet
            return Progress(done, self.iterations, "steps")
        return Progress(done * size, self.iterations * size, "slices")

    def work(self, turn: Turn) -> None:
        """Train on from the checkpoint.

        Raises:
            Xray2MRIError: what the configuration's parts refuse.
        """
        overrides = {**self.overrides(), "minutes": turn.minutes, "clock": time.monotonic()}
        if turn.minutes is None:
            del overrides["minutes"]

        def after_step(_: Engine) -> None:
            turn.tell(self.batch_size)
            if time.monotonic() - self._drawn > _PLOT_INTERVAL_S:
                self._draw()

        run_configured(self.files(), self.bundle / "configs" / "metadata.json", overrides, self.stage, after_step)
        self._draw()

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        draw_losses(self.log, self.folder / f"{self.stage}.png", self.batch_size)


def checkpoint_step(path: Path) -> int:
    """The step that a checkpoint is of, without reading the rest of it; 0 without a checkpoint.

    Raises:
        WeightsError: it is damaged.
    """
    if not path.is_file():
        return 0
    try:
        return int(torch.load(path, weights_only=True, map_location="cpu", mmap=True)["step"])
    except (RuntimeError, pickle.UnpicklingError, KeyError, TypeError, ValueError, OSError, EOFError) as error:
        raise WeightsError(
            f"checkpoint {path.name}", "must be an undamaged file of PyTorch tensors", type(error).__name__
        ) from error
