"""A run of the ladder: rungs in processes of their own, layers, a film, the paper's size, endurance."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from monai_xray2mri.evaluation.machine_limit import Work, matrix_rate
from monai_xray2mri.runtime.devices import computes_bfloat16
from monai_xray2mri.runtime.threads import one_thread
from monai_xray2mri.runtime.workers import Workers
from monai_xray2mri.systems.knee_xray2mri.faster import FasterParts
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion
from monai_xray2mri.systems.knee_xray2mri.speed import around, endurance, table
from monai_xray2mri.systems.knee_xray2mri.speed.ladder import (
    Cost,
    Job,
    chosen_network,
    compare,
    measure,
    pays_after,
    read_case,
    row,
    settings_of,
    task_of,
)
from monai_xray2mri.systems.knee_xray2mri.speed.loops import Task
from monai_xray2mri.systems.knee_xray2mri.speed.rungs import RUNGS, Rung
from monai_xray2mri.systems.knee_xray2mri.speed.work import layer_times, paper_work, parts_of_work, work_of_volume

Say = Callable[[str], object]
_LAYERS_SHOWN: Final = 12


def not_here(names: Sequence[str] | None, device: torch.device, parts: FasterParts) -> dict[str, str]:
    """Rungs that are not measured here, and why.

    Args:
        names: of rungs that were asked for; None: no one has asked, and what takes minutes to compile is left out.
        device: where to compute.
        parts: of the bundle.
    """
    found = {}
    for name in names or RUNGS:
        rung, on_cuda = RUNGS[name], device.type == "cuda"
        if rung.only_cuda and not on_cuda:
            found[name] = "needs CUDA"
        elif rung.compiles and not on_cuda and names is None:
            found[name] = "takes minutes to compile on a CPU: name it by --only"
        elif rung.compiles and not on_cuda and shutil.which(os.environ.get("CXX", "g++")) is None:
            found[name] = "no C++ compiler"
        elif rung.half and not computes_bfloat16(device):
            found[name] = "this hardware does not compute bfloat16"
        if rung.fast and parts.few_steps is None:
            found[name] = "the bundle has no weights for few steps"
        elif rung.small and parts.small_decoder is None:
            found[name] = "the bundle has no small decoder"
        if name == "monai" and find_spec("monai") is None:
            found[name] = "MONAI is not installed"
    return found


def matrix_rates(device: torch.device) -> dict[str, float]:
    """10^9 operations a second of one thread, or of the GPU, by type that the hardware computes."""
    with one_thread():
        rates = {"float32": matrix_rate(device, torch.float32)}
        if computes_bfloat16(device):
            rates["bfloat16"] = matrix_rate(device, torch.bfloat16)
    return rates


def measure_ladder(
    base: Job,
    names: Sequence[str] | None,
    threads: Sequence[int],
    rates: Mapping[str, float],
    network: SliceDiffusion,
    say: Say,
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Measure rungs, and R0 before them.

    Args:
        base: what every rung's job has; its case lies in a folder that volumes may be written to.
        names: of the rungs; None: all that do not take minutes to compile.
        threads: of the CPU, one row each. R0 that is not named and rungs that compile have the first alone.
        rates: see :func:`matrix_rates`.
        network: the one that is measured.
        say: takes each line of the table.

    Returns:
        Rows, and the rungs that have none with the reason.

    Raises:
        OutOfMemory: the process of a measurement was killed.
    """
    parts = FasterParts() if base.paper else FasterParts.of_bundle(base.bundle, network)
    missing = not_here(names, torch.device(base.device), parts)
    wanted = list(RUNGS if names is None else names)
    truth = None if base.paper else read_case(base.case).truth
    if truth is not None and len(truth) != base.slices:
        truth = None  # other slices than those that are known
    counts: dict[tuple[str, bool], Mapping[str, Work]] = {}
    costs: dict[tuple[str, int], Cost] = {}
    reference: np.ndarray | None = None
    rows: list[dict[str, Any]] = []
    say(table.HEAD)
    for name in dict.fromkeys(["R0", *wanted]):
        rung = RUNGS[name]
        if reason := missing.get(name):
            say(f"{name:<12} {rung.title:<38} {reason}")
            continue
        steps = _steps(rung, network, parts, base.steps)
        kind = rung.network, rung.small  # weights for few steps have the shapes of the others
        if kind not in counts:
            counts[kind] = parts_of_work(chosen_network(base.bundle, network, rung), rung.network)
        work = work_of_volume(rung, counts[kind], base.slices, steps, Task.chunk)
        for number in threads if name in wanted and rung.compiles is None else threads[:1]:
            picture = base.case.with_name(f"{name}.npy")
            job = replace(base, rung=name, threads=number, steps=steps, picture=picture)
            cost = costs[name, number] = apart(measure, job)
            volume = np.load(picture)
            reference = volume if reference is None else reference
            made = row(
                name, job, cost, work, rates["bfloat16" if rung.half else "float32"],
                compare(rung, volume, reference, truth),
            )  # fmt: skip
            if plain := costs.get((rung.compiles or "", number)):
                made["pays"] = {"than": rung.compiles, "after_volumes": pays_after(cost, plain, base.device)}
            rows.append(made)
            say(table.line(made))
    return rows, missing


