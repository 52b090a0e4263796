"""More slices over the same range: Wang 2024a, Fig. 6 and Table IV, against true slices at the same spacing.

The papers compare the correlation of generated slices at any spacing with one number: that of the true volume at its
own spacing. But closer slices are more alike in truth, too. A simulated knee can be examined again with the field of
view moved forward by the spacing in question, which gives the true pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from monai_xray2mri.evaluation.methods import generate
from monai_xray2mri.evaluation.metrics import adjacent_slice_correlation, psnr_per_slice
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, Study
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import MODELED, EvaluationKnee
from monai_xray2mri.systems.knee_xray2mri.evaluation.ceilings import examine_again
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import at_depths
from monai_xray2mri.systems.knee_xray2mri.evaluation.ruler import RANGE
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import KneeSetting, condition_table

STEPS: Final = (30, 50, 100, 200, 300, 400, 500)
"""Slices s over the modelled range, as the papers'."""
RANGE_MM: Final = 73.5
PAIRS: Final = tuple(range(3, 47, 4))
"""Positions of the first slices of the pairs."""


def pair_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Mean Pearson correlation of slices [S,H,W] with their partners [S,H,W]."""
    pairs = zip(first, second, strict=True)
    return float(np.mean([adjacent_slice_correlation(np.stack(pair)) for pair in pairs]))


def measure(setting: KneeSetting, knee: EvaluationKnee) -> Iterator[Row]:
    """For each s the correlation of pairs that lie 73.5 mm / (s - 1) apart, generated and true; PSNR of the second."""
    base = knee.inputs.at(PAIRS)
    first = generate(setting.bundle, base, 1, setting.seed)[0]
    positions = list(PAIRS)
    for count in STEPS:
        spacing = RANGE_MM / (count - 1)
        moved = replace(base, depths=tuple(depth + 1 / (count - 1) for depth in base.depths))
        second = generate(setting.bundle, moved, 1, setting.seed)[0]
        ahead = examine_again(int(knee.name), ("mr",), forward_mm=spacing)
        true = ahead.volume[MODELED][positions]
        between = at_depths(knee.volume, moved.depths)
        yield {
            "slices": count,
            "spacing_mm": spacing,
            "generated": pair_correlation(first, second),
            "true": pair_correlation(knee.volume[positions], true),
            "psnr": psnr_per_slice(second, true, RANGE),
            "psnr_interpolated_truth": psnr_per_slice(between, true, RANGE),
        }


def work(setting: KneeSetting) -> float:
    """Slices that one knee costs."""
    return (1 + len(STEPS)) * len(PAIRS)


def tables(rows: Sequence[Row]) -> list[ResultTable]:
    """One table, a line for each s."""
    headings = {
        "spacing_mm": "spacing mm",
        "generated": "correlation, generated",
        "true": "correlation, true",
        "psnr": "PSNR of intermediate slices dB",
        "psnr_interpolated_truth": "PSNR of true neighbors interpolated dB",
    }
    note = f"Pairs of slices at {len(PAIRS)} depths; the last column knows the true slices on either side."
    return [condition_table(rows, "depth", "Slices over the same range (inference steps s)", headings, note, "slices")]


DEPTH: Final = Study(
    "depth", "Slices over the same range", ("test",), {"cpu": 5, "full": 50}, measure, work, tables,
    simulations=lambda _: 8, needs_simulation=True,
)  # fmt: skip
