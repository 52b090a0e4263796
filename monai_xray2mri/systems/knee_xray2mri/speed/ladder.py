"""The rungs of the ladder, each measured in a process of its own: time, work, share of the limit, memory, picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.diffusion.sampler_settings import SamplerSettings
from monai_xray2mri.diffusion.samplers import consistency, dpm_solver
from monai_xray2mri.evaluation.machine_limit import LayerTime, Work, convolutions_of, times_alone, work_of
from monai_xray2mri.evaluation.metrics import psnr
from monai_xray2mri.evaluation.structure import ssim_per_slice
from monai_xray2mri.networks.inference import inference_twin
from monai_xray2mri.systems.knee_xray2mri.drawing import KneeView, condition_of
from monai_xray2mri.systems.knee_xray2mri.faster import FasterParts
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion, load_slice_diffusion
from monai_xray2mri.systems.knee_xray2mri.speed.loops import (
    Task,
    authors_loop,
    authors_network,
    batched_loop,
    diffusers_loop,
    monai_loop,
    own_loop,
)

STORED_UNIT: Final = 2 / 4095
"""Of a voxel in [-1,1]."""
HALF_PSNR_DB: Final = 40.0
"""Least PSNR against R0 that counts as equal output where networks compute in 16 bits."""
FEW_STEPS: Final = 4
_DECODED_BEFORE: Final = 5
"""Images that the package decoded at a time before it had twins for inference."""

Draw = Callable[[Task], Tensor]


@dataclass(frozen=True)
class Rung:
    """One way of drawing a volume.

    Attributes:
        title: in words.
        draw: the way.
        half: networks compute in 16 bits.
        steps: of the sampler; None: the network's own, and the output must be R0's.
        network: the network as this way takes it: ``"authors"``, ``"plain"`` or ``"twin"``.
        fast: with the weights that the bundle has for few steps, in their steps.
        small: with the bundle's small decoder.
        conditions: how often the radiograph is encoded: for each ``"slice"``, ``"chunk"`` or ``"volume"``.
    """

    title: str
    draw: Draw
    half: bool = False
    steps: int | None = None
    network: str = "plain"
    conditions: str = "volume"
    fast: bool = False
    small: bool = False

    @property
    def redraws(self) -> bool:
        """Whether its picture need not be R0's."""
        return self.steps is not None or self.fast or self.small


def _before(task: Task) -> Tensor:
    return batched_loop(task, together=_DECODED_BEFORE)


_BATCHED: Final = {"network": "authors", "conditions": "chunk"}
RUNGS: Final[Mapping[str, Rung]] = {
    "R0": Rung("the authors' loop", authors_loop, network="authors", conditions="slice"),
    "R1": Rung("R0 in half precision", authors_loop, half=True, network="authors", conditions="slice"),
    "R2": Rung("slices batched", batched_loop, **_BATCHED),  # type: ignore[arg-type]
    "R2-half": Rung("R2 in half precision", batched_loop, half=True, **_BATCHED),  # type: ignore[arg-type]
    "before": Rung("attention fused, channels last", _before, conditions="chunk"),
    "before-half": Rung("the same in half precision", _before, half=True, conditions="chunk"),
    "R3": Rung("the package", own_loop, network="twin"),
    "R3-half": Rung("R3 in half precision", own_loop, half=True, network="twin"),
    "R4-ddim": Rung(f"R3, {FEW_STEPS} steps of DDIM", own_loop, steps=FEW_STEPS, network="twin"),
    "R4-dpm": Rung(
        f"R3, {FEW_STEPS} steps of DPM-Solver++", partial(own_loop, sampler=dpm_solver), steps=FEW_STEPS, network="twin"
    ),
    "R4-unipc": Rung(
        f"diffusers' UniPC, {FEW_STEPS} steps", partial(diffusers_loop, scheduler="UniPCMultistepScheduler"),
        steps=FEW_STEPS,
    ),
    "R5-small": Rung("R3 with the small decoder", own_loop, small=True, network="twin"),
    "R5-few": Rung("R3 with weights for few steps", partial(own_loop, sampler=consistency), fast=True, network="twin"),
    "R5": Rung(
        "both", partial(own_loop, sampler=consistency), fast=True, small=True, half=True, network="twin"
    ),
    "diffusers": Rung("pipeline loop of diffusers", diffusers_loop),
    "monai": Rung("MONAI's LatentDiffusionInferer", monai_loop),
}  # fmt: skip
"""By name."""


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