def _steps(rung: Rung, network: SliceDiffusion, parts: FasterParts, asked: int | None) -> int:
    """Steps of a rung's sampler: its own, else those that are asked for, else the network's."""
    if rung.fast:
        return parts.steps
    return settings_of(network, rung).steps if rung.steps or asked is None else asked


def apart(work: Callable[[Job], Any], job: Job) -> Any:
    """The work on a job in a process of its own."""
    (found,) = Workers(1, apart=True)(work, [job])
    return found


def measure_layers(base: Job, network: SliceDiffusion, rate: float, say: Say) -> dict[str, Any]:
    """Each convolution timed alone, on one thread, and its share of the matrix rate in float32."""
    job = replace(base, rung="before", threads=1)
    with one_thread():
        found = layer_times(task_of(job, network))
    total = sum(layer.calls * layer.seconds for layer in found)
    lines = [
        {
            "image": layer.shape.image,
            "weight": layer.shape.weight,
            "stride": layer.shape.stride,
            "calls": layer.calls,
            "seconds": layer.calls * layer.seconds,
            "gflop_a_second": layer.rate,
            "share_of_limit": layer.rate / rate,
        }
        for layer in found
    ]
    say(f"\nconvolutions alone, as 'before' has them: {total:.2f} s on one thread")
    for line in lines[:_LAYERS_SHOWN]:
        say(table.layer_line(line))
    return {"seconds": total, "shapes": lines}


def count_paper(bundle: Path, say: Say) -> dict[str, Any]:
    """What a volume of the paper's size asks for; nothing is computed."""
    found = paper_work(bundle)
    say(f"\nthe paper's size, {found['slices']} slices, nothing computed:")
    for name, line in found["rungs"].items():
        say(f"  {name:<12} {line['steps']:>3} steps {line['tflop']:>8.1f} TFLOP, {line['terabytes']:>6.2f} TB")
    return found


def measure_film(base: Job, say: Say) -> dict[str, Any]:
    """One film to its result folder, without sampling and decoding, on one thread."""
    found: dict[str, Any] = apart(around.measure_around, replace(base, threads=1))
    say(f"\na film of {found['rows']} rows to its result folder, without sampling and decoding: "
        f"{found['first_cpu_seconds']:.2f} CPU s in a new process, then {found['later_cpu_seconds']:.2f}")  # fmt: skip
    return found


def measure_endurance(base: Job, say: Say) -> dict[str, Any]:
    """Ten times the slices, and a hundred cases in one process."""
    found: dict[str, Any] = {}
    for slices in endurance.SLICES:
        cost = apart(endurance.measure_volume, endurance.job_of(base, slices))
        found[f"{slices} slices"] = cost
        say(f"{slices} slices in one step: {cost['cpu_seconds']:.1f} CPU s, {cost['memory_mb']:.0f} MB, "
            f"{cost['beyond_result_mb']:.0f} MB of them for the work")  # fmt: skip
    cases = found["cases"] = apart(endurance.measure_cases, endurance.job_of(base, 2))
    say(f"{cases['cases']} cases: resident memory grew by {cases['growth_mb']:.1f} MB after the first tenth")
    return found
