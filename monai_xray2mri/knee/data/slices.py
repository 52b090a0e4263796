"""Slices of a stored training set, simulated or prepared from OAI, with what guides their generation."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from monai_xray2mri.core.random_streams import draw_generator
from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.knee.data.arrays import SLICES, KneeStore
from monai_xray2mri.knee.data.jitter import NO_JITTER, BoxJitter, network_view
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION, require_training_seed, seed_range_name


def require_split(seed: int, split: str) -> None:
    """Refuse the seed of a knee that is not of a split.

    Args:
        seed: of a simulated knee.
        split: name of a range of :mod:`~monai_xray2mri.simulation.knee.people.seeds`.

    Raises:
        InputRefused: the seed is of another range.
    """
    if split == "training":
        require_training_seed(seed)
    elif (name := seed_range_name(seed)) != split:
        raise InputRefused("simulator seed", f"must lie in the {split} range", f"{seed} of the {name} range")


class StoredSlices(Dataset[dict[str, Tensor]]):
    """Slices of the knees of one split; base of :class:`TrainingSlices` and :class:`ValidationSlices`.

    An item has the names of :mod:`monai_xray2mri.training.denoiser`: ``target`` [1,H,W], the slice, and ``image``
    [1,H,W], the radiograph, in [-1,1]; ``guide`` [61], the features; ``place`` (), the depth in [0,1]; ``weight``
    [1,h,w], greater than 1 where a lesion lies. ``knee`` () is the knee's row in the store. It depends on the seed, the
    epoch and its number alone, whichever process of a loader reads it.

    Args:
        directory: a folder of :class:`~monai_xray2mri.knee.data.arrays.KneeStore`; knees that are not complete are left
            out.
        seed: of the jitter.
        jitter: how the boxes of radiographs err.
        lesion_weight: added to the weight of 1 where cysts, chondrocalcinosis or attrition lie.
        allow_other_version: take knees of another version of the simulator.

    Raises:
        UsageError: no training set there, or none of its knees is of the split and complete.
        InputRefused: seeds of another split, or another version of the simulator.
    """

    split: ClassVar[str]
    slices = SLICES

    def __init__(
        self,
        directory: str | Path,
        *,
        seed: int = 0,
        jitter: BoxJitter = NO_JITTER,
        lesion_weight: float = 0.0,
        allow_other_version: bool = False,
    ) -> None:
        self.store = KneeStore.open(Path(directory))
        self.directory, self.seed, self.jitter = self.store.directory, seed, jitter
        self.lesion_weight = lesion_weight
        self._check_knees(allow_other_version)
        wanted = np.array([split == self.split for split in self._splits()])
        self.knees = np.flatnonzero(wanted & self.store.done)
        if not len(self.knees):
            raise UsageError(
                f"training set {self.directory.name}",
                f"must hold complete knees of the {self.split} split",
                f"{int(self.store.done.sum())} complete knees of {len(self.store)}, none of that split",
                "Make the set first, or name another.",
            )
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def _check_knees(self, allow_other_version: bool) -> None:
        """Held-out knees never train a model; knees of two simulators are two cohorts."""
        index = self.store.index
        simulated = index["source"] == "simulated"
        for seed in index["knees"] if simulated else ():
            require_split(seed, self.split)
        version = index.get("simulator")  # a prepared release may be a simulated one, too
        if (simulated or version is not None) and version != SIMULATOR_VERSION and not allow_other_version:
            raise InputRefused(
                f"training set {self.directory.name}",
                f"must come from version {SIMULATOR_VERSION} of the simulator",
                f"version {version}",
                "Simulate it again, or set allow_other_version.",
            )

    def _splits(self) -> list[str]:
        """The split of every knee; all knees of a simulated set are of one."""
        index = self.store.index
        splits: list[str] = index["splits"] if "splits" in index else [self.split] * len(self.store)
        return splits

    def set_epoch(self, epoch: int) -> None:
        """Draw other boxes from now on, in the processes of a running loader too."""
        self._epoch.fill_(epoch)

    @property
    def epoch(self) -> int:
        """What :meth:`set_epoch` was last told; 0 at first."""
        return int(self._epoch)

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.knees) * self.slices

    def row_of(self, item: int) -> tuple[int, int]:
        """(row of the knee in the store, position of the slice) of an item."""
        if not 0 <= item < len(self):
            raise IndexError(item)
        return int(self.knees[item // self.slices]), item % self.slices

    def __getitem__(self, item: int) -> dict[str, Tensor]:
        """Slice ``item % S`` of the ``item // S``-th knee."""
        return {"target": self.target(item), "image": self.image(item), **self.labels(item)}

    def target(self, item: int) -> Tensor:
        """The slice alone, [1,H,W] in [-1,1]."""
        knee, position = self.row_of(item)
        return torch.from_numpy(self.store.array("slices")[knee, position].astype(np.float32))[None] / 127.5 - 1

    def image(self, item: int) -> Tensor:
        """The radiograph alone, [1,H,W] in [-1,1], cut out by this epoch's box."""
        knee, position = self.row_of(item)
        return self.view(knee, self.epoch, position)

    def view(self, knee: int, *look: int) -> Tensor:
        """What the networks see of a knee's radiograph, [1,H,W] in [-1,1].

        Args:
            knee: row in the store.
            look: whole numbers that tell this look from others of the same knee.
        """
        box = self.jitter.draw(draw_generator("box", self.seed, knee, *look))
        return torch.from_numpy(network_view(self.store.array("radiographs")[knee], box))[None]

    def labels(self, item: int) -> dict[str, Tensor]:
        """``guide``, ``place``, ``weight`` and ``knee`` of an item."""
        knee, position = self.row_of(item)
        lesions = torch.from_numpy(self.store.array("lesions")[knee, position].astype(np.float32))[None]  # [1,h,w]
        return {
            "guide": torch.from_numpy(self.store.array("features")[knee].astype(np.float32)),
            "place": torch.tensor(position / (self.slices - 1)),
            "weight": 1 + self.lesion_weight * lesions,
            "knee": torch.tensor(knee),
        }

    def with_lesion(self) -> Tensor:
        """Which slices show a lesion, [N*S] bool."""
        has = [np.asarray(self.store.array("lesions")[knee]).any(axis=(1, 2)) for knee in self.knees]
        return torch.from_numpy(np.concatenate(has))


