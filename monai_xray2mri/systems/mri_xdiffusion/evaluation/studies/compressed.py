"""Compressed sensing: slices of which one line of k-space in 2, 4 or 6 was acquired (X-Diffusion, Table VII)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import torch

from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, Study
from monai_xray2mri.systems.mri_xdiffusion.baselines.score_mri import ScoreMRI
from monai_xray2mri.systems.mri_xdiffusion.baselines.total_variation import TotalVariationDiffusion
from monai_xray2mri.systems.mri_xdiffusion.baselines.undersampling import Undersampling
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import CONES, VolumeCase
from monai_xray2mri.systems.mri_xdiffusion.evaluation.measures import MEASURES, VolumeRuler
from monai_xray2mri.systems.mri_xdiffusion.evaluation.methods import PriorMethod
from monai_xray2mri.systems.mri_xdiffusion.evaluation.setting import (
    VolumeSetting,
    condition_table,
    one_sample,
    work_of,
)

FACTORS: Final = (2, 4, 6)
SLICES: Final = 31
"""That X-Diffusion is given, as zero filling leaves them; the paper does not say how many."""


def measure(setting: VolumeSetting, case: VolumeCase) -> Iterator[Row]:
    """Zero filling, X-Diffusion, and DiffusionMBIR where a prior of sections was entered (``scoremri:``)."""
    ruler, truth = VolumeRuler(case), torch.from_numpy(case.voxels)
    for factor in FACTORS:
        lines = Undersampling.draw(case.size, factor, setting.seed)
        measured = lines.measured(truth)
        filled = lines.filled(measured).clamp(0, 1)
        blurred = replace(case, voxels=filled.numpy(), anatomy=None)
        volumes = {
            "zero filling": blurred.voxels,
            f"X-Diffusion, {SLICES} slices": one_sample(setting, blurred.given(case.even_places(SLICES))),
        }
        for name, prior in _priors(setting, case.domain):
            volumes[name] = TotalVariationDiffusion(prior).reconstruct(case.name, measured, lines, setting.seed).numpy()
        for name, volume in volumes.items():
            yield {"condition": f"{name}, factor {factor}", **ruler.intensities(volume)}


def _priors(setting: VolumeSetting, domain: str) -> Iterator[tuple[str, Any]]:
    for name, method in setting.methods.items():
        if isinstance(method, PriorMethod) and method.knows(domain) and isinstance(method.method, ScoreMRI):
            yield f"DiffusionMBIR ({name})", method.method.prior


def work(setting: VolumeSetting) -> float:
    """Sections that one cone costs; 31 slices count twice."""
    return work_of(CONES, len(FACTORS) * (2 + 4 * len(list(_priors(setting, CONES)))))


def tables(rows: Sequence[Row]) -> list[ResultTable]:
    """One table."""
    note = "X-Diffusion reports 35.17 dB at factor 2, DiffusionMBIR 37.16: it says itself that this is not its task."
    return [condition_table(rows, "compressed", "Compressed sensing", MEASURES, note)]


COMPRESSED: Final = Study("compressed", "Compressed sensing", (CONES,), {"cpu": 3, "full": 50}, measure, work, tables)
