"""Training of the network that looks for metal (:mod:`monai_xray2mri.knee.detection.networks.metal_map`).

``xray2mri train-part metal --real ENHANCED --real RAW --output metal.pt`` trains it on public crops, half of them with
drawn metal; and writes the weights and ``metal.json`` with the shares of natural crops of the validation split, and of
such with drawn metal, in which it sees metal.
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

from monai_xray2mri.knee.detection.metal import LARGEST_METAL
from monai_xray2mri.knee.detection.networks.koa_classifier import GRADES
from monai_xray2mri.knee.detection.networks.metal_map import (
    METAL_MM,
    METAL_SIZE,
    MetalMap,
    metal_view,
    normalized,
    region_logit,
)
from monai_xray2mri.knee.detection.training.crops import GradedCrops, load_public_crops, public_crop_files
from monai_xray2mri.knee.detection.training.drawn_metal import KINDS, draw_marker, draw_metal
from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.training.small_networks import Recipe, SmallTraining
from monai_xray2mri.training.weights import write_saved

MetalBatch = tuple[Tensor, Tensor]
"""Views [2N,1,96,96], natural knees first, and the share of each of their cells that is metal [2N,1,48,48]."""
DRAWN: Final = 200
"""Crops that metal of each kind is drawn onto, to judge by."""
_KNEES: Final = 16
_IMPLANTS: Final = 4
"""Views with real metal, among those with metal."""
_MARKED: Final = 0.15
"""Share of the views with a lead letter beside the knee."""
_SEVERE: Final = 0.35
"""Share of the natural knees of grade 3 or 4: dense bone beneath a worn joint is what is most like metal."""
_CLEAR, _COVERED = 0.02, 0.3
"""Shares of a cell up to which it counts as free of metal, and from which on as metal; in between it does not count."""


WITH_METAL: Final = frozenset(
    (
        "9008322L", "9070442L", "9082901L", "9160026L", "9170536L", "9176086R", "9234555R", "9288911R",
        "9289216L", "9293216L", "9366809R", "9391061L", "9408506R", "9425032L", "9425996L", "9454100L",
        "9528258L", "9529676R", "9531528L", "9547360L", "9548815L", "9574236R", "9575435R", "9614429L",
        "9645958L", "9676996R", "9715626L", "9718881R", "9725279R", "9827057R", "9857800L", "9862741R",
        "9877295L", "9879069L", "9930679R",
    )
)  # fmt: skip
"""Knees of the public training split with screws, plates, staples or wires. A first network, trained with drawn metal
alone, gave them more than other knees; each was looked at."""


class MetalPictures:
    """What the network is shown.

    Args:
        real: public crops of natural knees in right-knee space with their grades.
        implants: such crops with metal; there may be none.
        seed: of everything random.
    """

    def __init__(self, real: GradedCrops, implants: np.ndarray, seed: int = 0) -> None:
        self.real, self.implants, self.seed = real, implants, seed
        self._severe = np.flatnonzero(real.grades >= 3)
        self._random = np.random.default_rng(seed)

    def counts(self) -> dict[str, int]:
        """How many crops there are of either kind."""
        return {"natural crops": len(self.real), "crops with metal": len(self.implants)}

    def batch(self, step: int) -> MetalBatch:
        """What a step sees, the same whenever it is asked for."""
        self._random = np.random.default_rng([self.seed, step])
        shown = [self._knee(metal=number >= _KNEES) for number in range(2 * _KNEES)]
        if len(self.implants):
            shown[-_IMPLANTS:] = [self._implant() for _ in range(_IMPLANTS)]
        views, shares = self._turned(torch.from_numpy(np.stack(shown))).split(1, 1)
        return self._presented(views), F.avg_pool2d(shares, 2)

    def _knee(self, *, metal: bool) -> np.ndarray:
        """A crop and the share of metal in its pixels, [2,160,160]."""
        random = self._random
        severe = len(self._severe) and random.random() < _SEVERE
        number = int(random.choice(self._severe)) if severe else int(random.integers(len(self.real)))
        crop = self.real.images[number].astype(np.float32) / 127.5 - 1
        crop = crop if random.random() < 0.5 else np.ascontiguousarray(crop[:, ::-1])
        crop = draw_marker(crop, random) if random.random() < _MARKED else crop
        return np.stack(draw_metal(crop, random) if metal else (crop, np.zeros_like(crop)))

    def _implant(self) -> np.ndarray:
        """A crop with real metal, [2,160,160]; nobody has drawn where, so that no cell of it counts."""
        crop = self.implants[int(self._random.integers(len(self.implants)))].astype(np.float32) / 127.5 - 1
        crop = crop if self._random.random() < 0.5 else np.ascontiguousarray(crop[:, ::-1])
        return np.stack([crop, np.full_like(crop, (_CLEAR + _COVERED) / 2)])

    def _turned(self, pairs: Tensor) -> Tensor:
        """Parts of crops and shares [B,2,160,160], turned a little: [B,2,96,96]; a border of the crop is repeated."""
        random, count = self._random, len(pairs)
        angle = torch.from_numpy(np.deg2rad(random.uniform(-8, 8, count))).float()
        scale = torch.from_numpy(random.uniform(0.8, 1.1, count)).float()
        shift = torch.from_numpy(random.uniform(-0.12, 0.12, (2, count))).float()
        rows = [
            torch.stack([scale * angle.cos(), -scale * angle.sin(), shift[0]], 1),
            torch.stack([scale * angle.sin(), scale * angle.cos(), shift[1]], 1),
        ]
        grid = F.affine_grid(torch.stack(rows, 1), [count, 1, METAL_SIZE, METAL_SIZE], align_corners=False)
        return F.grid_sample(pairs, grid, padding_mode="border", align_corners=False)

    def _presented(self, views: Tensor) -> Tensor:
        """Vary exposure, gamma, haze, sharpness, noise and collimation: [B,1,96,96] in [-1,1]."""
        random, count = self._random, len(views)

        def draw(numbers: np.ndarray) -> Tensor:
            return torch.from_numpy(numbers).float()[:, None, None, None]

        image = ((views + 1) / 2).clamp(0, 1)
        image = image ** draw(random.normal(0, 0.35, count)).exp()
        image = (image * (1 + draw(random.uniform(0, 0.6, count) * (random.random(count) < 0.3)))).clamp(max=1)
        ramp = torch.linspace(-1, 1, views.shape[-1])
        image = image + draw(random.normal(0, 0.1, count)) * ramp + draw(random.normal(0, 0.1, count)) * ramp[:, None]
        smooth = F.avg_pool2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), 3, 1)
        image = image + draw(random.uniform(-0.9, 1.2, count)) * (image - smooth)
        noise = torch.from_numpy(random.standard_normal(tuple(views.shape))).float()
        image = image + draw(random.uniform(0, 0.04, count)) * noise
        for number in np.flatnonzero(random.random(count) < 0.2):
            edge = int(random.integers(2, 14))
            image[number].rot90(int(random.integers(4)), (1, 2))[:, :edge] = image[number].min()
        return normalized(image)


def make_training(
    pictures: MetalPictures, iterations: int = 1000, seed: int = 0
) -> SmallTraining[MetalMap, MetalBatch]:
    """The training of the shipped network."""
    recipe = Recipe(iterations, learning_rate=4e-3, weight_decay=1e-3, averaging=0.98, largest_gradient=5.0, seed=seed)
    return SmallTraining(MetalMap, pictures.batch, _loss_of_batch, recipe, pictures.counts())


def _loss_of_batch(network: MetalMap, batch: MetalBatch) -> Tensor:
    """Cross-entropy of cells, and of regions: in a natural knee no cell may stand out."""
    views, shares = batch
    cells = network(views)
    counts = (shares <= _CLEAR) | (shares >= _COVERED)
    of_cells = F.binary_cross_entropy_with_logits(cells[counts], (shares[counts] >= _COVERED).float())
    has_metal = (torch.arange(len(views)) >= len(views) // 2).float()
    return of_cells + F.binary_cross_entropy_with_logits(region_logit(cells), has_metal)


@torch.inference_mode()
def metal_probabilities(network: MetalMap, crops: np.ndarray) -> np.ndarray:
    """Probabilities [N] that there is metal in crops [N,h,h] uint8, 95 mm wide."""
    parts = torch.from_numpy(crops.astype(np.float32))[:, None].split(64)
    found: np.ndarray = (
        torch.cat([region_logit(network(metal_view(part, METAL_MM))) for part in parts]).sigmoid().numpy()
    )
    return found


def metal_in_sets(network: MetalMap, folders: Sequence[Path], seed: int) -> dict[str, dict[str, float]]:
    """Shares of natural crops of the validation split, and of such with drawn metal, in which metal is seen."""
    random, found = np.random.default_rng(seed), dict[str, dict[str, float]]()
    for number, folder in enumerate(folders, 1):
        crops = load_public_crops(folder / "val")
        found[f"validation {number}"] = _found(network, crops.images)
        if severe := crops.select(crops.grades == GRADES - 1):
            found[f"validation {number}, grade 4"] = _found(network, severe.images)
    knees = crops.images[:DRAWN].astype(np.float32) / 127.5 - 1
    for kind in KINDS:
        drawn = np.stack([draw_metal(knee, random, kind)[0] for knee in knees])
        found[f"drawn: {kind}"] = _found(network, np.rint((drawn + 1) * 127.5).astype(np.uint8))
    return found


def _found(network: MetalMap, crops: np.ndarray) -> dict[str, float]:
    share = float((metal_probabilities(network, crops) > LARGEST_METAL).mean())
    return {"crops": len(crops), "with metal": round(share, 4)}


def train_from_folders(
    real: Sequence[Path],
    output: Path,
    *,
    iterations: int = 1000,
    seed: int = 0,
    minutes: float | None = None,
    progress: bool = False,
) -> bool:
    """Read what is learned from, train, write the weights and ``<output>.json`` with what they reach.

    Args:
        real: folders of public crops, enhanced and not, each with the folders ``train`` and ``val``.
        output: file of the weights.
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
    crops, names = sum(more, first), [path.stem for folder in real for path in public_crop_files(folder / "train")]
    implants = np.isin(names, list(WITH_METAL))
    pictures = MetalPictures(crops.select(~implants), crops.images[implants], seed)
    training = make_training(pictures, iterations, seed)
    if not training.run(output, minutes, progress=progress):
        return False
    write_saved({name: value.half() for name, value in training.average.state_dict().items()}, output)
    judged = metal_in_sets(training.average, real, seed)
    record = {"iterations": iterations, **pictures.counts(), "seed": seed, "judged": judged}
    write_whole(output.with_suffix(".json"), json.dumps(record, indent=2).encode() + b"\n")
    return True
