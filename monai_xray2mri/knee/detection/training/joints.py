"""Training of the knee detector.

``python -m monai_xray2mri.knee.detection.training.joints --films DIR --real knee_xray_rois/train --other radiographs
--minutes 30 --output joints.pt`` trains on the films of a folder (:mod:`monai_xray2mri.knee.detection.training.films`
makes them) and writes the weights, a log, and ``joints.json``, the record of the training. Called again, it goes on
where it stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from monai_xray2mri.errors import UsageError
from monai_xray2mri.knee.detection.joints import make_detector
from monai_xray2mri.knee.detection.networks.yolo import KneeYOLO, YOLOLoss
from monai_xray2mri.knee.detection.training.films import Film, films_of
from monai_xray2mri.knee.detection.training.views import Views, read_crop
from monai_xray2mri.radiograph.resampling import stretch
from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION, TRAINING, require_training_seed

_LEARNING_RATE = 2e-3
_BATCH = 16
_PICTURES = (".png", ".jpg", ".jpeg")


@dataclass
class Run:
    """State of a training that can be stopped and resumed.

    Attributes:
        iterations: length of the whole training; the rate falls to zero towards it.
        network: what is trained.
        losses: of each iteration done.
    """

    iterations: int
    network: KneeYOLO = field(default_factory=make_detector)
    losses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.average = AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(0.99), use_buffers=True)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), _LEARNING_RATE, weight_decay=1e-4)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, _LEARNING_RATE, self.iterations, pct_start=0.1
        )
        self.loss_of = YOLOLoss()

    def step(self, canvas: Tensor, joints: Sequence[Tensor]) -> None:
        """One iteration on canvases [B,1,H,W] and the joints on each."""
        self.network.train()
        loss = self.loss_of(self.network, self.network(canvas), joints)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
        self.optimizer.step()
        self.schedule.step()
        self.average.update_parameters(self.network)
        self.losses.append(float(loss.detach()))

    @property
    def averaged(self) -> KneeYOLO:
        """The running average of the weights, in evaluation mode: what is shipped."""
        network: Any = self.average.module
        return network.eval()

    def state(self) -> dict[str, Any]:
        """Everything that a resumed training needs."""
        names = ("network", "average", "optimizer", "schedule")
        return {name: getattr(self, name).state_dict() for name in names} | {"losses": self.losses}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`state` gave."""
        for name in ("network", "average", "optimizer", "schedule"):
            getattr(self, name).load_state_dict(state[name])
        self.losses = list(state["losses"])


def read_films(directory: Path) -> list[Film]:
    """All training films of a folder.

    Raises:
        UsageError: there are none.
    """
    seeds = sorted(int(path.stem.split("-")[1]) for path in directory.glob(f"{SIMULATOR_VERSION}-*[0-9].npz"))
    films = [film for seed in seeds if seed in TRAINING for film in films_of(require_training_seed(seed), directory)]
    if not films:
        raise UsageError(
            "folder of films",
            "must hold films to train on",
            "none",
            "Run monai_xray2mri.knee.detection.training.films.",
        )
    return films


def read_crops(folder: Path) -> np.ndarray:
    """The public crops of a split, [N,95,95] uint8 as right knees; those stored as negatives are left out.

    Args:
        folder: with a folder per grade, files named by participant and side (``9000099R.jpg``).
    """
    found = []
    for path in sorted(file for file in folder.rglob("*") if file.suffix in _PICTURES):
        crop = read_crop(path)
        if crop[:, : crop.shape[1] // 10].mean() > crop[:, crop.shape[1] // 3 : -crop.shape[1] // 3].mean():
            continue  # soft tissue brighter than bone
        found.append(np.rint(255 * (crop[:, ::-1] if path.stem.endswith("L") else crop)).astype(np.uint8))
    return np.stack(found)


def read_others(folders: Sequence[Path]) -> list[np.ndarray]:
    """Pictures of something else, [H,W] float32 in [0,1], of folders of PNG or JPEG files."""
    from PIL import Image

    files = sorted(file for folder in folders for file in folder.rglob("*") if file.suffix in _PICTURES)
    return [stretch(np.asarray(Image.open(file).convert("L"))).astype(np.float32) for file in files]


def train(run: Run, views: Views, minutes: float, checkpoint: Path) -> None:
    """Go on with a training until it is done or the time is over; keeps its state every 50 iterations.

    Args:
        run: the training.
        views: what it learns from.
        minutes: how long at most.
        checkpoint: where its state is kept.
    """
    start = time.monotonic()
    log = checkpoint.with_suffix(".jsonl")
    bar = tqdm(total=run.iterations, initial=len(run.losses), disable=None)
    while len(run.losses) < run.iterations and time.monotonic() - start < 60 * minutes:
        run.step(*views.batch(_BATCH))
        bar.update()
        if len(run.losses) % 50 == 0:
            record = {"iteration": len(run.losses), "loss": sum(run.losses[-50:]) / 50}
            with log.open("a") as stream:
                stream.write(json.dumps(record) + "\n")
            _keep(run.state(), checkpoint)
    _keep(run.state(), checkpoint)


def save(network: KneeYOLO, path: Path) -> None:
    """Write the weights in half precision, whole or not at all."""
    _keep(
        {name: value.half() if value.is_floating_point() else value for name, value in network.state_dict().items()},
        path,
    )


def _keep(state: dict[str, Any], path: Path) -> None:
    stream = BytesIO()
    torch.save(state, stream)
    write_whole(path, stream.getvalue())


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Training of the knee detector.")
    parser.add_argument("--films", type=Path, required=True, help="folder of simulated films")
    parser.add_argument("--real", type=Path, required=True, help="public crops of the training split")
    parser.add_argument("--other", type=Path, action="append", default=[], help="folder of pictures of something else")
    parser.add_argument("--iterations", type=int, default=1500)
    parser.add_argument("--minutes", type=float, default=1e6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    torch.manual_seed(options.seed)
    run, checkpoint = Run(options.iterations), options.output.with_suffix(".state")
    if checkpoint.exists():
        run.restore(torch.load(checkpoint, weights_only=True))
    films, crops, others = read_films(options.films), read_crops(options.real), read_others(options.other)
    views = Views(films, crops, others, options.seed + len(run.losses))
    train(run, views, options.minutes, checkpoint)
    save(run.averaged, options.output)
    record = {
        "iterations": len(run.losses),
        "batch": _BATCH,
        "films": len(films),
        "crops": len(crops),
        "other pictures": len(others),
        "simulator": SIMULATOR_VERSION,
        "seed": options.seed,
        "last loss": round(sum(run.losses[-50:]) / max(len(run.losses[-50:]), 1), 4),
    }
    write_whole(options.output.with_suffix(".json"), json.dumps(record, indent=2).encode() + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
