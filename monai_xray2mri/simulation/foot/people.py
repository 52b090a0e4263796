"""Disjoint seed ranges: no foot of an evaluation is ever used in training."""

from __future__ import annotations

from typing import Final

import torch

from monai_xray2mri.core.random_streams import case_generator
from monai_xray2mri.errors import UsageError

FOOT_SIMULATOR_VERSION: Final = "1.0"
_FEET_PER_RANGE: Final = 1_000_000
TRAINING: Final = range(0, _FEET_PER_RANGE)
VALIDATION: Final = range(_FEET_PER_RANGE, 2 * _FEET_PER_RANGE)
CALIBRATION: Final = range(2 * _FEET_PER_RANGE, 3 * _FEET_PER_RANGE)
TEST: Final = range(3 * _FEET_PER_RANGE, 4 * _FEET_PER_RANGE)
SEED_RANGES: Final = {"training": TRAINING, "validation": VALIDATION, "calibration": CALIBRATION, "test": TEST}


def split_of(seed: int) -> str:
    """Name of the range that a seed belongs to.

    Raises:
        UsageError: none has it.
    """
    for name, seeds in SEED_RANGES.items():
        if seed in seeds:
            return name
    raise UsageError("seed of a foot", f"must lie in 0 to {TEST.stop - 1}", str(seed))


def foot_generator(seed: int, stream: str) -> torch.Generator:
    """Generator of one random stream of one foot, independent of all other feet and streams.

    Args:
        seed: the foot's seed.
        stream: name of the stream: ``"shape"``, ``"photograph"`` ...

    Raises:
        UsageError: the seed lies outside all ranges.
    """
    split_of(seed)
    return case_generator("foot", seed, stream)
