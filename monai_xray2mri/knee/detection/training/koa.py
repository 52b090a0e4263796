"""Training of the classifier C of Wang 2024b on public crops and simulated knees.

``xray2mri train-part koa --start efficientnet-lite0.pth --real ENHANCED --real RAW --simulated 60 --output koa.pt``
trains, and goes on where it was interrupted: every batch and all its variation follow from the seed and the number of
the step alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from monai_xray2mri.errors import UsageError
from monai_xray2mri.knee.detection.networks.koa_classifier import GRADES, VIEW_SIZE, KOAClassifier
from monai_xray2mri.knee.detection.training.crops import (
    GradedCrops,
    load_public_crops,
    simulated_crops,
)
from monai_xray2mri.knee.detection.training.imagenet import pretrained_classifier
from monai_xray2mri.runtime.threads import one_thread
from monai_xray2mri.training.small_networks import Recipe, SmallTraining
from monai_xray2mri.training.weights import write_saved

STORED_SIZE: Final = 224
"""Pixels per side of the crops that are kept for training: those of the enhanced ones."""
WATCHED: Final = (0, 8)
"""Of the people to train on, those whose number is a multiple of eight choose epoch and temperature instead."""
SIMULATED_SHARE: Final = 5
"""How often a simulated knee is shown in an epoch."""
_SMOOTHING: Final = ((1, 2, 1), (2, 4, 2), (1, 2, 1))


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


def vary_views(images: Tensor, generator: torch.Generator) -> Tensor:
    """Views as other films, boxes and contrast enhancements would have given them.

    Turned by up to 8 degrees, scaled by up to 8 %, shifted by up to 6 %; gamma, local contrast between softened and
    strongly enhanced, blur and noise. They are not mirrored: medial stays medial.

    Args:
        images: crops [B,S,S] uint8.
        generator: of all variation.

    Returns:
        [B,1,192,192] float32 about in [-1,1].
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
    views = views + draw(0.0, 0.35)[:, None, None, None] * detail * noise
    return 2 * views - 1


def plain_views(images: Tensor) -> Tensor:
    """Crops [B,S,S] uint8 as the classifier sees them without variation: [B,1,192,192] in [-1,1]."""
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


class GradedBatches:
    """Views and grades of crops; every crop once in an epoch.

    Args:
        crops: to train on.
        size: crops of a step.
        seed: of order and variation.
    """

    def __init__(self, crops: GradedCrops, size: int = 32, seed: int = 0) -> None:
        self.crops, self.size, self.seed = crops, size, seed

    def __len__(self) -> int:
        """Steps of an epoch."""
        return -(-len(self.crops) // self.size)

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Views [B,1,192,192] and grades [B] of a step."""
        epoch, position = divmod(step, len(self))
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.crops))
        rows = np.sort(order[position * self.size : (position + 1) * self.size])
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        views = vary_views(torch.from_numpy(self.crops.images[rows]), generator)
        return views, torch.from_numpy(self.crops.grades[rows])


class KOATraining(SmallTraining[KOAClassifier, tuple[Tensor, Tensor]]):
    """A run on crops that keeps the epoch of the best score on other people's crops.

    Args:
        batches: to train on.
        watched: to choose the epoch and the temperature by.
        recipe: how to train; an interval is an epoch.
        make: makes the network that the run begins with.

    Raises:
        UsageError: somebody is among both.
    """

    def __init__(
        self,
        batches: GradedBatches,
        watched: GradedCrops,
        recipe: Recipe,
        make: Callable[[], KOAClassifier] = KOAClassifier,
    ) -> None:
        if both := set(batches.crops.people) & set(watched.people):
            raise UsageError("training crops", "must show other people than those watched", f"{len(both)} in both")
        settings = {"crops": len(batches.crops), "watched": len(watched), "batch size": batches.size}
        super().__init__(make, batches, _loss_of_batch, recipe, settings)
        self.watched = watched

    @classmethod
    def from_photographs(
        cls, start: Path, crops: GradedCrops, watched: GradedCrops, epochs: int = 12, seed: int = 0
    ) -> KOATraining:
        """The training of the shipped classifier, which begins with the filters of photographs."""
        batches = GradedBatches(crops, seed=seed)
        recipe = Recipe(
            epochs * len(batches), learning_rate=6e-4, weight_decay=0.05, averaging=0.995, largest_gradient=1.0,
            interval=len(batches), seed=seed,
        )  # fmt: skip
        statistics = [batches(step)[0] for step in range(3)]
        return cls(batches, watched, recipe, partial(pretrained_classifier, start, statistics))

    def train(self, output: Path, minutes: float | None = None, progress: bool = False) -> bool:
        """Go on until the last step or until the time is over, and write the best weights with their temperature.

        Args:
            output: file of the weights, in half precision; checkpoint and log lie beside it.
            minutes: how long at most.
            progress: show a progress bar on stderr.

        Returns:
            Whether the run is complete.

        Raises:
            UsageError: another run's checkpoint lies beside ``output``, or a file cannot be written.
        """
        with one_thread():
            complete = self.run(output, minutes, self._judge, progress)
        if "best" in self.kept:
            write_saved({name: value.half() for name, value in self.kept["best"].items()}, output)
        return complete

    def _judge(self, average: KOAClassifier) -> dict[str, Any]:
        logits, grades = predict(average, self.watched), torch.from_numpy(self.watched.grades)
        score = float(ranked_probability_score(logits.softmax(dim=1), grades))
        if score < self.kept.get("score", math.inf):
            best = {name: value.clone() for name, value in average.state_dict().items()}
            best["temperature"] = torch.tensor(fit_temperature(logits, grades))
            self.kept = {"score": score, "best": best}
        accuracy = float((logits.argmax(dim=1) == grades).float().mean())
        return {"watched_score": round(score, 4), "watched_accuracy": round(accuracy, 4)}


def _loss_of_batch(network: KOAClassifier, batch: tuple[Tensor, Tensor]) -> Tensor:
    views, grades = batch
    return ordinal_loss(network(views), grades)


def train_from_folders(
    start: Path,
    real: Sequence[Path],
    output: Path,
    *,
    simulated: int = 60,
    epochs: int = 12,
    seed: int = 0,
    minutes: float | None = None,
    progress: bool = False,
) -> dict[str, Any]:
    """Read the crops, train, write the weights; where the run stands, ready for JSON.

    Args:
        start: weights of EfficientNet-Lite0 (:func:`pretrained_classifier`).
        real: folders of public crops, each with the folder ``train``; one person may be in several.
        output: file of the weights.
        simulated: number of simulated knees.
        epochs: passes over the crops.
        seed: of start, order and variation.
        minutes: how long at most.
        progress: show a progress bar on stderr.

    Raises:
        Xray2MRIError: crops that cannot be read, or what :meth:`KOATraining.train` refuses.
    """
    first, *others = (load_public_crops(folder / "train", size=STORED_SIZE) for folder in real)
    watched, crops = sum(others, first).part(*WATCHED)
    count = len(crops)
    if simulated:
        crops = sum([simulated_crops(simulated, STORED_SIZE)] * SIMULATED_SHARE, crops)
    training = KOATraining.from_photographs(start, crops, watched, epochs, seed)
    complete = training.train(output, minutes, progress)
    return {
        "complete": complete,
        "step": training.step,
        "steps": training.recipe.iterations,
        "real": count,
        "simulated": simulated,
        "watched": len(watched),
    }
