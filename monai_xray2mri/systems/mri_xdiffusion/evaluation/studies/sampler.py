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
from monai_xray2mri.systems.mri_xdiffusion.network import CrossSectionDiffusion

STEPS: Final = (1, 2, 4, 8, 20, 50, 100, 250, 500, 800, 1000)
OTHER_ETA_STEPS: Final = (5, 20, 100)
"""Steps with eta 0 where the network's own is 1, and with 1 where it is 0."""
OTHERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "guidance 3, 20 steps": {"guidance": 3.0, "steps": 20},
    "guidance 3, eta 1, 100 steps (published)": {"guidance": 3.0, "eta": 1.0, "steps": 100},
}


def measure(setting: VolumeSetting, case: VolumeCase) -> Iterator[Row]:
    """PSNR of the same sections under each setting."""
    given, indices = case.given(case.even_places(1)), positions(setting, case.size)
    truth = case.voxels[list(indices)]
    highest = float(case.voxels[case.box].max())
    known = [place for place, index in enumerate(indices) if case.box[0].start <= index < case.box[0].stop]
    for name, options in conditions(setting.bundle.network(given)).items():
        found = sections_of(setting, case, given, indices, 1, **options)[0]
        yield {"condition": name, "psnr": psnr(found[known], truth[known], highest), "mean": float(np.mean(found))}


def conditions(network: CrossSectionDiffusion) -> dict[str, Mapping[str, Any]]:
    """Name to sampling options: steps up to the schedule's with the network's own eta, the other eta, and guidance."""
    own = {f"{steps} steps": {"steps": steps} for steps in STEPS if steps <= network.schedule.steps}
    eta = 0.0 if network.settings.eta else 1.0
    other = {f"eta {eta:g}, {steps} steps": {"eta": eta, "steps": steps} for steps in OTHER_ETA_STEPS}
    return {**own, **other, **OTHERS}


def positions(setting: VolumeSetting, size: int) -> tuple[int, ...]:
    """Sections that are looked at: half of those of the profile, because a thousand steps are many."""
    return setting.profile.positions(size)[::2]


def work(setting: VolumeSetting) -> float:
    """Sections that one cone costs; guidance calls the network twice."""
    if not setting.bundle.knows(CONES):
        return 0.0
    network = setting.bundle.networks[CONES]
    calls = sum(
        (1 + (options.get("guidance", 1.0) != 1)) * options["steps"] for options in conditions(network).values()
    )
    share = len(positions(setting, network.image_size)) / network.image_size
    return work_of(CONES, share, calls / setting.own_steps(CONES))


def tables(rows: Sequence[Row]) -> list[ResultTable]:
    """One table."""
    note = (
        "One sample of every few sections of one view; 1 step is the estimate of the posterior mean, which has the "
        "highest PSNR and the least detail. X-Diffusion reports a plateau from 800 steps on."
    )
    head = {"psnr": "PSNR dB", "mean": "mean intensity"}
    return [condition_table(rows, "sampler", "Steps, eta and guidance", head, note)]


SAMPLER: Final = Study("sampler", "Sampler", (CONES,), {"cpu": 2, "full": 50}, measure, work, tables)
