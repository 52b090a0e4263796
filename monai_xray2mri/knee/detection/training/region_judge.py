"""Training of the network that looks at joint regions (:mod:`monai_xray2mri.knee.detection.networks.region_judge`).

``xray2mri train-part judge --real ENHANCED --real RAW --films DIR --other PICTURES --output region.pt`` trains it to
tell upright frontal knees from everything else, and right from left ones, on public crops and simulated knees; fits
the distribution of known knees; and writes the weights and ``region.json`` with what is accepted and refused on the
validation split and on pictures that it has not seen. ``--refit`` keeps the shipped network and fits the distribution
alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from monai_xray2mri.knee.detection.likeness import OTHER_SIDE, is_known, shipped_judge
from monai_xray2mri.knee.detection.networks.koa_classifier import GRADES
from monai_xray2mri.knee.detection.networks.region_judge import JUDGED_SIZE, RegionJudge
from monai_xray2mri.knee.detection.training.crops import load_public_crops, simulated_crops
from monai_xray2mri.knee.detection.training.joints import read_films, read_others
from monai_xray2mri.knee.detection.training.judge_pictures import (
    JudgeBatch,
    Pictures,
    as_crop,
    cut_shafts,
    random_part,
    to_gray,
)
from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.training.small_networks import Recipe, SmallTraining
from monai_xray2mri.training.weights import write_saved

EXACT: Final = ("mean", "precision")
"""Tensors of the network that are written in full precision: distances need it."""


def make_training(pictures: Pictures, iterations: int = 400, seed: int = 0) -> SmallTraining[RegionJudge, JudgeBatch]:
    """The training of the shipped judge on pictures; :func:`fit_known_knees` completes its network."""
    recipe = Recipe(iterations, learning_rate=3e-3, weight_decay=1e-3, seed=seed)
    return SmallTraining(RegionJudge, pictures.batch, _loss_of_batch, recipe, pictures.counts())


def _loss_of_batch(network: RegionJudge, batch: JudgeBatch) -> Tensor:
    views, is_knee, is_right = batch
    knee, right = network(views)
    loss = F.binary_cross_entropy_with_logits(knee, is_knee)
    return loss + F.binary_cross_entropy_with_logits(right[: len(is_right)], is_right)


def fit_known_knees(network: RegionJudge, pictures: Pictures, count: int = 2000) -> None:
    """Fit the distribution of known knees' features, of crops as they are and as other departments show them."""
    network.fit_distance(describe(network, pictures.known(count)))


@torch.inference_mode()
def describe(network: RegionJudge, crops: Tensor) -> Tensor:
    """Features [N,n] of crops [N,1,h,w], in batches."""
    size = (JUDGED_SIZE, JUDGED_SIZE)
    views = F.interpolate(crops, size, mode="bilinear", antialias=True) if crops.shape[-1] != JUDGED_SIZE else crops
    return torch.cat([network.describe(views[start : start + 64]) for start in range(0, len(views), 64)])


@torch.inference_mode()
def acceptance(network: RegionJudge, crops: np.ndarray) -> dict[str, float]:
    """Shares of crops [N,160,160] uint8 in right-knee space that are taken for knees, and whose side is right."""
    features = describe(network, to_gray(crops))
    knee, right = network.head(features).sigmoid().unbind(1)
    return {
        "crops": len(crops),
        "accepted": round(float(is_known(network.distance(features), knee).float().mean()), 4),
        "side right": round(float((right > 0.5).float().mean()), 4),
        "side contradicted": round(float((right < OTHER_SIDE).float().mean()), 4),
    }


def acceptance_of_sets(
    network: RegionJudge, folders: Sequence[Path], unseen: Sequence[np.ndarray], seed: int
) -> dict[str, dict[str, float]]:
    """What is accepted of the validation split, and of things that are no upright frontal knee."""
    random, found = np.random.default_rng(seed), dict[str, dict[str, float]]()
    for number, folder in enumerate(folders, 1):
        crops = load_public_crops(folder / "val")
        found[f"validation {number}"] = acceptance(network, crops.images)
        severe = crops.images[crops.grades == GRADES - 1]
        if len(severe):
            found[f"validation {number}, grade 4"] = acceptance(network, severe)
    knees = crops.images
    parts = np.stack([as_crop(random_part(unseen, random)) for _ in range(400)])
    sets = {
        "validation mirrored": np.ascontiguousarray(knees[:, :, ::-1]),
        "turned by 90 degrees": np.ascontiguousarray(np.rot90(knees[:300], axes=(1, 2))),
        "upside down": np.ascontiguousarray(knees[:300, ::-1]),
        "inverted": 255 - knees[:300],
        "parts of unseen pictures": parts,
    }
    return {**found, **{name: acceptance(network, crops) for name, crops in sets.items()}}


def train_from_folders(
    real: Sequence[Path],
    output: Path,
    *,
    films: Path | None = None,
    simulated: int = 20,
    others: Sequence[Path] = (),
    unseen: Sequence[Path] = (),
    refit: bool = False,
    iterations: int = 400,
    seed: int = 0,
    minutes: float | None = None,
    progress: bool = False,
) -> bool:
    """Read what is learned from, train, write the weights and ``<output>.json`` with what they reach.

    Args:
        real: folders of public crops, enhanced and not, each with the folders ``train`` and ``val``.
        output: file of the weights.
        films: folder of simulated films, whose shafts are shown as what is no knee.
        simulated: number of simulated knees.
        others: folders of pictures of something else.
        unseen: such folders to judge by.
        refit: keep the shipped network, and fit only the distribution of known knees.
        iterations: steps.
        seed: of everything random.
        minutes: how long at most.
        progress: show a progress bar on stderr.

    Returns:
        Whether the run is complete; the weights are written only then.

    Raises:
        Xray2MRIError: pictures that cannot be read, another run's checkpoint, a file that cannot be written.
    """
    first, *more = (load_public_crops(folder / "train") for folder in real)
    shafts = cut_shafts(read_films(films) if films else [])
    knees = simulated_crops(simulated).images
    pictures = Pictures(sum(more, first), knees, shafts, read_others(others), seed)
    if refit:
        network = deepcopy(shipped_judge())
    else:
        training = make_training(pictures, iterations, seed)
        if not training.run(output, minutes, progress=progress):
            return False
        network = training.average
    fit_known_knees(network, pictures)
    write_saved({name: v if name in EXACT else v.half() for name, v in network.state_dict().items()}, output)
    record = {
        "iterations": "of the weights before" if refit else iterations,
        **pictures.counts(),
        "seed": seed,
        "judged": acceptance_of_sets(network, real, read_others(unseen), seed),
    }
    write_whole(output.with_suffix(".json"), json.dumps(record, indent=2).encode() + b"\n")
    return True
