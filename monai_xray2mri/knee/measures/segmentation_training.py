"""Training of the joint segmenter on simulated knees.

``python -m monai_xray2mri.knee.measures.segmentation_training`` makes the network again after a change of the simulator
(``--continue`` starts from the shipped one); then
``python -m monai_xray2mri.knee.measures.lesion_report --choose-thresholds`` sets the lesion detector's thresholds.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from monai_xray2mri.knee.measures.crop import COLUMNS, ROWS, SPACING_MM, joint_crop
from monai_xray2mri.knee.measures.parts import Part, part_labels
from monai_xray2mri.knee.measures.segmentation import WEIGHTS, JointSegmenter, shipped_segmenter
from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.simulation.knee.knee import SimulatedKnee, simulate_knee
from monai_xray2mri.simulation.knee.people.seeds import (
    SIMULATOR_VERSION,
    TRAINING,
    knee_generator,
    require_training_seed,
)

_WEIGHTS_OF_PARTS: Final = (0.5, 1.0, 1.0, 2.0, 4.0, 4.0, 5.0, 3.0)
_LEARNING_RATE: Final = 3e-3
_BATCH: Final = 8
_SLAB_SHARE: Final = 0.08
_MEAN_SHARE: Final = 0.08
_WITHOUT_LESIONS: Final = np.array(
    [Part.OTHER, Part.FEMUR, Part.TIBIA, Part.CARTILAGE, Part.FEMUR, Part.TIBIA, Part.CARTILAGE, Part.OTHER]
)
"""The part that a lesion stands in for."""
_LARGEST_BLUR: Final = 1.6
_LARGEST_SHIFT: Final = 4
"""Pixels by which a slice is moved up, down or aside."""


def training_grades(seed: int) -> dict[str, int]:
    """Grades that give a knee each lesion with probability one half, and every grade of narrowing often enough."""
    generator = knee_generator(seed, "joint segmenter")
    lesions = torch.rand(len(LESION_FEATURES), generator=generator).tolist()
    narrowing = torch.randint(0, 5, (2,), generator=generator).tolist()
    grades = {stem: int(draw < 0.5) for stem, draw in zip(LESION_FEATURES, lesions, strict=True)}
    return grades | {f"XRJS{side}": max(0, draw - 1) for side, draw in zip("ML", narrowing, strict=True)}


def training_pair(knee: SimulatedKnee) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Crops [S,H,W] of the acquired volume, the noise-free one, and their parts, with room for shifts."""
    volume, clean = (joint_crop(each, knee.affine).values for each in (knee.volume, knee.noise_free))
    labels, lesions = (joint_crop(each, knee.affine).values for each in (knee.labels, knee.lesions))
    return volume.astype(np.float16), clean.astype(np.float16), part_labels(labels, lesions)


