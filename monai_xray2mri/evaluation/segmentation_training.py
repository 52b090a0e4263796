"""Training of the joint segmenter and of the lesion detector's thresholds, on simulated knees.

``python -m monai_xray2mri.evaluation.segmentation_training --output DIR`` makes both again after a change of the
simulator: the network on training seeds, the thresholds on validation seeds. What it reaches on test seeds tells
:mod:`~monai_xray2mri.evaluation.lesion_report`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from monai_xray2mri.dicom.files import write_whole
from monai_xray2mri.evaluation.crop import COLUMNS, ROWS, SPACING_MM, joint_crop
from monai_xray2mri.evaluation.parts import Part, part_labels
from monai_xray2mri.evaluation.segmentation import WEIGHTS, JointSegmenter
from monai_xray2mri.simulation.knee import SimulatedKnee, simulate_knee
from monai_xray2mri.simulation.seeds import TRAINING, knee_generator, require_training_seed
from monai_xray2mri.simulation.truth import LESION_FEATURES

_WEIGHTS_OF_PARTS: Final = (0.5, 1.0, 1.0, 2.0, 4.0, 4.0, 5.0, 3.0)
_LEARNING_RATE: Final = 3e-3
_BATCH: Final = 8
_SLAB_SHARE: Final = 0.06


def half_of_the_lesions(seed: int) -> dict[str, int]:
    """Grades that give a knee each cyst, chondrocalcinosis and attrition with probability one half."""
    draws = torch.rand(len(LESION_FEATURES), generator=knee_generator(seed, "lesion detector")).tolist()
    return {stem: int(draw < 0.5) for stem, draw in zip(LESION_FEATURES, draws, strict=True)}


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
    slices: int = 10
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
        if random.random() < _SLAB_SHARE:
            return self._varied(*random_slabs(random))
        noisy, clean, parts = self.pairs[number]
        source = clean if random.random() < 0.3 else noisy
        rows = np.clip(np.arange(position - 1, position + 2), 0, len(source) - 1)
        shift = tuple(random.integers(-4, 5, 2).tolist())
        slices = np.roll(source[rows].astype(np.float32), shift, (1, 2))
        return self._varied(slices, np.roll(parts[position], shift, (0, 1)).astype(np.int64))

    def _varied(self, slices: np.ndarray, parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        random = self._random
        if random.random() < 0.3:
            kernel = np.exp(-0.5 * np.square(np.arange(-2, 3) / random.uniform(0.4, 0.9)))
            for axis in (1, 2):
                slices = _blurred(slices, kernel / kernel.sum(), axis)
        noise = random.uniform(0, 0.03) * random.standard_normal(slices.shape)
        return (random.uniform(0.85, 1.15) * slices + noise).astype(np.float32), parts


def _blurred(slices: np.ndarray, kernel: np.ndarray, axis: int) -> np.ndarray:
    reach = len(kernel) // 2
    return sum(w * np.roll(slices, shift, axis) for w, shift in zip(kernel, range(-reach, reach + 1), strict=True))  # type: ignore[return-value]


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
            loss.backward()  # type: ignore[no-untyped-call]
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
