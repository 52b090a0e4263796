"""The rungs of the ladder, each measured in a process of its own: time, work, share of the limit, memory, picture."""

from __future__ import annotations

import math
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import torch

from monai_xray2mri.diffusion.sampler_settings import SamplerSettings
from monai_xray2mri.evaluation.machine_limit import Work
from monai_xray2mri.evaluation.metrics import psnr
from monai_xray2mri.evaluation.structure import ssim_per_slice
from monai_xray2mri.systems.knee_xray2mri.drawing import KneeView
from monai_xray2mri.systems.knee_xray2mri.faster import FasterParts
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion, load_slice_diffusion
from monai_xray2mri.systems.knee_xray2mri.speed.loops import Task, authors_network
from monai_xray2mri.systems.knee_xray2mri.speed.paper import paper_network
from monai_xray2mri.systems.knee_xray2mri.speed.rungs import RUNGS, Draw, Rung, Tolerance

STORED_UNIT: Final = 2 / 4095
"""Of a voxel in [-1,1]."""


@dataclass(frozen=True)
class Case:
    """The knee that is drawn, as a file that each process reads.

    Attributes:
        film: [H,W] float32 in [-1,1].
        features: one-hot code [61].
        truth: [S,H,W] in [0,1] without noise; None: nobody knows.
    """

    film: np.ndarray
    features: np.ndarray
    truth: np.ndarray | None

    def view(self) -> KneeView:
        """What the network is given."""
        return KneeView(torch.from_numpy(self.film), torch.from_numpy(self.features), "benchmark")


@dataclass(frozen=True)
class Job:
    """What one process measures.

    Attributes:
        bundle: with the network.
        rung: name of :data:`RUNGS`.
        device: where to compute.
        threads: of the CPU.
        slices: of the volume.
        steps: in place of the rung's; None leaves them.
        repeats: counted volumes, after one that is not.
        case: file of the case (``.npz``).
        picture: file that the volume is written to (``.npy``); None: none.
        paper: with a network of the paper's size and weights of torch's generator in place of the bundle's own.
    """

    bundle: Path
    rung: str
    device: str
    threads: int
    slices: int
    steps: int | None
    repeats: int
    case: Path
    picture: Path | None = None
    paper: bool = False

    def network(self) -> SliceDiffusion:
        """On its device, in evaluation mode."""
        network = paper_network(self.bundle) if self.paper else load_slice_diffusion(self.bundle)
        return network.to(self.device).eval()


@dataclass(frozen=True)
class Cost:
    """What one process measured.

    Attributes:
        seconds: of each counted volume.
        cpu_seconds: of all threads, which other work on the machine changes less; of each.
        first: seconds of the first volume, in which kernels are chosen and networks compiled.
        first_cpu: CPU seconds of it, with those of compilers.
        start_cpu_seconds: from the start of the process to a network with its weights, before any volume.
        memory_mb: peak resident memory of the process.
        device_memory_mb: peak memory of tensors on the GPU; None on a CPU.
    """

    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]
    first: float
    first_cpu: float
    start_cpu_seconds: float
    memory_mb: float
    device_memory_mb: float | None


def measure(job: Job) -> Cost:
    """Draw the volumes of a job in this process and say what they cost."""
    from monai_xray2mri.runtime.memory import peak_memory_mb

    torch.set_num_threads(job.threads)
    network = job.network()
    start = time.process_time()
    task, draw = task_of(job, network), RUNGS[job.rung].draw
    found = [_timed(draw, task, job.picture) for _ in range(1 + job.repeats)]
    cuda = job.device.startswith("cuda")
    return Cost(
        tuple(seconds for seconds, _ in found[1:]),
        tuple(cpu for _, cpu in found[1:]),
        *found[0],
        start,
        peak_memory_mb(),
        torch.cuda.max_memory_allocated(job.device) / 1e6 if cuda else None,
    )


def task_of(job: Job, network: SliceDiffusion) -> Task:
    """The volume that a job draws."""
    rung = RUNGS[job.rung]
    settings = settings_of(network, rung if job.steps is None else replace(rung, steps=job.steps))
    taken = authors_network(network) if rung.network == "authors" else chosen_network(job.bundle, network, rung)
    return Task(taken, read_case(job.case).view(), job.slices, settings, "bfloat16" if rung.half else "float32")


def chosen_network(bundle: Path, network: SliceDiffusion, rung: Rung) -> SliceDiffusion:
    """The network with the bundle's own parts that a rung takes in place of its own.

    Raises:
        UsageError: the bundle has no such part.
    """
    if not (rung.fast or rung.small):
        return network
    return FasterParts.of_bundle(bundle, network).network(network, fast=rung.fast, small=rung.small)


def settings_of(network: SliceDiffusion, rung: Rung) -> SamplerSettings:
    """The network's own, without added noise, which some of the ways do not know, in the rung's steps."""
    return network.settings.altered(eta=0.0, steps=rung.steps)


def _timed(draw: Draw, task: Task, picture: Path | None) -> tuple[float, float]:
    start, cpu = time.perf_counter(), _cpu_seconds()
    volume = draw(task)  # on the host, so that a GPU is done
    found = time.perf_counter() - start, _cpu_seconds() - cpu
    if picture is not None:
        np.save(picture, volume.numpy())
    return found


