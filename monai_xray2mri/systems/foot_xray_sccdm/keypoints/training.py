"""Training of the keypoint detector (:mod:`monai_xray2mri.systems.foot_xray_sccdm.keypoints.network`).

``xray2mri train-part foot-keypoints --feet FEET --validation FEET --output keypoints.pt`` trains it on simulated
radiographs, true and broken ones, and writes the weights and ``keypoints.json`` with what they reach.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.simulation.foot.people import split_of
from monai_xray2mri.simulation.foot.skeleton import KEYPOINTS
from monai_xray2mri.simulation.foot.truth import hallux_angles
from monai_xray2mri.systems.foot_xray_sccdm.keypoints.broken import lost, smooth, without
from monai_xray2mri.systems.foot_xray_sccdm.keypoints.completeness import keypoint_completeness
from monai_xray2mri.systems.foot_xray_sccdm.keypoints.detector import find_all_keypoints
from monai_xray2mri.systems.foot_xray_sccdm.keypoints.network import (
    NEAR,
    SIZE,
    KeypointNetwork,
    loss_of,
    marks,
    places,
)
from monai_xray2mri.training.small_networks import Recipe, SmallTraining
from monai_xray2mri.training.weights import save_state

FilmBatch = tuple[Tensor, Tensor, Tensor]
"""Radiographs [B,1,256,256] in [0,1], keypoints [B,10,2] in pixels, which of them are to be seen [B,10]."""
_BATCH: Final = 8
_TURN: Final = 0.2
_SCALE: Final = 0.1
_SHIFT: Final = 0.06
_BENT: Final = 0.02
"""Standard deviation of the bend at its knots, over half the side: 2.5 pixels."""
_KNOTS: Final = 6
_STEPS: Final = 4
_BINS: Final = 10


@dataclass(frozen=True)
class Film:
    """A simulated foot: radiograph and photograph [256,256] float32 in [0,1], bones by name [256,256] bool, truth."""

    radiograph: np.ndarray
    photograph: np.ndarray
    bones: Mapping[str, np.ndarray]
    points: np.ndarray
    pixel_mm: float


def read_films(folder: Path, split: str) -> list[Film]:
    """The feet of a folder that ``xray2mri simulate-feet`` wrote.

    Raises:
        UsageError: there are none, or one is of another split.
    """
    films = []
    for file in sorted(folder.glob("[0-9]*/truth.json")):
        truth = json.loads(file.read_text(encoding="utf-8"))
        if split_of(truth["seed"]) != split:
            raise UsageError(f"folder {folder.name}", f"must hold feet of the {split} range", f"seed {truth['seed']}")
        with np.load(file.with_name("bones.npz")) as stored:
            bones = {name: stored[name] for name in stored}
        radiograph = np.asarray(Image.open(file.with_name("xray.png"))).astype(np.float32) / 65535
        photograph = np.asarray(Image.open(file.with_name("original.png")).convert("L")).astype(np.float32) / 255
        points = np.array([truth["keypoints"][name] for name in KEYPOINTS], np.float32)
        films.append(Film(radiograph, photograph, bones, points, truth["pixel_mm"]))
    if not films:
        raise UsageError(f"folder {folder.name}", "must hold simulated feet", "none", "See xray2mri simulate-feet.")
    return films


class FilmBatches:
    """Radiographs of which the detector learns, each batch from seed and number alone.

    Args:
        films: simulated feet.
        seed: of all that is drawn.
        spoiled: share of radiographs that are not as they were taken.
    """

    def __init__(self, films: Sequence[Film], seed: int = 0, spoiled: float = 0.45) -> None:
        self.films, self.seed, self.spoiled = films, seed, spoiled

    def batch(self, step: int) -> FilmBatch:
        """What a step sees."""
        random = np.random.default_rng([self.seed, step])
        drawn = [self._drawn(random) for _ in range(_BATCH)]
        images = torch.from_numpy(np.stack([each[0] for each in drawn]))[:, None]
        points = torch.from_numpy(np.stack([each[1] for each in drawn]))
        seen = torch.from_numpy(np.stack([each[2] for each in drawn]))
        images, points = _moved(images, points, random)
        seen &= ((points > 1) & (points < SIZE - 2)).all(2)
        return _exposed(images, random), points, seen

    def _drawn(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        film = self.films[int(random.integers(len(self.films)))]
        seen = np.ones(len(KEYPOINTS), bool)
        if random.random() >= self.spoiled:
            return film.radiograph, film.points, seen
        image, points, seen = spoil(film, self.films, random)
        return image, points, seen


def spoil(
    film: Film, films: Sequence[Film], random: np.random.Generator, way: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A film as a bad generator would make it.

    Args:
        film: as it was taken.
        films: others, one of which may show through.
        random: of all that is drawn.
        way: 0 some bones missing, 1 all missing, 2 a photograph, 3 blurred, 4 an area lost, 5 two feet at once.

    Returns:
        [256,256], its keypoints [10,2], and which of them are to be seen [10].
    """
    image, points = film.radiograph, film.points
    every = np.logical_or.reduce(list(film.bones.values()))
    way = int(random.integers(6)) if way is None else way
    if way == 0:  # some bones are missing
        names = random.choice(list(film.bones), int(random.integers(1, 8)), replace=False)
        gone = np.logical_or.reduce([film.bones[name] for name in names])
        return without(image, gone, every), points, ~lost(film.bones, gone)
    if way == 1:  # no bones at all
        return without(image, every, every), points, np.zeros(len(KEYPOINTS), bool)
    if way == 2:  # a photograph, or its mixture with the film
        share = random.uniform(0, 0.35) if random.random() < 0.5 else random.uniform(0.5, 0.9)
        mixed = np.asarray(film.photograph * (1 - share) + image * share, dtype=np.float32)
        return mixed, points, np.full(len(KEYPOINTS), share >= 0.5)
    if way == 3:  # blurred everywhere: where the points are is known less well
        return smooth(image, random.uniform(1.5, 6.0)), points, np.ones(len(KEYPOINTS), bool)
    if way == 4:  # an area is blurred away, or filled with another place of the film
        area = _area(random)
        filling = (
            smooth(image, random.uniform(8, 14))
            if random.random() < 0.5
            else np.roll(image, random.integers(40, 200, 2), (0, 1))
        )
        covered = smooth(area.astype(np.float32), 2.0)
        row, column = (points[:, axis].round().astype(int).clip(0, SIZE - 1) for axis in (0, 1))
        hidden = area[row, column] | lost(film.bones, area)
        return np.asarray(image * (1 - covered) + filling * covered, dtype=np.float32), points, ~hidden
    # another foot shows through: what lies near in both is still to be seen
    other = films[int(random.integers(len(films)))]
    share = random.uniform(0.35, 0.5)
    near = np.linalg.norm(other.points - points, axis=1) <= NEAR
    return np.asarray(image * (1 - share) + other.radiograph * share, dtype=np.float32), points, near | (share < 0.4)


