"""Training of the network that looks at joint regions (:mod:`monai_xray2mri.knee.detection.networks.region_judge`).

``xray2mri train-part judge --real knee_xray_rois --knees SET --films DIR --other PICTURES --output region.pt`` trains
it to tell upright frontal knees from everything else, and right from left ones, on public crops and simulated knees;
fits the distribution of known knees; and writes the weights and ``region.json`` with what is accepted and refused on
the validation split and on pictures that it has not seen.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from monai_xray2mri.knee.detection.likeness import LARGEST_DISTANCE, OTHER_SIDE
from monai_xray2mri.knee.detection.networks.region_judge import JUDGED_SIZE, RegionJudge
from monai_xray2mri.knee.detection.training.crops import CROP_SIZE, load_public_crops, load_simulated_crops
from monai_xray2mri.knee.detection.training.films import STORED_MM, Film
from monai_xray2mri.knee.detection.training.joints import read_films, read_others
from monai_xray2mri.radiograph.resampling import stretch
from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.training.small_networks import Recipe, SmallTraining
from monai_xray2mri.training.weights import write_saved

JudgeBatch = tuple[Tensor, Tensor, Tensor]
"""Views [2N,1,64,64], knees first; whether each is a knee [2N]; whether each knee is a right one [N]."""
EXACT: Final = ("mean", "precision")
"""Tensors of the network that are written in full precision: distances need it."""
_REAL, _SIMULATED = 20, 8
_KNOWN = 2**31
"""Number of the random stream by which known knees are turned; no step has it."""
SHAFT_MM: Final = 110
"""Middle of a part of a shaft above or below the joint."""


class Pictures:
    """What the network is shown: knees, and everything else with the same probability.

    Args:
        real: public crops [N,160,160] uint8 in right-knee space.
        simulated: simulated ones, the same.
        shafts: parts of shafts, the same.
        others: pictures of something else, [H,W] in [0,1].
        seed: of everything random.
    """

    def __init__(
        self,
        real: np.ndarray,
        simulated: np.ndarray,
        shafts: np.ndarray,
        others: Sequence[np.ndarray],
        seed: int = 0,
    ) -> None:
        self.real, self.simulated, self.shafts = (to_grey(crops) for crops in (real, simulated, shafts))
        self.others, self.seed = others, seed
        self._random = np.random.default_rng(seed)

    def counts(self) -> dict[str, int]:
        """How many pictures there are of each kind."""
        kinds = {"crops": self.real, "simulated": self.simulated, "shafts": self.shafts, "other pictures": self.others}
        return {name: len(pictures) for name, pictures in kinds.items()}

    def batch(self, step: int) -> JudgeBatch:
        """What a step sees, the same whenever it is asked for."""
        self._random = np.random.default_rng([self.seed, step])
        knees = torch.cat([self._some(self.real, _REAL), self._some(self.simulated, _SIMULATED)])
        right = torch.from_numpy(self._random.random(len(knees)) < 0.5)
        knees = torch.where(right[:, None, None, None], knees, knees.flip(-1))
        other = torch.stack([self._other() for _ in range(len(knees))])
        is_knee = torch.cat([torch.ones(len(knees)), torch.zeros(len(other))])
        return self._present(self.turn(torch.cat([knees, other]))), is_knee, right.float()

    def _some(self, crops: Tensor, count: int) -> Tensor:
        return crops[torch.from_numpy(self._random.integers(len(crops), size=count))]

    def turn_known(self, crops: Tensor) -> Tensor:
        """Known knees, turned a little less than in training, the same whenever it is asked for."""
        self._random = np.random.default_rng([self.seed, _KNOWN])
        return self.turn(crops, 0.85, 5.0)

    def turn(self, crops: Tensor, smallest: float = 0.8, degrees: float = 8.0) -> Tensor:
        """Parts of crops [B,1,160,160], turned a little: [B,1,64,64]."""
        random, count = self._random, len(crops)
        angle = torch.from_numpy(np.deg2rad(random.uniform(-degrees, degrees, count))).float()
        scale = torch.from_numpy(random.uniform(smallest, 1.0, count)).float()
        shift = (1.02 - scale) * torch.from_numpy(random.uniform(-1, 1, (2, count))).float()
        rows = [
            torch.stack([scale * angle.cos(), -scale * angle.sin(), shift[0]], 1),
            torch.stack([scale * angle.sin(), scale * angle.cos(), shift[1]], 1),
        ]
        grid = F.affine_grid(torch.stack(rows, 1), [count, 1, JUDGED_SIZE, JUDGED_SIZE], align_corners=False)
        return F.grid_sample(F.avg_pool2d(crops, 3, 1, 1), grid, padding_mode="border", align_corners=False)

    def _present(self, views: Tensor) -> Tensor:
        """Vary contrast and noise."""
        gamma = torch.from_numpy(np.exp(self._random.normal(0, 0.35, len(views)))).float()
        level = torch.from_numpy(self._random.uniform(0, 0.05, len(views))).float()
        noise = torch.from_numpy(self._random.standard_normal(tuple(views.shape))).float()
        return ((views + 1) / 2).clamp(0, 1) ** gamma[:, None, None, None] + level[:, None, None, None] * noise

    def _other(self) -> Tensor:
        """[1,160,160]: a knee turned, upside down, inverted or shuffled; a shaft; something else; noise."""
        random, choice = self._random, self._random.random()
        knee = self._some(self.real if random.random() < 0.7 else self.simulated, 1)[0]
        if choice < 0.15:
            return knee.rot90(int(random.choice([1, 3])), (1, 2))
        if choice < 0.35:
            return knee.flip(1) if random.random() < 0.5 else knee.rot90(2, (1, 2))
        if choice < 0.45:
            return -knee
        if choice < 0.55:
            return self._some(self.shafts, 1)[0]
        if choice < 0.85:
            return self._part_of_other()
        if choice < 0.92:
            coarse = torch.from_numpy(random.standard_normal((1, 1, *2 * [int(random.integers(4, 60))]))).float()
            return F.interpolate(coarse, (CROP_SIZE, CROP_SIZE), mode="bicubic")[0]
        half = CROP_SIZE // 2
        parts = [knee[:, top : top + half, left : left + half] for top in (0, half) for left in (0, half)]
        order = random.permutation(4)
        return torch.cat([torch.cat([parts[i] for i in order[k : k + 2]], 2) for k in (0, 2)], 1)

    def _part_of_other(self) -> Tensor:
        part = torch.from_numpy(random_part(self.others, self._random))[None, None]
        part = F.interpolate(part, (CROP_SIZE, CROP_SIZE), mode="bilinear", antialias=True)[0]
        return part if self._random.random() < 0.5 else -part


def random_part(pictures: Sequence[np.ndarray], random: np.random.Generator) -> np.ndarray:
    """A square part [n,n] float32 in [-1,1] of one of several pictures in [0,1], at any size, turned by quarters."""
    picture = pictures[int(random.integers(len(pictures)))]
    side = int(random.uniform(0.2, 1.0) * min(picture.shape))
    top, left = (int(random.integers(0, size - side + 1)) for size in picture.shape)
    part = np.rot90(picture[top : top + side, left : left + side], int(random.integers(4)))
    return np.ascontiguousarray(2 * part - 1, dtype=np.float32)


def to_grey(crops: np.ndarray) -> Tensor:
    """Stored crops [N,h,w] uint8 as grey values [N,1,h,w] in [-1,1]."""
    return torch.from_numpy(crops.astype(np.float32) / 127.5 - 1)[:, None]


def cut_shafts(films: Sequence[Film]) -> np.ndarray:
    """Parts of femur and tibia beyond the joint, [N,160,160] uint8."""
    side, found = round(95 / STORED_MM), []
    for film in films:
        for row, column in film.joints:
            for middle in (row - SHAFT_MM, row + SHAFT_MM):
                top, left = round(middle - side / 2), round(column - side / 2)
                if 0 <= top <= film.pixels.shape[0] - side and 0 <= left <= film.pixels.shape[1] - side:
                    part = film.pixels[top : top + side, left : left + side]
                    found.append(_as_crop((2 * stretch(part) - 1).astype(np.float32)))
    return np.stack(found)


def make_training(pictures: Pictures, iterations: int = 400, seed: int = 0) -> SmallTraining[RegionJudge, JudgeBatch]:
    """The training of the shipped judge on pictures; :func:`fit_known_knees` completes its network."""
    recipe = Recipe(iterations, learning_rate=3e-3, weight_decay=1e-3, seed=seed)
    return SmallTraining(RegionJudge, pictures.batch, _loss_of_batch, recipe, pictures.counts())


def _loss_of_batch(network: RegionJudge, batch: JudgeBatch) -> Tensor:
    views, is_knee, is_right = batch
    knee, right = network(views)
    loss = F.binary_cross_entropy_with_logits(knee, is_knee)
    return loss + F.binary_cross_entropy_with_logits(right[: len(is_right)], is_right)


def fit_known_knees(network: RegionJudge, pictures: Pictures) -> None:
    """Fit the distribution of known knees' features, of crops as they are and a little turned."""
    known = [(crops, pictures.turn_known(crops)) for crops in (pictures.real, pictures.simulated)]
    network.fit_distance(torch.cat([describe(network, view) for pair in known for view in pair]))