def _cpu_seconds() -> float:
    """Of this process and of the children that have ended, such as compilers."""
    spent = os.times()
    return time.process_time() + spent.children_user + spent.children_system


def pays_after(compiled: Cost, plain: Cost, device: str) -> int | None:
    """Volumes after which a compiled way has taken less time in all than the one that it is compiled from; None: never.

    By CPU seconds on a CPU, else by seconds.
    """
    on_cpu = device == "cpu"
    (first, later), (plain_first, plain_later) = (
        (cost.first_cpu, median(cost.cpu_seconds)) if on_cpu else (cost.first, median(cost.seconds))
        for cost in (compiled, plain)
    )
    if later >= plain_later:
        return 1 if first < plain_first else None
    return max(1, 1 + math.ceil((first - plain_first) / (plain_later - later)))


@dataclass(frozen=True)
class Picture:
    """What a volume is worth.

    Attributes:
        psnr_r0: against R0's volume in dB; infinite where they are equal.
        ssim_r0: against it.
        largest: difference from it in stored units (1/4095 of the range).
        psnr_truth: against the truth in dB; None: nobody knows.
        ssim_truth: against it.
        within: whether it keeps the rung's tolerance; None where that asks for the truth, which nobody knows.
    """

    psnr_r0: float
    ssim_r0: float
    largest: float
    psnr_truth: float | None
    ssim_truth: float | None
    within: bool | None


def compare(rung: Rung, volume: np.ndarray, reference: np.ndarray, truth: np.ndarray | None) -> Picture:
    """Compare volumes [S,H,W] in [-1,1] with R0's and with the truth in [0,1]."""
    found, known = (volume + 1) / 2, (reference + 1) / 2
    picture = Picture(
        psnr(found, known, 1.0),
        ssim_per_slice(found, known, 1.0),
        float(np.abs(volume - reference).max()) / STORED_UNIT,
        None if truth is None else psnr(found, truth, 1.0),
        None if truth is None else ssim_per_slice(found, truth, 1.0),
        None,
    )
    best = None if truth is None else (psnr(known, truth, 1.0), ssim_per_slice(known, truth, 1.0))
    return replace(picture, within=_within(rung.tolerance, picture, best))


def _within(asked: Tolerance, picture: Picture, best: tuple[float, float] | None) -> bool | None:
    """Whether a picture keeps a tolerance, ``best`` being PSNR and SSIM of R0's picture against the truth."""
    kept = [
        asked.units is None or picture.largest <= asked.units,
        asked.psnr is None or picture.psnr_r0 >= asked.psnr,
    ]
    if best is not None and picture.psnr_truth is not None and picture.ssim_truth is not None:
        kept.append(asked.loss_db is None or best[0] - picture.psnr_truth <= asked.loss_db)
        kept.append(asked.loss_ssim is None or best[1] - picture.ssim_truth <= asked.loss_ssim)
    elif all(kept) and (asked.loss_db is not None or asked.loss_ssim is not None):
        return None
    return all(kept)


def simulated_case(seed: int) -> Case:
    """A simulated knee with its truth."""
    from monai_xray2mri.knee.grading.features import one_hot
    from monai_xray2mri.simulation.knee.knee import simulate_knee
    from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import simulated_case as case_of

    case = case_of(simulate_knee(seed))
    assert case.inputs.radiograph is not None
    return Case(case.inputs.radiograph, one_hot(case.inputs.grades), case.noise_free)


def write_case(case: Case, file: Path) -> None:
    """Write a case for other processes."""
    truth = np.zeros(0) if case.truth is None else case.truth
    np.savez(file, film=case.film, features=case.features, truth=truth)


def read_case(file: Path) -> Case:
    """A case that :func:`write_case` wrote."""
    with np.load(file) as held:
        truth = held["truth"]
        return Case(held["film"], held["features"], truth if truth.size else None)


def row(name: str, job: Job, cost: Cost, work: Work, rate: float, picture: Picture | None) -> dict[str, Any]:
    """A row of the table, for programs; ``spent_seconds`` are those of threads of a CPU, or of the device.

    Args:
        name: of the rung.
        job: that was measured.
        cost: of it.
        work: of a volume.
        rate: matrix rate of one thread in 10^9 operations a second, in the rung's type.
        picture: None: not compared.
    """
    seconds, cpu = median(cost.seconds), median(cost.cpu_seconds)
    spent = cpu if job.device == "cpu" else seconds
    return {
        "rung": name,
        "title": RUNGS[name].title,
        "tolerance": asdict(RUNGS[name].tolerance) | {"words": str(RUNGS[name].tolerance)},
        "threads": job.threads,
        "slices": job.slices,
        "seconds": seconds,
        "spread": [min(cost.seconds), max(cost.seconds)],
        "cpu_seconds": cpu,
        "spent_seconds": spent,
        "first_seconds": cost.first,
        "first_cpu_seconds": cost.first_cpu,
        "start_cpu_seconds": cost.start_cpu_seconds,
        "gflop": work.gflop,
        "gigabytes": work.gigabytes,
        "share_of_limit": work.gflop / (spent * rate),
        "memory_mb": cost.memory_mb,
        "device_memory_mb": cost.device_memory_mb,
        "picture": None if picture is None else asdict(picture),
    }