@dataclass(frozen=True)
class Cost:
    """What one process measured.

    Attributes:
        seconds: of each counted volume.
        cpu_seconds: of all threads, which other work on the machine changes less; of each.
        first: seconds of the first volume, in which kernels are chosen.
        start_cpu_seconds: from the start of the process to a network with its weights, before any volume.
        memory_mb: peak resident memory of the process.
        device_memory_mb: peak memory of tensors on the GPU; None on a CPU.
    """

    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]
    first: float
    start_cpu_seconds: float
    memory_mb: float
    device_memory_mb: float | None


def measure(job: Job) -> Cost:
    """Draw the volumes of a job in this process and say what they cost."""
    from monai_xray2mri.runtime.memory import peak_memory_mb

    torch.set_num_threads(job.threads)
    network = load_slice_diffusion(job.bundle).to(job.device).eval()
    start = time.process_time()
    task, draw = task_of(job, network), RUNGS[job.rung].draw
    found = [_timed(draw, task, job.picture) for _ in range(1 + job.repeats)]
    cuda = job.device.startswith("cuda")
    return Cost(
        tuple(seconds for seconds, _ in found[1:]),
        tuple(cpu for _, cpu in found[1:]),
        found[0][0],
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
    start, cpu = time.perf_counter(), time.process_time()
    volume = draw(task)  # on the host, so that a GPU is done
    found = time.perf_counter() - start, time.process_time() - cpu
    if picture is not None:
        np.save(picture, volume.numpy())
    return found


@dataclass(frozen=True)
class Picture:
    """What a volume is worth.

    Attributes:
        psnr_r0: against R0's volume in dB; infinite where they are equal.
        ssim_r0: against it.
        largest: difference from it in stored units (1/4095 of the range).
        psnr_truth: against the truth in dB; None: nobody knows.
        ssim_truth: against it.
        equal: whether it is R0's picture within the rung's tolerance; None where it need not be.
    """

    psnr_r0: float
    ssim_r0: float
    largest: float
    psnr_truth: float | None
    ssim_truth: float | None
    equal: bool | None


def compare(rung: Rung, volume: np.ndarray, reference: np.ndarray, truth: np.ndarray | None) -> Picture:
    """Compare volumes [S,H,W] in [-1,1] with R0's and with the truth in [0,1]."""
    found, known = (volume + 1) / 2, (reference + 1) / 2
    to_r0, largest = psnr(found, known, 1.0), float(np.abs(volume - reference).max()) / STORED_UNIT
    equal = None if rung.redraws else to_r0 >= HALF_PSNR_DB if rung.half else largest <= 1
    return Picture(
        to_r0,
        ssim_per_slice(found, known, 1.0),
        largest,
        None if truth is None else psnr(found, truth, 1.0),
        None if truth is None else ssim_per_slice(found, truth, 1.0),
        equal,
    )


@torch.inference_mode()
def parts_of_work(network: SliceDiffusion, kind: str) -> dict[str, Work]:
    """Work of encoding a radiograph, of one call of the denoiser and of decoding, for one slice; ``meta`` counts too.

    Args:
        network: with weights or without.
        kind: as :attr:`Rung.network`.
    """
    taken = authors_network(network) if kind == "authors" else network
    twin = inference_twin(taken) if kind == "twin" else taken
    like, size = network.null_context, network.image_size
    film, features = like.new_zeros(1, 1, size, size), like.new_zeros(1, network.guide_width)
    latent, place = like.new_zeros(1, *network.latent_shape()), like.new_zeros(1)
    condition = network.condition(film, features)
    t = torch.zeros(1, dtype=torch.long, device=like.device)
    return {
        "condition": work_of(lambda: network.condition(film, features)),
        "denoise": work_of(lambda: twin.denoise(latent, t, condition, place)),
        "decode": work_of(lambda: twin.decode(latent)),
    }


def work_of_volume(rung: Rung, parts: Mapping[str, Work], slices: int, steps: int, chunk: int) -> Work:
    """Work of a volume by :func:`parts_of_work` of the rung's network."""
    encoded = {"slice": slices, "chunk": -(-slices // chunk), "volume": 1}[rung.conditions]
    return parts["condition"] * encoded + parts["denoise"] * (slices * steps) + parts["decode"] * slices


@torch.inference_mode()
def layer_times(task: Task) -> list[LayerTime]:
    """Each convolution of a volume timed alone, as it was before twins: what a loop of these layers takes at least."""
    network, chunk = task.network, min(task.chunk, task.slices)
    like, parts = network.null_context, -(-task.slices // chunk)
    latent = like.new_zeros(chunk, *network.latent_shape())
    condition = condition_of(network, task.view).expand(chunk)
    t, place = torch.zeros(chunk, dtype=torch.long, device=like.device), like.new_zeros(chunk)
    denoised = convolutions_of(network.denoiser, lambda: network.denoise(latent, t, condition, place))
    few = latent[:_DECODED_BEFORE]
    decoded = convolutions_of(network.autoencoder, lambda: network.decode(few))
    calls = {shape: count * parts * task.settings.steps for shape, count in denoised.items()}
    for shape, count in decoded.items():
        calls[shape] = calls.get(shape, 0) + count * -(-task.slices // _DECODED_BEFORE)
    dtype = torch.bfloat16 if task.dtype == "bfloat16" else torch.float32
    return times_alone(type(denoised)(calls), task.device, dtype)


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
    """A row of the table, for programs.

    Args:
        name: of the rung.
        job: that was measured.
        cost: of it.
        work: of a volume.
        rate: matrix rate of one thread in 10^9 operations a second, in the rung's type.
        picture: None: not compared.
    """
    seconds, cpu = median(cost.seconds), median(cost.cpu_seconds)
    spent = cpu if job.device == "cpu" else seconds  # a second of one thread, or of the device
    return {
        "rung": name,
        "title": RUNGS[name].title,
        "threads": job.threads,
        "slices": job.slices,
        "seconds": seconds,
        "spread": [min(cost.seconds), max(cost.seconds)],
        "cpu_seconds": cpu,
        "first_seconds": cost.first,
        "start_cpu_seconds": cost.start_cpu_seconds,
        "gflop": work.gflop,
        "gigabytes": work.gigabytes,
        "share_of_limit": work.gflop / (spent * rate),
        "memory_mb": cost.memory_mb,
        "device_memory_mb": cost.device_memory_mb,
        "picture": None if picture is None else asdict(picture),
    }


def paper_work(bundle: Path) -> dict[str, Any]:
    """What a volume of the paper's size asks for, by rung; networks hold no numbers and nothing is computed."""
    from monai_xray2mri.training.configurations import configuration_files
    from monai_xray2mri.training.configured import read_configurations

    parser = read_configurations(configuration_files(bundle, ("paper",), bundle), {})
    with torch.device("meta"):
        network: SliceDiffusion = parser.get_parsed_content("network_def").eval()
    slices, steps = network.slices, network.settings.steps
    rungs = {}
    for name in ("R0", "R3"):
        rung = RUNGS[name]
        work = work_of_volume(rung, parts_of_work(network, rung.network), slices, steps, Task.chunk)
        rungs[name] = {"tflop": work.gflop / 1e3, "terabytes": work.gigabytes / 1e3}
    return {"slices": slices, "steps": steps, "rungs": rungs}
