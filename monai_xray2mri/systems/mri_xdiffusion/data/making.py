"""Stages of a recipe that fill a store of volumes, one volume after the other, from wherever the store stands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from monai_xray2mri.core.volumes import volume_affine
from monai_xray2mri.simulation.cones import CONES_VERSION, SPLITS, draw_cones, without_high_frequencies
from monai_xray2mri.simulation.knee.patient import Patient
from monai_xray2mri.simulation.knee.people.seeds import SEED_RANGES, SIMULATOR_VERSION
from monai_xray2mri.systems.mri_xdiffusion.data.store import VolumeStore
from monai_xray2mri.systems.mri_xdiffusion.volumes.cube import Cube, to_cube
from monai_xray2mri.training.recipe.stage import Progress, Turn
from monai_xray2mri.types import Volume

KNEE_SIDE_MM = 160.0
"""Side of the cube of simulated knees: their field of view in a slice. Across slices 120 mm of it are acquired."""
_PIXEL_MM, _SLICE_MM = 0.625, 1.5


class StoreOfVolumes(ABC):
    """A stage that fills a :class:`~monai_xray2mri.systems.mri_xdiffusion.data.store.VolumeStore`.

    Args:
        folder: of the store.
        seeds: of the volumes.
        splits: of each.
        size: D.
        side_mm: side of the cube.
        index: what else tells this set from another.
    """

    free: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self, folder: str | Path, seeds: Sequence[int], splits: Sequence[str], size: int, side_mm: float, **index: Any
    ) -> None:
        self.folder, self.seeds, self.splits, self.size = Path(folder), list(seeds), list(splits), size
        self.side_mm, self.index = side_mm, index

    @abstractmethod
    def make(self, seed: int) -> Cube:
        """The volume of a seed."""

    def progress(self) -> Progress:
        """Volumes that are complete."""
        there = (self.folder / "index.json").is_file()
        return Progress(int(self._store().done.sum()) if there else 0, len(self.seeds), "volumes")

    def work(self, turn: Turn) -> None:
        """Make those that are missing, until none is or the turn is over.

        Raises:
            UsageError: the folder holds another set, or there is no room.
        """
        store = self._store()
        for row in np.flatnonzero(~store.done):
            if turn.over():
                return
            store.write_cube(int(row), self.make(self.seeds[row]))
            turn.tell()

    def _store(self) -> VolumeStore:
        names = [str(seed) for seed in self.seeds]
        return VolumeStore.of_cubes(self.folder, names, self.splits, self.size, self.side_mm, **self.index)


class SimulatedKnees(StoreOfVolumes):
    """MR volumes of simulated knees, all 80 slices, in a cube of 160 mm.

    Args:
        folder: of the store.
        training: knees to train on.
        validation: knees to watch training by.
        size: D.
    """

    def __init__(self, folder: str | Path, training: int = 300, validation: int = 10, size: int = 96) -> None:
        counts = {"training": training, "validation": validation}
        super().__init__(
            folder,
            [seed for name, count in counts.items() for seed in SEED_RANGES[name][:count]],
            [name for name, count in counts.items() for _ in range(count)],
            size,
            KNEE_SIDE_MM,
            source="simulated knees",
            simulator=SIMULATOR_VERSION,
        )

    def make(self, seed: int) -> Cube:
        """The knee of a seed, its front first."""
        slices = Patient.draw(seed).scan().slices().volume.numpy()  # no radiograph is made
        return to_cube(knee_volume(slices), self.side_mm, self.size)


class MaskedCones(StoreOfVolumes):
    """Fourier-masked cones (X-Diffusion, appendix C.1); the others need no store.

    Args:
        folder: of the store.
        training: cones to train on.
        validation: cones to watch training by.
        size: D.
        side_mm: side of their cube.
    """

    def __init__(
        self, folder: str | Path, training: int = 2000, validation: int = 50, size: int = 64, side_mm: float = 64.0
    ) -> None:
        counts = {"training": training, "validation": validation}
        super().__init__(
            folder,
            [seed for name, count in counts.items() for seed in SPLITS[name][:count]],
            [name for name, count in counts.items() for _ in range(count)],
            size,
            side_mm,
            source="Fourier-masked cones",
            cones=CONES_VERSION,
        )

    def make(self, seed: int) -> Cube:
        """The masked twin of a cone."""
        voxels = without_high_frequencies(draw_cones([seed]).volume(self.size))[0].numpy()
        everything = np.array([[-1.0] * 3, [1.0] * 3])
        return Cube(voxels, everything, np.eye(4))


def knee_volume(voxels: np.ndarray) -> Volume:
    """A simulated knee [80,256,256], slice 0 posterior, as a volume whose slice 0 is anterior."""
    slices, rows, columns = voxels.shape
    return Volume(np.ascontiguousarray(voxels[::-1]), volume_affine(columns, rows, slices, _PIXEL_MM, _SLICE_MM))
