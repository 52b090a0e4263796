"""Training of the joint segmenter on simulated knees.

``xray2mri train-part segmenter --output FILE`` trains the network again after a change of the simulator; with
``--continue`` it starts from the shipped weights. The new weights replace ``joint_segmenter.pt`` next to this module by
a copy. After that, ``xray2mri measure lesions --choose-thresholds N`` chooses the thresholds of the lesion reading.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from monai_xray2mri.knee.measures.crop import COLUMNS, HALF_DEPTH_MM, ROWS, SPACING_MM, axes_mm, joint_crop
from monai_xray2mri.knee.measures.parts import Part, part_labels
from monai_xray2mri.knee.measures.segmentation import JointSegmenter, shipped_segmenter
from monai_xray2mri.runtime.files import require_free
from monai_xray2mri.runtime.workers import Runner
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.simulation.knee.knee import SimulatedKnee
from monai_xray2mri.simulation.knee.mri.mr import MATRIX, SLICES
from monai_xray2mri.simulation.knee.patient import Patient, ScannedSlices
from monai_xray2mri.simulation.knee.people.seeds import (
    SIMULATOR_VERSION,
    TRAINING,
    knee_generator,
    require_training_seed,
)
from monai_xray2mri.training.small_networks import Recipe, SmallTraining
from monai_xray2mri.training.weights import save_state

TrainingPair = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Crops [S,H,W] of the acquired volume and of the noise-free one, and parts [S,H,W]."""

_WEIGHTS_OF_PARTS: Final = (0.5, 1.0, 1.0, 2.0, 4.0, 4.0, 5.0, 3.0)
_BATCH: Final = 8
_SLAB_SHARE: Final = 0.08
_MEAN_SHARE: Final = 0.08
_WITHOUT_LESIONS: Final = np.array(
    [Part.OTHER, Part.FEMUR, Part.TIBIA, Part.CARTILAGE, Part.FEMUR, Part.TIBIA, Part.CARTILAGE, Part.OTHER]
)
"""The part that each part replaces: for a lesion the tissue in which it lies, for a tissue the tissue itself."""
_LARGEST_BLUR: Final = 1.6
_LARGEST_SHIFT: Final = 4
"""Largest shift of a slice in pixels, in each direction."""


def training_grades(seed: int) -> dict[str, int]:
    """Grades with each lesion at probability one half, and with every grade of narrowing frequent enough."""
    generator = knee_generator(seed, "joint segmenter")
    lesions = torch.rand(len(LESION_FEATURES), generator=generator).tolist()
    narrowing = torch.randint(0, 5, (2,), generator=generator).tolist()
    grades = {stem: int(draw < 0.5) for stem, draw in zip(LESION_FEATURES, lesions, strict=True)}
    return grades | {f"XRJS{side}": max(0, draw - 1) for side, draw in zip("ML", narrowing, strict=True)}


def training_pair(made: SimulatedKnee | ScannedSlices, affine: np.ndarray) -> TrainingPair:
    """The crops of simulated slices, with a margin for shifts.

    Args:
        made: the slices; all that lie near the joint must be among them.
        affine: [4,4], maps (column, row, slice) of them to LPS mm.
    """
    arrays = (np.asarray(each) for each in (made.volume, made.noise_free, made.labels, made.lesions))
    volume, clean, labels, lesions = (joint_crop(each, affine).values for each in arrays)
    return volume.astype(np.float16), clean.astype(np.float16), part_labels(labels, lesions)


