"""Training of the classifier C of Wang 2024b on public crops and simulated knees.

``python -m monai_xray2mri.knee.detection.training.koa --real DIR --simulated DIR --output koa.pt --minutes 30`` trains,
and resumes where it was interrupted: every batch and all its variation follow from the seed and the number of the step
alone.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_xray2mri.errors import UsageError
from monai_xray2mri.knee.detection.networks.koa_classifier import GRADES, VIEW_SIZE, KOAClassifier
from monai_xray2mri.knee.detection.training.crops import (
    GradedCrops,
    load_public_crops,
    load_simulated_crops,
    public_crop_files,
)
from monai_xray2mri.runtime.files import write_whole

_SMOOTHING: Final = ((1, 2, 1), (2, 4, 2), (1, 2, 1))


@dataclass(frozen=True)
class Settings:
    """What a training run does; equal settings and data give equal weights on one machine.

    Attributes:
        epochs: passes over the crops.
        batch_size: crops of a step.
        learning_rate: highest rate of AdamW, reached after a tenth of the steps; cosine decay to 0.
        weight_decay: of AdamW.
        ema_decay: of the average of the weights that is kept.
        seed: of start, order and variation.
    """

    epochs: int = 12
    batch_size: int = 48
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    ema_decay: float = 0.99
    seed: int = 0


def ranked_probability_score(probability: Tensor, grades: Tensor) -> Tensor:
    """Mean squared distance of the cumulative distributions (Epstein 1969): a grade off by two costs more than by one.

    It is a proper score: its expectation is least for the true probabilities.

    Args:
        probability: [B,5].
        grades: [B] int64.
    """
    reached = F.one_hot(grades, GRADES).cumsum(dim=1)
    return (probability.cumsum(dim=1) - reached).square().sum(dim=1).mean()


def ordinal_loss(logits: Tensor, grades: Tensor) -> Tensor:
    """Cross-entropy plus ranked probability score, of logits [B,5] and grades [B]."""
    return F.cross_entropy(logits, grades) + ranked_probability_score(logits.softmax(dim=1), grades)


def varied_views(images: Tensor, generator: torch.Generator) -> Tensor:
    """Views as other films, boxes and contrast enhancements would have given them.

    Turned by up to 8 degrees, scaled by up to 8 %, shifted by up to 6 %; gamma, local contrast between softened and
    strongly enhanced, blur and noise. They are not mirrored: medial stays medial.

    Args:
        images: crops [B,160,160] uint8.
        generator: of all variation.

    Returns:
        [B,1,128,128] float32 about in [0,1].
    """

    def draw(low: float, high: float) -> Tensor:
        return torch.empty(len(images)).uniform_(low, high, generator=generator)

    angle, scale = draw(-0.14, 0.14), draw(0.92, 1.08)
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    theta = torch.stack([cosine, -sine, draw(-0.12, 0.12), sine, cosine, draw(-0.12, 0.12)], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(theta, [len(images), 1, VIEW_SIZE, VIEW_SIZE], align_corners=False)
    views = F.grid_sample(images[:, None].float() / 255, grid, padding_mode="border", align_corners=False)
    views = views.clamp(min=1e-3) ** draw(-0.6, 0.6).exp()[:, None, None, None]
    coarse = F.interpolate(F.avg_pool2d(views, 8), scale_factor=8.0, mode="bilinear", align_corners=False)
    views = coarse + draw(0.6, 2.0)[:, None, None, None] * (views - coarse)
    kernel = torch.tensor(_SMOOTHING, dtype=torch.float32)[None, None] / 16
    smooth = F.conv2d(F.pad(views, (1, 1, 1, 1), mode="replicate"), kernel)
    views = torch.lerp(views, smooth, draw(-0.3, 1.0)[:, None, None, None])
    detail = (views - coarse).std(dim=(1, 2, 3), keepdim=True)  # noise beyond it would hide what there is to grade
    noise = torch.randn(views.shape, generator=generator)
    return views + draw(0.0, 0.35)[:, None, None, None] * detail * noise


def plain_views(images: Tensor) -> Tensor:
    """Crops [B,160,160] uint8 as the classifier sees them without variation: [B,1,128,128] in [-1,1]."""
    shape = (VIEW_SIZE, VIEW_SIZE)
    views: Tensor = F.interpolate(
        images[:, None].float() / 127.5 - 1, shape, mode="bilinear", align_corners=False, antialias=True
    )
    return views


@torch.inference_mode()
def predict(network: KOAClassifier, crops: GradedCrops) -> Tensor:
    """Logits [N,5] of crops, before the temperature."""
    images = torch.from_numpy(crops.images)
    return torch.cat([network(plain_views(part)) for part in images.split(64)])


def fit_temperature(logits: Tensor, grades: Tensor) -> float:
    """The temperature in 0.25 to 4 of least cross-entropy (Guo et al., ICML 2017, section 4.2).

    Args:
        logits: [N,5] of crops that the network was not trained on.
        grades: [N] int64.
    """
    candidates = torch.logspace(-2, 2, 101, base=2.0, dtype=torch.float64)
    losses = torch.stack([F.cross_entropy(logits.double() / t, grades) for t in candidates])
    return float(candidates[losses.argmin()])


class Trainer:
    """One run: the network, its average, and where it stands.

    Args:
        crops: to train on.
        watched: to choose the epoch by; nobody of ``crops`` may be among them.
        settings: see :class:`Settings`.

    Raises:
        UsageError: somebody is on both sides.
    """

    def __init__(self, crops: GradedCrops, watched: GradedCrops, settings: Settings) -> None:
        if both := set(crops.people) & set(watched.people):
            raise UsageError("training crops", "must show other people than those watched", f"{len(both)} in both")
        torch.manual_seed(settings.seed)
        self.crops, self.watched, self.settings = crops, watched, settings
        self.network, self.average = KOAClassifier(), KOAClassifier()
        self.average.load_state_dict(self.network.state_dict())
        self.steps_per_epoch = -(-len(crops) // settings.batch_size)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, self._rate)
        self.step, self.best_score = 0, math.inf
        self.best: dict[str, Tensor] = {}
        self.losses: list[float] = []

    @property
    def steps(self) -> int:
        """Of the whole run."""
        return self.settings.epochs * self.steps_per_epoch

    def _rate(self, step: int) -> float:
        warm_up = max(self.steps // 10, 1)
        if step < warm_up:
            return (step + 1) / warm_up
        return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(self.steps - warm_up, 1)))

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Views [B,1,128,128] and grades [B] of a step, from its number alone."""
        epoch, position = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng([self.settings.seed, epoch]).permutation(len(self.crops))
        rows = np.sort(order[position * self.settings.batch_size : (position + 1) * self.settings.batch_size])
        generator = torch.Generator().manual_seed(self.settings.seed * 1_000_003 + step)
        return varied_views(torch.from_numpy(self.crops.images[rows]), generator), torch.from_numpy(
            self.crops.grades[rows]
        )

    def advance(self) -> dict[str, Any] | None:
        """One step; at the end of an epoch its record."""
        views, grades = self.batch(self.step)
        torch.manual_seed(self.settings.seed * 1_000_003 + self.step)  # dropout, the same after a resumption
        self.network.train()
        self.optimiser.zero_grad()
        loss = ordinal_loss(self.network(views), grades)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.schedule.step()
        self.step += 1
        self._average()
        self.losses.append(float(loss.detach()))
        return self._watch() if self.step % self.steps_per_epoch == 0 else None

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.settings.ema_decay, self.step / (self.step + 10))
        for mean, current in zip(self.average.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(current, 1 - decay)

    def _watch(self) -> dict[str, Any]:
        """Judge the averaged weights on the watched crops and keep the best."""
        self.average.eval()
        logits, grades = predict(self.average, self.watched), torch.from_numpy(self.watched.grades)
        score = float(ranked_probability_score(logits.softmax(dim=1), grades))
        if score < self.best_score:
            self.best_score = score
            self.best = {name: value.clone() for name, value in self.average.state_dict().items()}
            self.best["temperature"] = torch.tensor(fit_temperature(logits, grades))
        losses, self.losses = self.losses, []
        return {
            "epoch": self.step // self.steps_per_epoch,
            "loss": round(float(np.mean(losses)), 4),
            "watched_score": round(score, 4),
            "watched_accuracy": round(float((logits.argmax(dim=1) == grades).float().mean()), 4),
        }

    def state(self) -> dict[str, Any]:
        """All that a resumption needs; loads with ``weights_only``."""
        return {
            "identity": self._identity(),
            "step": self.step,
            "best_score": self.best_score,
            "best": self.best,
            "losses": self.losses,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state`.

        Raises:
            UsageError: it is of other settings or crops.
        """
        if state["identity"] != self._identity():
            raise UsageError(
                "checkpoint", "must be of these settings and crops", "another run", "Name another --output."
            )
        self.step, self.best_score = state["step"], state["best_score"]
        self.best, self.losses = dict(state["best"]), list(state["losses"])
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])

    def _identity(self) -> dict[str, Any]:
        return {**asdict(self.settings), "crops": len(self.crops), "watched": len(self.watched)}


def train(trainer: Trainer, output: Path, minutes: float | None = None) -> bool:
    """Train until the last step or until the time is over; whether it is complete.

    Writes ``output`` (the best weights in half precision, with their temperature), ``<output>.checkpoint`` and the log
    ``<output>.jsonl`` beside it.
    """
    checkpoint, log = output.with_suffix(".checkpoint"), output.with_suffix(".jsonl")
    if checkpoint.exists():
        trainer.resume(torch.load(checkpoint, weights_only=True))
    start = time.monotonic()
    while trainer.step < trainer.steps:
        record = trainer.advance()
        if record is not None:
            record["seconds"] = round(time.monotonic() - start, 1)
            with log.open("a") as stream:
                stream.write(json.dumps(record) + "\n")
            write_whole(output, _saved({name: value.half() for name, value in trainer.best.items()}))
        over = minutes is not None and time.monotonic() - start > 60 * minutes
        if record is not None or over or trainer.step == trainer.steps:
            write_whole(checkpoint, _saved(trainer.state()))
        if over:
            break
    return trainer.step == trainer.steps


def _saved(content: object) -> bytes:
    buffer = BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the crops, train, write the weights; print where the run stands as JSON."""
    parser = argparse.ArgumentParser(prog="python -m monai_xray2mri.knee.detection.training.koa", description=__doc__)
    parser.add_argument("--real", type=Path, required=True, help="public crops, with the folders train and val")
    parser.add_argument("--simulated", type=Path, help="a training set of simulated knees")
    parser.add_argument("--knees", type=int, help="of the simulated set, only the first so many")
    parser.add_argument("--exclude", type=Path, help="public crops whose people are kept out of the training")
    parser.add_argument("--output", type=Path, required=True, help="file of the weights")
    parser.add_argument("--minutes", type=float, help="stop then; called again, it goes on")
    parser.add_argument("--epochs", type=int, default=Settings.epochs)
    parser.add_argument("--seed", type=int, default=Settings.seed)
    options = parser.parse_args(arguments)
    excluded = {path.stem[:-1] for path in public_crop_files(options.exclude)} if options.exclude else set()
    crops = load_public_crops(options.real / "train", excluded)
    real = len(crops)
    if options.simulated:
        crops += load_simulated_crops(options.simulated, options.knees)
    watched, _ = load_public_crops(options.real / "val").halves()
    torch.set_num_threads(1)
    trainer = Trainer(crops, watched, Settings(epochs=options.epochs, seed=options.seed))
    complete = train(trainer, options.output, options.minutes)
    record = {"complete": complete, "step": trainer.step, "steps": trainer.steps, "real": real}
    sys.stdout.write(json.dumps({**record, "simulated": len(crops) - real, "watched": len(watched)}) + "\n")


if __name__ == "__main__":
    main()
