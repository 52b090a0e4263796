"""Sampling steps, guidance and eta: what each of them changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from monai_xray2mri.evaluation.methods import generate
from monai_xray2mri.evaluation.metrics import adjacent_slice_correlation, psnr_per_slice
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.structure import ssim_per_slice
from monai_xray2mri.evaluation.study import ResultTable, Study
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import EvaluationKnee
from monai_xray2mri.systems.knee_xray2mri.evaluation.ruler import RANGE
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import KneeSetting, condition_table, sampling_work

SAMPLERS: Final[tuple[dict[str, Any], ...]] = (
    {"steps": 1}, {"steps": 5}, {"steps": 10}, {"steps": 20}, {"steps": 50},
    {"guidance": 0.0}, {"guidance": 1.0}, {"guidance": 1.5}, {"guidance": 2.0}, {"guidance": 4.0},
    {"feature_guidance": 2.0}, {"feature_guidance": 4.0},
    {"eta": 1.0},
)  # fmt: skip
"""What replaces the bundle's own settings, one setting at a time."""
WINDOW: Final = tuple(range(18, 26))
"""Neighbouring slices through the middle of the joint."""


def measure(setting: KneeSetting, knee: EvaluationKnee) -> Iterator[Row]:
    """A row for each sampler."""
    inputs, truth = knee.inputs.at(WINDOW), knee.volume[list(WINDOW)]
    for options in SAMPLERS:
        found = generate(setting.bundle.with_sampler(**options), inputs, 1, setting.seed)[0]
        yield {
            "condition": ", ".join(f"{name} {value:g}" for name, value in options.items()),
            "psnr": psnr_per_slice(found, truth, RANGE),
            "ssim": ssim_per_slice(found, truth, RANGE),
            "adjacent_slice_correlation": adjacent_slice_correlation(found),
        }


def work(setting: KneeSetting) -> float:
    """Slices that one knee costs."""
    return sum(sampling_work(setting, len(WINDOW), **one) for one in SAMPLERS)


def tables(rows: Sequence[Row]) -> list[ResultTable]:
    """One table, a line for each sampler."""
    headings = {"psnr": "PSNR dB", "ssim": "SSIM", "adjacent_slice_correlation": "adjacent-slice correlation"}
    note = f"{len(WINDOW)} neighbouring slices of the joint; what is not named is the bundle's own."
    return [condition_table(rows, "sampler", "Sampling steps, guidance, eta", headings, note)]


SAMPLER: Final = Study("sampler", "Sampler", ("test",), {"cpu": 4, "full": 50}, measure, work, tables)
