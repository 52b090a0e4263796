"""Training sets of simulated knees: simulated once into memory-mapped arrays, then read slice by slice.

A folder holds, for N knees and S modelled slices (index 0 posterior):

===================  ==========  ====================================================================================
file                 type        meaning
===================  ==========  ====================================================================================
``slices.npy``       uint8       [N,S,H,W], 0..255 for intensities 0..1
``radiographs.npy``  uint8       [N,H,W], the network's input, 0..255 for -1..1
``features.npy``     uint8       [N,61], one-hot
``lesions.npy``      uint8       [N,S,H/8,W/8], 1 where a cyst, chondrocalcinosis or attrition lies
``done.npy``         uint8       [N], 1 where the knee is complete: simulation resumes at the others
``index.json``       -           seeds, simulator version, geometry
===================  ==========  ====================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from torch import Tensor
from torch.utils.data import Dataset

from monai_xray2mri.errors import UsageError
from monai_xray2mri.grading.features import ONE_HOT_WIDTH, one_hot
from monai_xray2mri.radiograph.region import normalise_region
from monai_xray2mri.simulation.knee import simulate_knee
from monai_xray2mri.simulation.seeds import SIMULATOR_VERSION, require_training_seed

IMAGE_SIZE = 256
LATENT_SIZE = 32
MODELLED_SLICES = (13, 62)
"""First and last of the 80 acquired slices that are modelled, 0-based from the posterior end (DESIGN, section 4)."""


def training_arrays(seed: int) -> dict[str, np.ndarray]:
    """One simulated knee as the networks see it: ``slices``, ``radiographs``, ``features``, ``lesions`` (see above)."""
    knee = simulate_knee(seed)
    first, last = MODELLED_SLICES
    region = normalise_region(knee.radiograph, mirrored=False, size=IMAGE_SIZE)  # [H,W] in [-1,1]
    lesions = torch.from_numpy(np.asarray(knee.lesions[first : last + 1], dtype=np.float32))[:, None]  # [S,1,H,W]
    return {
        "slices": np.rint(np.asarray(knee.volume[first : last + 1]) * 255).astype(np.uint8),
        "radiographs": np.rint((region + 1) * 127.5).astype(np.uint8),
        "features": one_hot(knee.grades).astype(np.uint8),
        "lesions": torch.nn.functional.adaptive_max_pool2d(lesions, LATENT_SIZE)[:, 0].numpy().astype(np.uint8),
    }


def _shapes(knees: int) -> dict[str, tuple[int, ...]]:
    slices = MODELLED_SLICES[1] - MODELLED_SLICES[0] + 1
    return {
        "slices": (knees, slices, IMAGE_SIZE, IMAGE_SIZE),
        "radiographs": (knees, IMAGE_SIZE, IMAGE_SIZE),
        "features": (knees, ONE_HOT_WIDTH),
        "lesions": (knees, slices, LATENT_SIZE, LATENT_SIZE),
        "done": (knees,),
    }


def _simulate_into(directory: Path, positions: Sequence[int], seeds: Sequence[int]) -> int:
    arrays = {name: np.load(directory / f"{name}.npy", mmap_mode="r+") for name in _shapes(1)}
    for position, seed in zip(positions, seeds, strict=True):
        for name, value in training_arrays(seed).items():
            arrays[name][position] = value
        arrays["done"][position] = 1
    return len(positions)


def simulate_training_set(directory: Path, seeds: Iterable[int], workers: int = 1) -> None:
    """Simulate knees into ``directory``; knees that are complete there are kept.

    Args:
        directory: made if missing.
        seeds: seeds of the training range.
        workers: processes.

    Raises:
        InputRefused: a seed of a held-out range (validation, calibration, test, ...).
        UsageError: the folder holds another set.
    """
    chosen = list(seeds)
    for seed in chosen:
        require_training_seed(seed)
    directory.mkdir(parents=True, exist_ok=True)
    index = {"simulator": SIMULATOR_VERSION, "seeds": chosen, "modelled_slices": list(MODELLED_SLICES)}
    path = directory / "index.json"
    if path.exists() and json.loads(path.read_text()) != index:
        raise UsageError(str(directory), "must be empty or hold these very knees", "another set", "Name another folder")
    if not path.exists():
        for name, shape in _shapes(len(chosen)).items():
            open_memmap(directory / f"{name}.npy", mode="w+", dtype=np.uint8, shape=shape).flush()
        path.write_text(json.dumps(index))
    missing = np.flatnonzero(np.load(directory / "done.npy") == 0)
    batches = np.array_split(missing, max(1, min(len(missing), 4 * workers)))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(_simulate_into, directory, list(b), [chosen[i] for i in b]) for b in batches if len(b)]
        for job in jobs:
            job.result()


class SimulatedSlices(Dataset[dict[str, Tensor]]):
    """Slices of a simulated training set, with what guides their generation.

    An item holds ``slice`` [1,H,W] and ``radiograph`` [1,H,W] in [-1,1], ``features`` [61], ``depth`` () in [0,1],
    ``lesions`` [1,h,w] in {0,1} and ``knee`` (), the position of the knee in the set.

    Args:
        directory: a folder made by :func:`simulate_training_set`; knees that are not complete are left out.

    Raises:
        UsageError: no simulated set there.
        InputRefused: it holds seeds of a held-out range.
    """

    def __init__(self, directory: str | Path) -> None:
        directory = Path(directory)
        if not (directory / "index.json").is_file():
            raise UsageError(
                str(directory),
                "must hold a simulated training set",
                "no index.json",
                "Make one: python -m monai_xray2mri.data.simulated --output DIR --knees N",
            )
        self.directory = directory
        self.index = json.loads((directory / "index.json").read_text())
        for seed in self.index["seeds"]:
            require_training_seed(seed)
        self.arrays = {name: np.load(directory / f"{name}.npy", mmap_mode="r") for name in _shapes(1)}
        self.knees = np.flatnonzero(self.arrays["done"])
        self.slices = self.arrays["slices"].shape[1]

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.knees) * self.slices

    def __getitem__(self, item: int) -> dict[str, Tensor]:
        """Slice ``item % S`` of knee ``item // S``."""
        knee, position = self.knees[item // self.slices], item % self.slices
        image = torch.from_numpy(self.arrays["slices"][knee, position].astype(np.float32))
        lesions = torch.from_numpy(self.arrays["lesions"][knee, position].astype(np.float32))
        return {
            "slice": image[None] / 127.5 - 1,
            "radiograph": self.radiograph(int(knee)),
            "features": torch.from_numpy(self.arrays["features"][knee].astype(np.float32)),
            "depth": torch.tensor(position / (self.slices - 1)),
            "lesions": lesions[None],
            "knee": torch.tensor(item // self.slices),
        }

    def radiograph(self, knee: int) -> Tensor:
        """Radiograph [1,H,W] in [-1,1] of one knee."""
        return torch.from_numpy(self.arrays["radiographs"][knee].astype(np.float32))[None] / 127.5 - 1


def _main() -> None:
    import argparse

    parser = argparse.ArgumentParser(description="Simulate the training set of the knee bundle.")
    parser.add_argument("--output", type=Path, required=True, help="folder of the set")
    parser.add_argument("--knees", type=int, default=800)
    parser.add_argument("--seed", type=int, default=0, help="first seed; the training range starts at 0")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    simulate_training_set(options.output, range(options.seed, options.seed + options.knees), options.workers)


if __name__ == "__main__":
    _main()
