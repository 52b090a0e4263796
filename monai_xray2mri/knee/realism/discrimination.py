"""Classifiers that distinguish two kinds of knees, and their cross-validated areas under the ROC curve.

0.5 means that a classifier cannot distinguish them, 1 that it always can. No classifier is trained on a knee that it
scores, or on another knee of the same person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

FOLDS: Final = 5
_BATCH: Final = 32
_BOOTSTRAPS: Final = 1000
_RIDGE: Final = 0.02

Scorer = Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]
"""Function of training data [N,...], their classes [N] (0 or 1), test data [T,...] and a seed.

It returns scores [T] of the test data; a high score means class 1.
"""


@dataclass(frozen=True)
class Discrimination:
    """How well a classifier distinguishes two kinds of knees.

    Attributes:
        auc: area under the ROC curve of cross-validated scores; 0.5 means not at all.
        low: lower end of its 95 % interval (bootstrap over participants).
        high: upper end.
    """

    auc: float
    low: float
    high: float


def cross_validated_scores(
    data: np.ndarray, truth: np.ndarray, groups: np.ndarray, scorer: Scorer, repeats: int, seed: int
) -> np.ndarray:
    """Cross-validated scores [N], averaged over repeated partitions into folds.

    Args:
        data: [N,...].
        truth: [N] classes, 0 or 1.
        groups: [N]; all data of a group are in one of the five folds, and both classes are distributed evenly.
        scorer: trains a classifier and scores the fold that it was not trained on.
        repeats: number of partitions.
        seed: seed of partitions and training.
    """
    total = np.zeros(len(data))
    for repeat in range(repeats):
        folds = _folds(truth, groups, np.random.default_rng((seed, repeat)))
        for fold in range(FOLDS):
            test = folds == fold
            total[test] += scorer(data[~test], truth[~test], data[test], seed + repeat)
    return total / repeats


def _folds(truth: np.ndarray, groups: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    fold_of: dict[str, int] = {}
    for value in np.unique(truth):
        names = np.unique(groups[truth == value])
        fold_of |= {str(name): i % FOLDS for i, name in enumerate(generator.permutation(names))}
    return np.asarray([fold_of[str(name)] for name in groups])


def logistic_scores(data: np.ndarray, truth: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    """Scores [T] of a logistic regression with ridge penalty on standardized features [N,F]; both classes weigh equal.

    A :data:`Scorer`.
    """
    del seed  # the problem is convex and needs no random start
    mean, spread = data.mean(0), data.std(0) + 1e-6
    inputs, targets = torch.from_numpy((data - mean) / spread).double(), torch.from_numpy(truth).double()
    inputs = torch.cat((inputs, torch.ones_like(inputs[:, :1])), 1)  # [N,F+1]
    importance = torch.where(targets == 1, 0.5 / targets.mean(), 0.5 / (1 - targets.mean()))
    weights = torch.zeros(inputs.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        fit = nn.functional.binary_cross_entropy_with_logits(inputs @ weights, targets, importance)
        value = fit + _RIDGE * weights[:-1].square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    return np.asarray(((test - mean) / spread) @ weights.detach().numpy()[:-1])


@dataclass(frozen=True)
class NetworkScorer:
    """A small convolutional network on standardized crops; the score of an image is the mean of nine crops.

    Attributes:
        crop: side of the crops in pixels.
        reduction: factor by which images are reduced first.
        steps: training steps of 32 crops each.
    """

    crop: int
    reduction: int = 1
    steps: int = 400

    def __call__(self, images: np.ndarray, truth: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
        """Train on images [N,H,W] with classes [N] and return the scores [T] of test images [T,H,W]."""
        kept, judged = (
            nn.functional.avg_pool2d(torch.from_numpy(part)[:, None], self.reduction)[:, 0] for part in (images, test)
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = self._train(kept, torch.from_numpy(truth))
        room = judged.shape[-1] - self.crop
        corners = [(row, column) for row in (0, room // 2, room) for column in (0, room // 2, room)]
        with torch.no_grad():
            views = [network((judged[:, None, r : r + self.crop, c : c + self.crop] + 1) / 2) for r, c in corners]
        return np.asarray(torch.stack(views).mean(0)[:, 0])

    def _train(self, images: Tensor, truth: Tensor) -> nn.Module:
        network = _small_network()
        optimizer = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, self.steps)
        kinds = [torch.nonzero(truth == value).flatten() for value in (0, 1)]
        targets = torch.arange(_BATCH).remainder(2).float()
        for _ in range(self.steps):
            chosen = torch.stack([kind[torch.randint(len(kind), (_BATCH // 2,))] for kind in kinds], 1).flatten()
            logits = network(_vary_contrast(_random_crops(images[chosen], self.crop)))[:, 0]
            optimizer.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(logits, targets).backward()
            optimizer.step()
            schedule.step()
        return network.eval()


NETWORKS: Final[Mapping[str, NetworkScorer]] = {
    "network, crops": NetworkScorer(96),
    "network, whole": NetworkScorer(112, reduction=2),
}


def _small_network() -> nn.Module:
    widths = (1, 16, 32, 48, 64)
    layers: list[nn.Module] = [nn.InstanceNorm2d(1)]
    for before, after in pairwise(widths):
        layers += [nn.Conv2d(before, after, 3, 2, 1), nn.GroupNorm(4, after), nn.SiLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(widths[-1], 1))


def _random_crops(images: Tensor, crop: int) -> Tensor:
    corners = torch.randint(images.shape[-1] - crop + 1, (len(images), 2)).tolist()
    return torch.stack([image[None, r : r + crop, c : c + crop] for image, (r, c) in zip(images, corners, strict=True)])


def _vary_contrast(crops: Tensor) -> Tensor:
    """Apply a random exponent of 0.7 to 1.4; the network itself normalizes level and contrast."""
    exponent = torch.exp(torch.empty(len(crops), 1, 1, 1).uniform_(-0.35, 0.35))
    return ((crops + 1) / 2).clamp(min=1e-4) ** exponent


def discrimination(scores: np.ndarray, truth: np.ndarray, groups: np.ndarray, seed: int = 0) -> Discrimination:
    """Area under the ROC curve with its 95 % bootstrap interval over groups."""
    generator = np.random.default_rng(seed)
    members = [[np.flatnonzero(groups == name) for name in np.unique(groups[truth == value])] for value in (0, 1)]
    drawn = []
    for _ in range(_BOOTSTRAPS):
        picks = [np.concatenate([kind[i] for i in generator.integers(len(kind), size=len(kind))]) for kind in members]
        chosen = np.concatenate(picks)
        drawn.append(area_under_curve(scores[chosen], truth[chosen]))
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Discrimination(area_under_curve(scores, truth), float(low), float(high))


def area_under_curve(scores: np.ndarray, truth: np.ndarray) -> float:
    """Share of pairs (class 0, class 1) in which class 1 has the higher score; ties count one half (Mann-Whitney)."""
    below, above = np.sort(scores[truth == 0]), scores[truth == 1]
    wins = np.searchsorted(below, above, "left").sum() + np.searchsorted(below, above, "right").sum()
    return float(wins / (2 * len(below) * len(above)))
