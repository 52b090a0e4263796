"""Training sets of simulated knees: simulated once into a :class:`~monai_xray2mri.knee.data.arrays.KneeStore`.

``xray2mri simulate-set --output DIR --knees N`` makes one, finishes one that was interrupted, and leaves one that is
complete as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.knee.data.arrays import GEOMETRY, MARGIN, MODELED_SLICES, KneeStore, knee_arrays
from monai_xray2mri.knee.data.slices import require_split
from monai_xray2mri.runtime.workers import Workers, with_progress
from monai_xray2mri.simulation.knee.knee import simulate_knee
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION

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
    first, last = MODELED_SLICES
    modeled = slice(first, last + 1)
    return knee_arrays(knee.volume[modeled], knee.radiograph, knee.grades, knee.lesions[modeled])


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
    directory: Path,
    seeds: Sequence[int],
    workers: int = 1,
    *,
    split: str = "training",
    visibility: float = 0.5,
    progress: bool = False,
    heard: Callable[[], object] = lambda: None,
    over: Callable[[], bool] = lambda: False,
) -> KneeStore:
    """Simulate knees into ``directory``; knees that are complete there are kept.

    Args:
        directory: made if missing.
        seeds: seeds of the range named ``split``.
        workers: processes, one thread each.
        split: ``"training"`` or ``"validation"``.
        visibility: see :func:`training_arrays`.
        progress: show a progress bar on stderr.
        heard: called after each knee.
        over: whether to stop before the next one.

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
    run = with_progress(Workers(workers), "knee", progress)
    with closing(run(partial(_simulate_into, store.directory), missing)) as results:
        while not over() and next(results, None) is not None:
            heard()
    return store


_opened = cache(KneeStore.open)
"""A process opens the set once for all its knees."""


def _simulate_into(directory: Path, row: int) -> int:
    store = _opened(directory)
    store.write(row, training_arrays(store.index["knees"][row], store.index["visibility"]))
    return row
