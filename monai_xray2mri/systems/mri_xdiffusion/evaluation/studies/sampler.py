"""Steps up to the schedule's own T, eta and guidance (X-Diffusion, appendix D.12 and Table XVIII), on few sections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from monai_xray2mri.evaluation.metrics import psnr
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, Study
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import CONES, VolumeCase
from monai_xray2mri.systems.mri_xdiffusion.evaluation.setting import (
    VolumeSetting,
    condition_table,
    sections_of,
    work_of,
)

STEPS: Final = (1, 2, 4, 8, 20, 50, 100, 250, 500, 800, 1000)
OTHERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "eta 1, 20 steps": {"eta": 1.0, "steps": 20},
    "eta 1, 100 steps": {"eta": 1.0, "steps": 100},
    "guidance 3, 20 steps": {"guidance": 3.0, "steps": 20},
    "guidance 3, eta 1, 100 steps (published)": {"guidance": 3.0, "eta": 1.0, "steps": 100},
}
_OWN_STEPS: Final = 8


def measure(setting: VolumeSetting, case: VolumeCase) -> Iterator[Row]:
    """PSNR of the same sections under each setting."""
    given, indices = case.given(case.even_places(1)), positions(setting, case.size)
    truth = case.voxels[list(indices)]
    highest = float(case.voxels[case.box].max())
    known = [index for index in range(len(indices)) if indices[index] in range(*case.box[0].indices(case.size))]
    total = setting.bundle.network(given).schedule.steps
    own: dict[str, Mapping[str, Any]] = {f"{steps} steps": {"steps": steps} for steps in STEPS if steps <= total}
    for name, options in {**own, **OTHERS}.items():
        found = sections_of(setting, case, given, indices, 1, **options)[0]
        yield {"condition": name, "psnr": psnr(found[known], truth[known], highest), "mean": float(np.mean(found))}


def positions(setting: VolumeSetting, size: int) -> tuple[int, ...]:
    """Sections that are looked at: half of those of the profile, because a thousand steps are many."""
    return setting.profile.positions(size)[::2]


def work(setting: VolumeSetting) -> float:
    """Sections that one cone costs."""
    share = len(positions(setting, 64)) / 64
    calls = sum(STEPS) + 20 + 100 + 2 * 20 + 2 * 100
    return work_of(CONES, share * calls / _OWN_STEPS)


def tables(rows: Sequence[Row]) -> list[ResultTable]:
    """One table."""
    note = (
        "One sample of every few sections of one view; 1 step is the estimate of the posterior mean, which has the "
        "highest PSNR and the least detail. X-Diffusion reports a plateau from 800 steps on."
    )
    head = {"psnr": "PSNR dB", "mean": "mean intensity"}
    return [condition_table(rows, "sampler", "Steps, eta and guidance", head, note)]


SAMPLER: Final = Study("sampler", "Sampler", (CONES,), {"cpu": 2, "full": 50}, measure, work, tables)
