"""How well small classifiers tell real radiographs of the knee from simulated ones.

``python -m monai_xray2mri.knee.realism.radiographs --real DIR --knees N [--sheet PNG]``

0.5 is a simulation that fools the classifier, 1 one that never does. Linear classifiers look at one family of
features each and so name what gives the simulation away; a small network looks at crops (texture) and at the whole
(outline). Every score is cross-validated: no knee is judged by a classifier that saw it, nor its participant's other
knee. Both kinds of images pass the same normalisation as the network's input.

The real crops to compare with are those that Chen et al. first released (Mendeley Data, doi 10.17632/56rmx5bjcr.1;
299 x 299 pixels, 8 bits). Their size in mm is not published. The femur fills 0.86 of their width and 0.77 of a region
of 110 mm around simulated knees, whose femora are as wide as people's are; they are therefore taken to be 95 mm wide at
the detector, and simulated knees are cut out so, 3 mm higher than a region, with the same Kellgren-Lawrence grades.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.realism.appearance import FAMILIES
from monai_xray2mri.radiograph.knee.region import normalize_region
from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.runtime.threads import one_thread
from monai_xray2mri.simulation.knee.knee import draw_patient_knee
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION, VALIDATION, knee_generator
from monai_xray2mri.simulation.knee.xray import radiography

FOLDS: Final = 5
REPEATS: Final = 4
_PUBLIC_MM: Final = 95.0
_PUBLIC_RAISED_MM: Final = 3.0
_BATCH: Final = 32
_BOOTSTRAPS: Final = 1000
_RIDGE: Final = 0.02

Scorer = Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]
"""Training data, their truth [N] (1 = simulated), test data and a seed to scores of the test data, high = simulated."""


@dataclass(frozen=True)
class Discrimination:
    """How well real and simulated are told apart.

    Attributes:
        auc: area under the ROC curve of cross-validated scores; 0.5 = not at all.
        low: lower end of its 95 % interval (bootstrap over participants).
        high: upper end.
    """

    auc: float
    low: float
    high: float


def load_real_regions(folder: Path) -> tuple[np.ndarray, list[str]]:
    """Read single-knee crops named ``<participant><R|L>.png`` (or .jpg) from a folder and those below it.

    Returns:
        Regions [N,256,256] in [-1,1] as right knees, and the participant of each.

    Raises:
        InputRefused: the folder holds no such file.
    """
    files = _crops(folder)
    if not files:
        raise InputRefused(
            f"folder {folder.name}", "must hold crops named <participant><R|L>.png", "none", "Give another --real."
        )
    regions = []
    for path in files:
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("L"), dtype=np.float32) / 255
        regions.append(normalize_region(pixels, mirrored=path.stem.endswith("L")))
    return np.stack(regions), [path.stem[:-1] for path in files]


def _crops(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.rglob("*") if path.suffix in (".png", ".jpg") and path.stem[-1:] in ("R", "L")
    )


def grades_of(folder: Path) -> list[int] | None:
    """Kellgren-Lawrence grades of the crops of :func:`load_real_regions` from the names of their folders (0 to 4).

    Returns:
        The grades in the same order, or None if a folder's name is no grade.
    """
    names = [path.parent.name for path in _crops(folder)]
    return [int(name) for name in names] if names and all(name in set("01234") for name in names) else None


def matched_seeds(grades: Sequence[int], count: int, seeds: Sequence[int] = VALIDATION) -> list[int]:
    """The first seeds whose knees have, together, the Kellgren-Lawrence grades in their shares.

    Args:
        grades: the grades that set the shares.
        count: how many seeds are wanted; rounding may make it a few more or fewer.
        seeds: where to look.
    """
    missing = {grade: round(count * grades.count(grade) / len(grades)) for grade in set(grades)}
    found = []
    for seed in seeds:
        if not any(missing.values()):
            break
        grade = draw_patient_knee(seed)[1].grade("XRKL")
        if missing.get(grade):
            missing[grade] -= 1
            found.append(seed)
    return found


@one_thread()
def simulated_regions(seeds: Sequence[int]) -> np.ndarray:
    """Regions [N,256,256] in [-1,1] of the simulated knees of the given seeds, cut out as the public crops are."""
    return np.stack([as_stored(public_crop(seed)) for seed in seeds])


def public_crop(seed: int) -> np.ndarray:
    """The film of a simulated knee, in the pose and exposure of its seed, as a crop of 95 mm: [299,299] in [0,1]."""
    shape, pathology = draw_patient_knee(seed)
    film = knee_generator(seed, "film")
    exposure, pose = radiography.draw_exposure(film), radiography.draw_pose(shape, film)
    region = radiography.draw_region(film)
    share = _PUBLIC_MM / radiography.REGION_MM
    detector = radiography.Detector(share * region.z + _PUBLIC_RAISED_MM, share * region.x, region.source)
    visible = replace(pathology, scale=0.5)
    total = radiography.attenuation(shape, visible, pose, detector, knee_generator(seed, "trabeculae"))
    reference = radiography.reference_attenuation(total)
    return np.asarray(radiography.exposed(total, exposure, reference, detector.pixel_mm, film))


def as_stored(radiograph: np.ndarray) -> np.ndarray:
    """Region [256,256] in [-1,1] of a radiograph [299,299] in [0,1] after the 8 bits of the public crops."""
    return normalize_region(np.round(radiograph * 255).astype(np.float32) / 255, mirrored=False)


@one_thread()
def compare(
    real: np.ndarray, people: Sequence[str], simulated: np.ndarray, networks: bool = True, seed: int = 0
) -> dict[str, Discrimination]:
    """How well each classifier tells real from simulated regions.

    Args:
        real: [N,256,256] in [-1,1].
        people: the participant of each real region; one participant's knees stay in one fold.
        simulated: [M,256,256] in [-1,1].
        networks: whether to train the networks too (two or three minutes).
        seed: of folds, training and bootstrap.

    Raises:
        InputRefused: fewer than two images of a kind per fold.
    """
    images = np.concatenate((real, simulated))
    truth = np.repeat((0.0, 1.0), (len(real), len(simulated)))
    groups = np.asarray([*people, *(f"simulated {i}" for i in range(len(simulated)))])
    if min(len(set(people)), len(simulated)) < 2 * FOLDS:
        raise InputRefused(
            "comparison of real and simulated", f"needs {2 * FOLDS} people and knees", f"{len(real)}, {len(simulated)}"
        )
    found = {}
    for name, family in FAMILIES.items():
        scores = cross_validated(family(images), truth, groups, logistic_scores, REPEATS, seed)
        found[name] = discrimination(scores, truth, groups, seed)
    if networks:
        for name, scorer in NETWORKS.items():
            scores = cross_validated(images, truth, groups, scorer, 1, seed)
            found[name] = discrimination(scores, truth, groups, seed)
    return found


def cross_validated(
    data: np.ndarray, truth: np.ndarray, groups: np.ndarray, scorer: Scorer, repeats: int, seed: int
) -> np.ndarray:
    """Mean over repeated partitions of the scores [N] that each datum gets from a classifier that never saw it.

    Args:
        data: [N,...].
        truth: [N] 0 or 1.
        groups: [N]; the data of a group stay in one of the five folds, and both classes are spread evenly.
        scorer: trains and scores.
        repeats: how many partitions.
        seed: of partitions and training.
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
    """Scores [T] of a ridge-penalised logistic regression on standardised features [N,F], classes weighted evenly."""
    del seed  # a convex problem: nothing is drawn
    mean, spread = data.mean(0), data.std(0) + 1e-6
    inputs, targets = torch.from_numpy((data - mean) / spread).double(), torch.from_numpy(truth).double()
    inputs = torch.cat((inputs, torch.ones_like(inputs[:, :1])), 1)  # [N,F+1]
    importance = torch.where(targets == 1, 0.5 / targets.mean(), 0.5 / (1 - targets.mean()))
    weights = torch.zeros(inputs.shape[1], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        fit = nn.functional.binary_cross_entropy_with_logits(inputs @ weights, targets, importance)
        value = fit + _RIDGE * weights[:-1].square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    return np.asarray(((test - mean) / spread) @ weights.detach().numpy()[:-1])


@dataclass(frozen=True)
class NetworkScorer:
    """A small convolutional network that sees crops, each standardised, and scores an image by the mean of nine.

    Attributes:
        crop: side of the crops in pixels.
        reduction: by how much images are reduced first.
        steps: of training, 32 crops each.
    """

    crop: int
    reduction: int = 1
    steps: int = 400

    def __call__(self, images: np.ndarray, truth: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
        """Train on images [N,H,W] with their truth [N] and return the scores [T] of others."""
        kept, judged = (
            nn.functional.avg_pool2d(torch.from_numpy(part)[:, None], self.reduction)[:, 0] for part in (images, test)
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = self._trained(kept, torch.from_numpy(truth))
        room = judged.shape[-1] - self.crop
        corners = [(row, column) for row in (0, room // 2, room) for column in (0, room // 2, room)]
        with torch.no_grad():
            views = [network((judged[:, None, r : r + self.crop, c : c + self.crop] + 1) / 2) for r, c in corners]
        return np.asarray(torch.stack(views).mean(0)[:, 0])

    def _trained(self, images: Tensor, truth: Tensor) -> nn.Module:
        network = _small_network()
        optimiser = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, self.steps)
        kinds = [torch.nonzero(truth == value).flatten() for value in (0, 1)]
        targets = torch.arange(_BATCH).remainder(2).float()
        for _ in range(self.steps):
            chosen = torch.stack([kind[torch.randint(len(kind), (_BATCH // 2,))] for kind in kinds], 1).flatten()
            logits = network(_varied(_random_crops(images[chosen], self.crop)))[:, 0]
            optimiser.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(logits, targets).backward()
            optimiser.step()
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


def _varied(crops: Tensor) -> Tensor:
    """Look-up table bent by an exponent of 0.7 to 1.4; level and contrast the network itself takes away."""
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
    """Share of pairs (truth 0, truth 1) in which the second scores higher, ties half (Mann-Whitney)."""
    below, above = np.sort(scores[truth == 0]), scores[truth == 1]
    wins = np.searchsorted(below, above, "left").sum() + np.searchsorted(below, above, "right").sum()
    return float(wins / (2 * len(below) * len(above)))


def side_by_side(real: np.ndarray, simulated: np.ndarray, columns: int = 6, rows: int = 4) -> np.ndarray:
    """Sheet [H,W] uint8 of regions, rows of real and of simulated ones in turn, beginning with real."""
    size = real.shape[-1]
    sheet = np.zeros((rows * (size + 4), columns * (size + 4)), np.uint8)
    for row in range(rows):
        source = (real, simulated)[row % 2]
        step = max(len(source) // (columns * rows // 2), 1)
        for column in range(columns):
            region = source[(row // 2 * columns + column) * step % len(source)]
            top, left = row * (size + 4), column * (size + 4)
            sheet[top : top + size, left : left + size] = np.round((region + 1) * 127.5)
    return sheet


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the scores as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--real", type=Path, required=True, help="folder of real crops <participant><R|L>.png")
    parser.add_argument("--knees", type=int, default=142, help="simulated knees of the validation range")
    parser.add_argument("--linear-only", action="store_true", help="without the networks")
    parser.add_argument("--sheet", type=Path, help="PNG of real and simulated regions, row by row")
    options = parser.parse_args(arguments)
    real, people = load_real_regions(options.real)
    grades = grades_of(options.real)
    seeds = VALIDATION[: options.knees] if grades is None else matched_seeds(grades, options.knees)
    simulated = simulated_regions(seeds)
    if options.sheet:
        write_whole(options.sheet, _png(side_by_side(real, simulated)))
    found = compare(real, people, simulated, networks=not options.linear_only)
    settings = {"simulator": SIMULATOR_VERSION, "real": len(real), "simulated": len(simulated)}
    print(json.dumps(settings | _rounded(found), indent=2))


def _rounded(found: Mapping[str, Discrimination]) -> dict[str, dict[str, float]]:
    return {name: {key: round(value, 3) for key, value in vars(one).items()} for name, one in found.items()}


def _png(sheet: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "png")
    return buffer.getvalue()


if __name__ == "__main__":
    main()