@dataclass
class Batches:
    """Random slices of training pairs with random changes that resemble those of generated volumes.

    A batch depends only on seed and step.

    Attributes:
        pairs: results of :func:`training_pair`.
        slices: number of slices of each knee in an epoch.
        seed: seed of all random numbers.
    """

    pairs: Sequence[TrainingPair]
    slices: int = 12
    seed: int = 0

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)

    def __len__(self) -> int:
        """Steps of an epoch."""
        return -(-len(self.pairs) * self.slices // _BATCH)

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Slices with their neighbors [B,3,H,W] float32 and parts [B,H,W] int64."""
        self._random = np.random.default_rng([self.seed, step])
        numbers = self._random.integers(0, len(self.pairs), _BATCH).tolist()
        items = [self._item(n, int(self._random.integers(0, len(self.pairs[n][2])))) for n in numbers]
        slices, parts = (np.stack(each) for each in zip(*items, strict=True))
        return torch.from_numpy(slices), torch.from_numpy(parts)

    def _item(self, number: int, position: int) -> tuple[np.ndarray, np.ndarray]:
        random = self._random
        drawn = random.random()
        if drawn < _SLAB_SHARE:
            return self._vary(*random_slabs(random))
        if drawn < _SLAB_SHARE + _MEAN_SHARE:
            return self._vary(*self._mean_of_knees(position))
        noisy, clean, parts = self.pairs[number]
        source = clean if random.random() < 0.3 else noisy
        shift = random.integers(0, 2 * _LARGEST_SHIFT + 1, 2)
        slices = _shift(_three(source, position), shift)
        return self._vary(slices, _shift(parts[position : position + 1], shift)[0].astype(np.int64))

    def _mean_of_knees(self, position: int) -> tuple[np.ndarray, np.ndarray]:
        """Average of several knees, without lesions: the network must not take the double contours for lesions.

        The evaluation also measures mean slices.
        """
        number = self._random.integers(3, 13)
        chosen = [self.pairs[place] for place in self._random.integers(0, len(self.pairs), number)]
        rows = [min(position, len(parts) - 1) for _, _, parts in chosen]
        slices = [_three(noisy, row) for (noisy, _, _), row in zip(chosen, rows, strict=True)]
        plain = [_WITHOUT_LESIONS[parts[row]] for (_, _, parts), row in zip(chosen, rows, strict=True)]
        votes = np.stack([np.equal(plain, part).sum(axis=0) for part in range(Part.CARTILAGE + 1)])
        return np.mean(slices, axis=0), votes.argmax(axis=0)

    def _vary(self, slices: np.ndarray, parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        random = self._random
        if random.random() < 0.4:
            kernel = np.exp(-0.5 * np.square(np.arange(-4, 5) / random.uniform(0.4, _LARGEST_BLUR)))
            for axis in (1, 2):
                slices = _blur(slices, kernel / kernel.sum(), axis)
        noise = random.uniform(0, 0.03) * random.standard_normal(slices.shape)
        return (random.uniform(0.85, 1.15) * slices + noise).astype(np.float32), parts


def _three(volume: np.ndarray, position: int) -> np.ndarray:
    """A slice with both its neighbors: [3,H,W] float32."""
    rows = np.clip(np.arange(position - 1, position + 2), 0, len(volume) - 1)
    return np.asarray(volume[rows], np.float32)


def _shift(slices: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """[S,H,W] moved in rows and columns by ``shift`` minus the largest shift; the border is repeated."""
    rows, columns = slices.shape[1:]
    reach = (_LARGEST_SHIFT, _LARGEST_SHIFT)
    padded = np.pad(slices, ((0, 0), reach, reach), mode="edge")
    return padded[:, shift[0] : shift[0] + rows, shift[1] : shift[1] + columns]


def _blur(slices: np.ndarray, kernel: np.ndarray, axis: int) -> np.ndarray:
    reach = len(kernel) // 2
    return sum(w * np.roll(slices, shift, axis) for w, shift in zip(kernel, range(-reach, reach + 1), strict=True))


def random_slabs(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two slabs of bone with cartilage between them: [3,64,128], and the parts of the middle slice [64,128].

    With them the network does not learn the usual position of the joint line in the crop.
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
    texture = 1 + 0.1 * _blur(random.standard_normal((3, ROWS, COLUMNS)), np.full(5, 0.3), 2)
    slices = cartilage * gap + marrow * texture * _edge(bone - 1.1)
    parts = np.where(bone[1] < 0, Part.CARTILAGE, np.where(height[1] > 0, Part.FEMUR, Part.TIBIA))
    return slices, parts.astype(np.int64)


def _edge(distance: np.ndarray) -> np.ndarray:
    """Smooth step from 0 to 1 over about one voxel."""
    return 0.5 * (1 + np.tanh(distance / 0.38))


def make_training(
    batches: Batches, epochs: int = 10, make: Callable[[], JointSegmenter] = JointSegmenter, seed: int = 0
) -> SmallTraining[JointSegmenter, tuple[Tensor, Tensor]]:
    """The training of the shipped segmenter with cross-entropy plus soft Dice; one interval is one epoch.

    Args:
        batches: batches of the training.
        epochs: number of passes over them.
        make: makes the network at the start.
        seed: seed of the start.
    """
    recipe = Recipe(epochs * len(batches), learning_rate=3e-3, interval=len(batches), seed=seed)
    settings = {
        "simulator": SIMULATOR_VERSION,
        "knees": len(batches.pairs),
        "slices": batches.slices,
        "start": make.__name__,
    }
    return SmallTraining(make, batches, _loss_of_batch, recipe, settings)


def _loss_of_batch(network: JointSegmenter, batch: tuple[Tensor, Tensor]) -> Tensor:
    slices, parts = batch
    return _loss(network(slices), parts)


def _loss(logits: Tensor, parts: Tensor) -> Tensor:
    entropy = nn.functional.cross_entropy(logits, parts, torch.tensor(_WEIGHTS_OF_PARTS))
    probability = logits.softmax(1).transpose(0, 1).flatten(1)  # [8,N]
    true = nn.functional.one_hot(parts, len(Part)).movedim(-1, 0).flatten(1).float()
    dice = (2 * (probability * true).sum(1) + 1) / (probability.sum(1) + true.sum(1) + 1)
    return entropy + 0.5 * (1 - dice[1:].mean())


def simulate_pair(seed: int) -> TrainingPair:
    """:func:`training_pair` of a training knee with :func:`training_grades`.

    Raises:
        InputRefused: the seed is not of the training range.
    """
    scan = Patient.draw(require_training_seed(seed), training_grades(seed)).scan()
    affine = scan.placement.affine
    _, y, _ = axes_mm((SLICES, MATRIX, MATRIX), affine)
    numbers = np.flatnonzero(np.abs(y) <= HALF_DEPTH_MM).tolist()
    affine[:3, 3] += numbers[0] * affine[:3, 2]
    return training_pair(scan.slices(numbers), affine)


def train_on_simulated_knees(
    output: Path,
    knees: int = 200,
    epochs: int = 10,
    slices: int = 12,
    *,
    run: Runner,
    from_shipped: bool = False,
    minutes: float | None = None,
    progress: bool = False,
) -> dict[str, Any]:
    """Simulate knees, train, and write the weights.

    Args:
        output: file of the weights; checkpoint and log are written beside it.
        knees: number of knees, from the end of the training range; synthesis networks are trained from its start.
        epochs: number of passes over them.
        slices: number of slices of each knee in an epoch.
        run: applies a function to each of many tasks, in one or several processes.
        from_shipped: whether to start from the shipped weights.
        minutes: limit of the training time; None for no limit.
        progress: whether to show a progress bar on stderr.

    Returns:
        The record of the training, ready for JSON.

    Raises:
        Xray2MRIError: the checkpoint belongs to another run, or a file cannot be written.
    """
    require_free(output.parent, ())  # before the long simulation
    pairs = list(run(simulate_pair, TRAINING[-knees:]))
    training = make_training(Batches(pairs, slices), epochs, copy_of_shipped if from_shipped else JointSegmenter)
    complete = training.run(output, minutes, progress=progress)
    if complete:
        save_state(training.average, output, half=True)
    return {"simulator": SIMULATOR_VERSION, "knees": len(pairs), "losses": training.losses, "complete": complete}


def copy_of_shipped() -> JointSegmenter:
    """A trainable copy of the shipped network."""
    return deepcopy(shipped_segmenter()).requires_grad_(True)