@dataclass
class Batches:
    """Random slices of training pairs, varied as generated volumes vary; the same for the same seed.

    Attributes:
        pairs: of :func:`training_pair`.
        slices: how many of each knee an epoch has.
        seed: of the order and of all variation.
    """

    pairs: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]
    slices: int = 12
    seed: int = 0

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)

    def __len__(self) -> int:
        """Batches of an epoch."""
        return -(-len(self.pairs) * self.slices // _BATCH)

    def epoch(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Random slices of every knee: [B,3,H,W] float32 and [B,H,W] int64."""
        places = [
            (number, int(s))
            for number, pair in enumerate(self.pairs)
            for s in self._random.integers(0, len(pair[2]), self.slices)
        ]
        self._random.shuffle(places)
        for start in range(0, len(places), _BATCH):
            items = [self._item(*place) for place in places[start : start + _BATCH]]
            slices, parts = (np.stack(each) for each in zip(*items, strict=True))
            yield torch.from_numpy(slices), torch.from_numpy(parts)

    def _item(self, number: int, position: int) -> tuple[np.ndarray, np.ndarray]:
        random = self._random
        drawn = random.random()
        if drawn < _SLAB_SHARE:
            return self._varied(*random_slabs(random))
        if drawn < _SLAB_SHARE + _MEAN_SHARE:
            return self._varied(*self._mean_of_knees(position))
        noisy, clean, parts = self.pairs[number]
        source = clean if random.random() < 0.3 else noisy
        shift = random.integers(0, 2 * _LARGEST_SHIFT + 1, 2)
        slices = _shifted(_three(source, position), shift)
        return self._varied(slices, _shifted(parts[position : position + 1], shift)[0].astype(np.int64))

    def _mean_of_knees(self, position: int) -> tuple[np.ndarray, np.ndarray]:
        """Average of several knees: its double contours are no lesions (the mean slice, predictions in one step)."""
        number = self._random.integers(3, 13)
        chosen = [self.pairs[place] for place in self._random.integers(0, len(self.pairs), number)]
        rows = [min(position, len(parts) - 1) for _, _, parts in chosen]
        slices = [_three(noisy, row) for (noisy, _, _), row in zip(chosen, rows, strict=True)]
        plain = [_WITHOUT_LESIONS[parts[row]] for (_, _, parts), row in zip(chosen, rows, strict=True)]
        votes = np.stack([np.equal(plain, part).sum(axis=0) for part in range(Part.CARTILAGE + 1)])
        return np.mean(slices, axis=0), votes.argmax(axis=0)

    def _varied(self, slices: np.ndarray, parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        random = self._random
        if random.random() < 0.4:
            kernel = np.exp(-0.5 * np.square(np.arange(-4, 5) / random.uniform(0.4, _LARGEST_BLUR)))
            for axis in (1, 2):
                slices = _blurred(slices, kernel / kernel.sum(), axis)
        noise = random.uniform(0, 0.03) * random.standard_normal(slices.shape)
        return (random.uniform(0.85, 1.15) * slices + noise).astype(np.float32), parts


def _three(volume: np.ndarray, position: int) -> np.ndarray:
    """A slice with both its neighbours: [3,H,W] float32."""
    rows = np.clip(np.arange(position - 1, position + 2), 0, len(volume) - 1)
    return np.asarray(volume[rows], np.float32)


def _shifted(slices: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """[S,H,W] moved by ``shift`` less the largest shift, rows and columns; what the border held goes on."""
    rows, columns = slices.shape[1:]
    reach = (_LARGEST_SHIFT, _LARGEST_SHIFT)
    padded = np.pad(slices, ((0, 0), reach, reach), mode="edge")
    return padded[:, shift[0] : shift[0] + rows, shift[1] : shift[1] + columns]


def _blurred(slices: np.ndarray, kernel: np.ndarray, axis: int) -> np.ndarray:
    reach = len(kernel) // 2
    return sum(w * np.roll(slices, shift, axis) for w, shift in zip(kernel, range(-reach, reach + 1), strict=True))


def random_slabs(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two slabs of bone with cartilage between: [3,64,128] and the parts of the middle slice [64,128].

    They keep the network from learning where in the picture a knee's joint line usually runs.
    """
    across, along = np.tan(np.radians(random.uniform(-10, 10, 2)))
    width, level = random.uniform(0, 8), random.uniform(-5, 5)
    x = SPACING_MM[2] * (np.arange(COLUMNS) - COLUMNS / 2)
    z = -SPACING_MM[1] * (np.arange(ROWS) - ROWS / 2)
    y = random.uniform(-20, 20) + SPACING_MM[0] * np.arange(-1, 2)
    height = z[None, :, None] - level - across * x - along * y[:, None, None]
    height /= np.sqrt(1 + across**2 + along**2)
    marrow, cartilage = random.uniform(0.15, 0.35), random.uniform(0.65, 0.95)
    gap = _edge(height + width / 2) - _edge(height - width / 2)
    bone = np.abs(height) - width / 2
    texture = 1 + 0.1 * _blurred(random.standard_normal((3, ROWS, COLUMNS)), np.full(5, 0.3), 2)
    slices = cartilage * gap + marrow * texture * _edge(bone - 1.1)
    parts = np.where(bone[1] < 0, Part.CARTILAGE, np.where(height[1] > 0, Part.FEMUR, Part.TIBIA))
    return slices, parts.astype(np.int64)


def _edge(distance: np.ndarray) -> np.ndarray:
    """0 to 1 over about a voxel."""
    return 0.5 * (1 + np.tanh(distance / 0.38))


def fit(network: JointSegmenter, batches: Batches, epochs: int) -> list[float]:
    """Train in place (AdamW, one cosine over all epochs, cross-entropy plus soft Dice); the mean loss of each epoch."""
    optimiser = torch.optim.AdamW(network.parameters(), _LEARNING_RATE, weight_decay=1e-4)
    steps = epochs * len(batches)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _LEARNING_RATE, total_steps=steps, pct_start=0.1)
    network.train()
    means = []
    for number in range(epochs):
        losses = []
        bar = tqdm(batches.epoch(), f"epoch {number + 1}", disable=not sys.stderr.isatty())
        for slices, parts in bar:
            optimiser.zero_grad()
            loss = _loss(network(slices), parts)
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
        means.append(float(np.mean(losses)))
    network.eval()
    return means


def _loss(logits: Tensor, parts: Tensor) -> Tensor:
    entropy = nn.functional.cross_entropy(logits, parts, torch.tensor(_WEIGHTS_OF_PARTS))
    probability = logits.softmax(1).transpose(0, 1).flatten(1)  # [8,N]
    true = nn.functional.one_hot(parts, len(Part)).movedim(-1, 0).flatten(1).float()
    dice = (2 * (probability * true).sum(1) + 1) / (probability.sum(1) + true.sum(1) + 1)
    return entropy + 0.5 * (1 - dice[1:].mean())


def simulated_pair(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """:func:`training_pair` of a training knee with :func:`training_grades`.

    Raises:
        InputRefused: the seed is not of the training range.
    """
    return training_pair(simulate_knee(require_training_seed(seed), grades=training_grades(seed)))


def weights_as_bytes(network: JointSegmenter) -> bytes:
    """The network's state dict in half precision, as the package ships it."""
    buffer = BytesIO()
    torch.save({name: value.half() for name, value in network.state_dict().items()}, buffer)
    return buffer.getvalue()


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate, train, write the weights."""
    parser = argparse.ArgumentParser(
        prog="python -m monai_xray2mri.knee.measures.segmentation_training", description=__doc__
    )
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder for the weights")
    parser.add_argument("--knees", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--slices", type=int, default=12, help="of each knee in an epoch")
    parser.add_argument("--workers", type=int, default=1, help="processes that simulate")
    parser.add_argument("--continue", dest="resume", action="store_true", help="start from the shipped weights")
    options = parser.parse_args(arguments)
    seeds = TRAINING[-options.knees :]  # the far end: models are trained from the near one
    with multiprocessing.get_context("spawn").Pool(options.workers) as pool:
        bar = tqdm(pool.imap(simulated_pair, seeds), "knees", len(seeds), disable=not sys.stderr.isatty())
        pairs = list(bar)
    torch.manual_seed(0)
    network = JointSegmenter()
    if options.resume:
        network.load_state_dict(shipped_segmenter().state_dict())
    losses = fit(network, Batches(pairs, options.slices), options.epochs)
    write_whole(options.output / WEIGHTS, weights_as_bytes(network))
    sys.stdout.write(json.dumps({"simulator": SIMULATOR_VERSION, "knees": len(pairs), "losses": losses}) + "\n")


if __name__ == "__main__":
    main()