@torch.inference_mode()
def describe(network: RegionJudge, crops: Tensor) -> Tensor:
    """Features [N,n] of crops [N,1,h,w], in batches."""
    size = (JUDGED_SIZE, JUDGED_SIZE)
    views = F.interpolate(crops, size, mode="bilinear", antialias=True) if crops.shape[-1] != JUDGED_SIZE else crops
    return torch.cat([network.describe(views[start : start + 64]) for start in range(0, len(views), 64)])


@torch.inference_mode()
def acceptance(network: RegionJudge, crops: np.ndarray) -> dict[str, float]:
    """Shares of crops [N,160,160] uint8 in right-knee space that are taken for knees, and whose side is right."""
    features = describe(network, to_grey(crops))
    right = network.head(features)[:, 1].sigmoid()
    return {
        "crops": len(crops),
        "accepted": round(float((network.distance(features) <= LARGEST_DISTANCE).float().mean()), 4),
        "side right": round(float((right > 0.5).float().mean()), 4),
        "side contradicted": round(float((right < OTHER_SIDE).float().mean()), 4),
    }


def acceptance_of_sets(
    network: RegionJudge, folder: Path, unseen: Sequence[np.ndarray], seed: int
) -> dict[str, dict[str, float]]:
    """What is accepted of the validation split, and of things that are no upright frontal knee."""
    random = np.random.default_rng(seed)
    knees = load_public_crops(folder / "val").images
    parts = np.stack([_as_crop(random_part(unseen, random)) for _ in range(400)])
    sets = {
        "validation": knees,
        "validation mirrored": np.ascontiguousarray(knees[:, :, ::-1]),
        "turned by 90 degrees": np.ascontiguousarray(np.rot90(knees[:300], axes=(1, 2))),
        "upside down": np.ascontiguousarray(knees[:300, ::-1]),
        "inverted": 255 - knees[:300],
        "parts of unseen pictures": parts,
    }
    return {name: acceptance(network, crops) for name, crops in sets.items()}