def _area(random: np.random.Generator) -> np.ndarray:
    """A random ellipse or rectangle [256,256] bool over the bones."""
    rows, columns = np.mgrid[0:SIZE, 0:SIZE]
    row, column, high, wide = (
        random.uniform(20, 180),
        random.uniform(60, 190),
        random.uniform(12, 60),
        random.uniform(12, 60),
    )
    if random.random() < 0.5:
        return np.asarray(((rows - row) / high) ** 2 + ((columns - column) / wide) ** 2 < 1)
    return np.asarray((np.abs(rows - row) < high) & (np.abs(columns - column) < wide))


def _moved(images: Tensor, points: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Images [B,1,N,N] turned, scaled, moved and bent a little, with their points [B,10,2].

    Bending makes many shapes of foot of a few.
    """
    count = len(images)
    angle = torch.from_numpy(random.normal(0, _TURN / 2, count)).float().clamp(-2 * _TURN, 2 * _TURN)
    scale = torch.from_numpy(1 + random.uniform(-_SCALE, _SCALE, (2, count))).float()
    shift = torch.from_numpy(random.uniform(-_SHIFT, _SHIFT, (count, 2))).float()
    knots = torch.from_numpy(random.normal(0, _BENT, (count, 2, _KNOTS, _KNOTS))).float()
    bent = F.interpolate(knots, images.shape[-2:], mode="bicubic", align_corners=True)  # (x, y)
    cosine, sine = angle.cos(), angle.sin()
    linear = torch.stack((cosine / scale[0], -sine / scale[1], sine / scale[0], cosine / scale[1]), 1).view(-1, 2, 2)
    theta = torch.cat((linear, shift[..., None]), 2)  # of output (x, y) in -1..1 to input
    grid = F.affine_grid(theta, list(images.shape), align_corners=False) + bent.movedim(1, -1)
    moved = F.grid_sample(images, grid, align_corners=False)
    wanted = (2 * points.flip(2) + 1) / SIZE - 1 - shift[:, None]  # (x, y)
    found = wanted
    for _ in range(_STEPS):  # the bend is smooth and small: where a point comes from converges fast
        away = F.grid_sample(bent, found[:, None], padding_mode="border", align_corners=False)[:, :, 0].transpose(1, 2)
        found = torch.linalg.solve(linear, (wanted - away).transpose(1, 2)).transpose(1, 2)
    return moved, (((found + 1) * SIZE - 1) / 2).flip(2)


def _exposed(images: Tensor, random: np.random.Generator) -> Tensor:
    """Images with another exposure, sharpness, noise and marks."""

    def draw(values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).float()[:, None, None, None]

    count = len(images)
    value = images.clamp(min=0) ** draw(np.exp(random.normal(0, 0.25, count)))
    value = value * draw(random.uniform(0.75, 1.2, count))
    soft = F.avg_pool2d(F.pad(value, (1, 1, 1, 1), mode="replicate"), 3, 1)
    value = value + draw(random.uniform(-1.0, 0.8, count)) * (value - soft)
    noise = torch.from_numpy(random.standard_normal(tuple(value.shape)).astype(np.float32))
    return (value + draw(random.uniform(0, 0.04, count)) * noise).clamp(0, 1)


def loss_of_batch(network: KeypointNetwork, batch: FilmBatch) -> Tensor:
    """Cross-entropy between the maps and the marks of the points."""
    images, points, seen = batch
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(images)
    return loss_of(logits, marks(points, seen))


def make_training(
    films: Sequence[Film], iterations: int, seed: int, settings: Mapping[str, Any]
) -> SmallTraining[KeypointNetwork, FilmBatch]:
    """The training of the shipped network."""
    recipe = Recipe(
        iterations, learning_rate=4e-3, weight_decay=1e-3, averaging=0.99, largest_gradient=2.0, interval=50, seed=seed
    )
    return SmallTraining(KeypointNetwork, FilmBatches(films, seed).batch, loss_of_batch, recipe, settings)


@torch.inference_mode()
def fit_sharpness(network: KeypointNetwork, films: Sequence[Film], seed: int, batches: int = 8) -> float:
    """Fit the factor on the logits to feet that no weight was trained on, by the likelihood of their points.

    Returns:
        The factor, which the network keeps.
    """
    source = FilmBatches(films, seed)
    network.sharpness.fill_(1.0)
    shown = [source.batch(step) for step in range(batches)]
    answers = [(network(images), points, seen) for images, points, seen in shown]

    def badness(factor: float) -> float:
        total = 0.0
        for logits, points, seen in answers:
            found, sure = places(factor * logits)
            right = (((found - points).norm(dim=2) <= NEAR) & seen).float()
            total += float(F.binary_cross_entropy(sure.clamp(1e-4, 1 - 1e-4), right))
        return total

    factors = np.exp(np.linspace(np.log(0.4), np.log(3.0), 30))
    best = float(factors[int(np.argmin([badness(float(factor)) for factor in factors]))])
    network.sharpness.fill_(best)
    return best


@torch.inference_mode()
def judge(network: KeypointNetwork, films: Sequence[Film], seed: int) -> dict[str, Any]:
    """What a network reaches on true radiographs, and whether its confidence on spoiled ones is what comes true."""
    found = find_all_keypoints([film.radiograph for film in films], network)
    errors = np.array(
        [
            np.linalg.norm(each.points - film.points, axis=1) * film.pixel_mm
            for each, film in zip(found, films, strict=True)
        ]
    )
    angles = np.array(
        [np.subtract(each.angles, hallux_angles(film.points)) for each, film in zip(found, films, strict=True)]
    )
    random = np.random.default_rng([seed, 7])
    kinds: dict[str, list[np.ndarray]] = {"true": [film.radiograph for film in films]}
    kinds["photographs"] = [film.photograph for film in films]
    kinds["without bones"] = [spoil(film, films, random, 1)[0] for film in films]
    kinds["blurred"] = [smooth(film.radiograph, 4.0) for film in films]
    completeness = {
        name: round(
            float(np.mean([keypoint_completeness(each.confidence) for each in find_all_keypoints(images, network)])), 3
        )
        for name, images in kinds.items()
    }
    return {
        "feet": len(films),
        "error_mm_median": round(float(np.median(errors)), 3),
        "error_mm_95th_percentile": round(float(np.percentile(errors, 95)), 3),
        "error_mm_by_point": {
            name: round(float(value), 2) for name, value in zip(KEYPOINTS, np.median(errors, 0), strict=True)
        },
        "hallux_valgus_mean_absolute_error_deg": round(float(np.abs(angles[:, 0]).mean()), 2),
        "intermetatarsal_mean_absolute_error_deg": round(float(np.abs(angles[:, 1]).mean()), 2),
        "keypoint_completeness": completeness,
        "calibration": calibration(network, films, seed + 1),
    }


@torch.inference_mode()
def calibration(network: KeypointNetwork, films: Sequence[Film], seed: int, batches: int = 12) -> dict[str, Any]:
    """How often points come true for each confidence, on true and spoiled films, and the mean distance of the two."""
    source, sure, right = FilmBatches(films, seed), [], []
    for step in range(batches):
        images, points, seen = source.batch(step)
        found, confidence = places(network(images))
        sure.append(confidence.flatten())
        right.append((((found - points).norm(dim=2) <= NEAR) & seen).flatten())
    said, true = torch.cat(sure).numpy(), torch.cat(right).numpy()
    place = (said * _BINS).astype(int).clip(0, _BINS - 1)
    rows, error = [], 0.0
    for number in range(_BINS):
        inside = place == number
        if inside.any():
            rows.append([round(float(said[inside].mean()), 3), round(float(true[inside].mean()), 3), int(inside.sum())])
            error += inside.mean() * abs(said[inside].mean() - true[inside].mean())
    return {"expected_calibration_error": round(float(error), 4), "said_true_points": rows}


def train_from_feet(
    feet: Path,
    validation: Path,
    output: Path,
    *,
    iterations: int,
    seed: int = 0,
    minutes: float | None = None,
    progress: bool = False,
) -> bool:
    """Read simulated feet, train, calibrate, write the weights and ``<output>.json`` with what they reach.

    A quarter of the validation feet calibrate the confidence; the others are judged by.

    Args:
        feet: folder of ``xray2mri simulate-feet``, training range.
        validation: likewise, validation range; four feet at least.
        output: file of the weights.
        iterations: steps.
        seed: of everything random.
        minutes: how long at most.
        progress: show a progress bar on stderr.

    Returns:
        Whether the run is complete; the weights are written only then.

    Raises:
        Xray2MRIError: feet of another range, another run's checkpoint, a file that cannot be written.
    """
    films, unseen = read_films(feet, "training"), read_films(validation, "validation")
    if len(unseen) < 4:
        raise UsageError(f"folder {validation.name}", "must hold four feet at least", str(len(unseen)))
    settings = {"feet": len(films)}
    training = make_training(films, iterations, seed, settings)
    if not training.run(output, minutes, progress=progress):
        return False
    factor = fit_sharpness(training.average, unseen[::4], seed + 1)
    save_state(training.average, output, half=True)
    others = [film for place, film in enumerate(unseen) if place % 4]
    judged = judge(training.average, others, seed + 2)
    record = {"iterations": iterations, **settings, "seed": seed, "sharpness": round(factor, 3), "judged": judged}
    write_whole(output.with_suffix(".json"), json.dumps(record, indent=2).encode() + b"\n")
    return True