class TrainingSlices(StoredSlices):
    """Slices to train on, with boxes that err; knees that judge models are refused."""

    split = "training"

    def __init__(
        self,
        directory: str | Path,
        *,
        seed: int = 0,
        jitter: BoxJitter | None = None,
        lesion_weight: float = 0.0,
        allow_other_version: bool = False,
    ) -> None:
        super().__init__(
            directory,
            seed=seed,
            jitter=jitter or BoxJitter(),
            lesion_weight=lesion_weight,
            allow_other_version=allow_other_version,
        )


class ValidationSlices(StoredSlices):
    """Slices to watch training by, with perfect boxes unless told otherwise."""

    split = "validation"


def draw_weights(source: StoredSlices, lesion_share: float | None) -> Tensor:
    """Relative probability [N] of each slice of a set; ``lesion_share`` of what is drawn shows a lesion, None: even.

    Lesions fill few slices; drawn evenly, the features that tell of them are hardly ever learnt
    (docs/training/training.md).
    """
    if lesion_share is None:
        return torch.ones(len(source))
    return lesion_weights(source.with_lesion(), lesion_share)


def lesion_weights(has: Tensor, lesion_share: float) -> Tensor:
    """Probabilities [N] of drawing each slice, so that ``lesion_share`` of what is drawn shows a lesion.

    Args:
        has: [N] bool, whether a slice shows one; if none or all do, every slice is as likely.
        lesion_share: 0 to 1.
    """
    one = has.double()
    share = lesion_share if 0 < one.sum() < len(one) else float(one.mean())
    return one * share / one.sum().clamp(min=1) + (1 - one) * (1 - share) / (1 - one).sum().clamp(min=1)
