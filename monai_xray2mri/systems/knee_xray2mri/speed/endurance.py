"""Whether memory stays flat: with ten times the slices, and over a hundred cases in one process."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Any, Final

import torch

from monai_xray2mri.runtime.memory import peak_memory_mb
from monai_xray2mri.runtime.processes import resident_gigabytes
from monai_xray2mri.systems.knee_xray2mri.speed.ladder import Job, task_of
from monai_xray2mri.systems.knee_xray2mri.speed.loops import own_loop

SLICES: Final = (50, 500)
CASES: Final = 100


def job_of(base: Job, slices: int) -> Job:
    """A volume of so many slices in one step, drawn once: memory does not depend on the steps."""
    return replace(base, rung="R3", slices=slices, steps=1, repeats=1)


def measure_volume(job: Job) -> dict[str, float]:
    """CPU seconds and peak memory of one volume, in this process, and what of it is neither network nor result."""
    torch.set_num_threads(job.threads)
    task = task_of(job, job.network())
    own_loop(replace(task, slices=2))  # libraries are loaded
    before, start = peak_memory_mb(), time.process_time()
    volume = own_loop(task)
    seconds, peak = time.process_time() - start, peak_memory_mb()
    result = volume.numel() * volume.element_size() / 1e6
    return {"cpu_seconds": seconds, "memory_mb": peak, "beyond_result_mb": peak - before - result}


def measure_cases(job: Job) -> dict[str, Any]:
    """How resident memory grows over cases in one process, after the first tenth of them."""
    torch.set_num_threads(job.threads)
    task = task_of(job, job.network())
    resident = []
    for number in range(CASES):
        own_loop(replace(task, view=replace(task.view, identity=f"case {number}")))
        resident.append(resident_gigabytes(os.getpid()) * 1000)
    return {"cases": CASES, "growth_mb": resident[-1] - resident[CASES // 10], "resident_mb": resident[-1]}
