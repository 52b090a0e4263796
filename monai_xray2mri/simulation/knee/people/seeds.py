"""Disjoint seed ranges: no knee of an evaluation is ever used in training."""

from __future__ import annotations

import hashlib
from typing import Final

import torch

from monai_xray2mri.errors import InputRefused

SIMULATOR_VERSION: Final = "2.0"
_KNEES_PER_RANGE: Final = 1_000_000


def _nth_range(position: int) -> range:
    return range(position * _KNEES_PER_RANGE, (position + 1) * _KNEES_PER_RANGE)


TRAINING: Final = _nth_range(0)
VALIDATION: Final = _nth_range(1)
CALIBRATION: Final = _nth_range(2)
TEST: Final = _nth_range(3)
LESION_ENRICHED: Final = _nth_range(4)
SHIFTED: Final = _nth_range(5)
SEED_RANGES: Final = {
    "training": TRAINING,
    "validation": VALIDATION,
    "calibration": CALIBRATION,
    "test": TEST,
    "lesion-enriched": LESION_ENRICHED,
    "shifted": SHIFTED,
}


def seed_range_name(seed: int) -> str:
    """Name of the range that a seed belongs to.

    Raises:
        InputRefused: the seed lies in none of them.
    """
    for name, seeds in SEED_RANGES.items():
        if seed in seeds:
            return name
    raise InputRefused(
        "simulator seed",
        f"must lie in 0 to {SHIFTED.stop - 1}",
        str(seed),
        "Seeds of simulated knees come from fixed ranges (monai_xray2mri.simulation.knee.people.seeds).",
    )


def require_training_seed(seed: int) -> int:
    """Return the seed if it belongs to the training range.

    Raises:
        InputRefused: the seed belongs to another range or to none.
    """
    name = seed_range_name(seed)
    if name != "training":
        raise InputRefused(
            "simulator seed",
            f"must lie in the training range {TRAINING.start} to {TRAINING.stop - 1}",
            f"{seed} of the {name} range",
            "Knees of the other ranges are kept for judging models.",
        )
    return seed


def knee_generator(seed: int, stream: str) -> torch.Generator:
    """Generator of one random stream of one knee, independent of all other knees and streams.

    Args:
        seed: the knee's seed.
        stream: name of the stream: ``"anatomy"``, ``"film"``, ``"mr"`` ...
    """
    digest = hashlib.sha256(f"{seed}/{stream}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))
