"""Training sets of simulated knees: simulated once into a :class:`~monai_xray2mri.knee.data.arrays.KneeStore`.

``python -m monai_xray2mri.knee.data.simulated --output DIR --knees N`` makes one, resumes one that was interrupted, and
leaves one that is complete as it is.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, Final

import numpy as np
from tqdm import tqdm

from monai_xray2mri.errors import InputRefused, UsageError, Xray2MRIError
from monai_xray2mri.knee.data.arrays import GEOMETRY, MARGIN, MODELLED_SLICES, KneeStore, knee_arrays
from monai_xray2mri.knee.data.slices import require_split
from monai_xray2mri.simulation.knee.knee import simulate_knee
from monai_xray2mri.simulation.knee.people.seeds import SEED_RANGES, SIMULATOR_VERSION

INTENSITY: Final = "simulator scale: 0 to 1, one scale for all knees"
SPLITS: Final = ("training", "validation")
"""Ranges of seeds that a set may be made of: one to train on, one to watch training by."""


def training_arrays(seed: int, visibility: float = 0.5) -> dict[str, np.ndarray]:
    """One simulated knee as :class:`~monai_xray2mri.knee.data.arrays.KneeStore` keeps it.

    Args:
        seed: the knee's seed.
        visibility: how far cysts, chondrocalcinosis and attrition show in the radiograph, 0 to 1.
    """
    knee = simulate_knee(seed, visibility=visibility, margin=MARGIN)
    first, last = MODELLED_SLICES
    modelled = slice(first, last + 1)
    return knee_arrays(knee.volume[modelled], knee.radiograph, knee.grades, knee.lesions[modelled])


def simulated_index(seeds: Sequence[int], visibility: float = 0.5) -> dict[str, Any]:
    """What the index of a simulated set says."""
    return {
        "source": "simulated",
        "knees": list(seeds),
        "simulator": SIMULATOR_VERSION,
        "visibility": visibility,
        "geometry": dict(GEOMETRY),
        "intensity": INTENSITY,
    }


def simulate_training_set(
    directory: Path, seeds: Sequence[int], workers: int = 1, *, split: str = "training", visibility: float = 0.5
) -> KneeStore:
    """Simulate knees into ``directory``; knees that are complete there are kept.

    Args:
        directory: made if missing.
        seeds: seeds of the range named ``split``.
        workers: processes.
        split: ``"training"`` or ``"validation"``.
        visibility: see :func:`training_arrays`.

    Raises:
        InputRefused: a seed of another range, or a visibility outside 0 to 1.
        UsageError: an unknown split, a folder that holds another set, or no room.
    """
    if split not in SPLITS:
        raise UsageError("split", f"must be one of {', '.join(SPLITS)}", split)
    if not 0.0 <= visibility <= 1.0:
        raise InputRefused("visibility", "must lie in 0 to 1", str(visibility))
    for seed in seeds:
        require_split(seed, split)
    store = KneeStore.create(directory, len(seeds), simulated_index(seeds, visibility))
    missing = np.flatnonzero(~store.done).tolist()
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_end_with_parent) as pool:
        jobs = [pool.submit(_simulate_into, store.directory, row) for row in missing]
        try:
            for job in tqdm(as_completed(jobs), "knees", len(jobs), disable=None):
                job.result()
        finally:
            pool.shutdown(cancel_futures=True)
    return store


_opened = cache(KneeStore.open)
"""A process opens the set once for all its knees."""


def _end_with_parent() -> None:
    """A pool's processes wait for ever for more work if their parent is killed; this ends them, too."""

    def wait() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _simulate_into(directory: Path, row: int) -> None:
    store = _opened(directory)
    store.write(row, training_arrays(store.index["knees"][row], store.index["visibility"]))


def _main() -> int:
    parser = argparse.ArgumentParser(
        description="Simulate a set of knees for training.", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True, help="folder of the set")
    parser.add_argument("--knees", type=int, default=800, help="number of knees")
    parser.add_argument("--seed", type=int, default=0, help="number of the first knee within the seeds of the split")
    parser.add_argument("--split", choices=SPLITS, default="training", help="range of seeds")
    parser.add_argument("--visibility", type=float, default=0.5, help="of hidden features in the radiograph, 0 to 1")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    options = parser.parse_args()
    first = SEED_RANGES[options.split].start + options.seed
    try:
        seeds = range(first, first + options.knees)
        simulate_training_set(
            options.output, seeds, options.workers, split=options.split, visibility=options.visibility
        )
    except Xray2MRIError as error:
        sys.stderr.write(f"{error}\n")
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(_main())
