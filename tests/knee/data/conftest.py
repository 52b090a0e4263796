"""Simulated knees and the sets that tests of the training data share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from monai_xray2mri.knee.data.arrays import GEOMETRY, MARGIN, MODELED_SLICES, KneeStore, knee_arrays
from monai_xray2mri.knee.data.simulated import simulated_index
from monai_xray2mri.simulation.knee.knee import SimulatedKnee, simulate_knee

KNEES = 3


@pytest.fixture(scope="session")
def simulated_knees() -> list[SimulatedKnee]:
    """Knees of the first training seeds, as a training set asks the simulator for them."""
    return [simulate_knee(seed, margin=MARGIN) for seed in range(KNEES)]


@pytest.fixture(scope="session")
def stored_knees(simulated_knees: list[SimulatedKnee]) -> list[dict[str, np.ndarray]]:
    """The same as the store keeps them."""
    modeled = slice(MODELED_SLICES[0], MODELED_SLICES[1] + 1)
    return [
        knee_arrays(knee.volume[modeled], knee.radiograph, knee.grades, knee.lesions[modeled])
        for knee in simulated_knees
    ]


@pytest.fixture
def make_set(tmp_path: Path, stored_knees: list[dict[str, np.ndarray]]) -> Callable[..., Path]:
    """Makes a set of given seeds (of the stored knees in turn), or of named knees of OAI in given splits."""

    def make(seeds: Sequence[int] = range(KNEES), splits: Sequence[str] = (), **index: object) -> Path:
        folder = tmp_path / f"set{len(list(tmp_path.iterdir()))}"
        if splits:
            names = [f"900000{number}R" for number in range(len(splits))]
            about = {
                "source": "oai",
                "knees": names,
                "splits": splits,
                "geometry": GEOMETRY,
                "intensity": "percentiles",
            }
        else:
            about = simulated_index(seeds)
        store = KneeStore.create(folder, len(about["knees"]), {**about, **index})
        for row in range(len(store)):
            store.write(row, stored_knees[row % KNEES])
        return folder

    return make


@pytest.fixture(scope="session")
def training_set(tmp_path_factory: pytest.TempPathFactory, stored_knees: list[dict[str, np.ndarray]]) -> Path:
    """A set of the stored knees; tests leave it as it is, but for encodings beside it."""
    folder = tmp_path_factory.mktemp("sets") / "knees"
    store = KneeStore.create(folder, KNEES, simulated_index(range(KNEES)))
    for row, arrays in enumerate(stored_knees):
        store.write(row, arrays)
    return folder