def _as_crop(part: np.ndarray) -> np.ndarray:
    """A part [n,n] in [-1,1] as crops are stored: [160,160] uint8."""
    shape = (CROP_SIZE, CROP_SIZE)
    large = F.interpolate(torch.from_numpy(part)[None, None], shape, mode="bilinear", antialias=True)[0, 0]
    stored: np.ndarray = ((large + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()
    return stored


def train_from_folders(
    real: Path,
    knees: Path,
    films: Path,
    output: Path,
    *,
    others: Sequence[Path] = (),
    unseen: Sequence[Path] = (),
    crops: int = 1500,
    iterations: int = 400,
    seed: int = 0,
    minutes: float | None = None,
    progress: bool = False,
) -> bool:
    """Read what is learned from, train, write the weights and ``<output>.json`` with what they reach.

    Args:
        real: public crops with the folders ``train`` and ``val``.
        knees: training set of simulated knees.
        films: folder of simulated films.
        output: file of the weights.
        others: folders of pictures of something else.
        unseen: such folders to judge by.
        crops: number of public crops that are learned from.
        iterations: steps.
        seed: of everything random.
        minutes: how long at most.
        progress: show a progress bar on stderr.

    Returns:
        Whether the run is complete; the weights are written only then.

    Raises:
        Xray2MRIError: pictures that cannot be read, another run's checkpoint, a file that cannot be written.
    """
    images = load_public_crops(real / "train").images
    images = images[np.random.default_rng(seed).permutation(len(images))[:crops]]
    simulated = load_simulated_crops(knees, 400).images
    pictures = Pictures(images, simulated, cut_shafts(read_films(films)), read_others(others), seed)
    training = make_training(pictures, iterations, seed)
    if not training.run(output, minutes, progress=progress):
        return False
    network = training.average
    fit_known_knees(network, pictures)
    write_saved({name: v if name in EXACT else v.half() for name, v in network.state_dict().items()}, output)
    record = {
        "iterations": iterations,
        **pictures.counts(),
        "seed": seed,
        "judged": acceptance_of_sets(network, real, read_others(unseen), seed),
    }
    write_whole(output.with_suffix(".json"), json.dumps(record, indent=2).encode() + b"\n")
    return True
