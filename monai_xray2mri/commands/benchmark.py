"""``xray2mri benchmark``: time and memory on this machine, as a table on stderr and as JSON on stdout.

``benchmark simulate`` measures the simulator. Each kind of output has its own process, so that peak memory belongs to
one kind. A first knee, during which libraries are loaded, is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Final

from monai_xray2mri.commands import (
    benchmark_imports,
    benchmark_speed,
    benchmark_system,
    cohort_trial,
    fuzzing,
    soak,
)
from monai_xray2mri.errors import ExitCode, UsageError

KINDS: Final = {
    "knee": "volume, labels, truth, joint radiograph",
    "radiograph": "joint radiograph alone",
    "film": "bilateral film, 0.3 mm",
    "fine-film": "bilateral film, 0.143 mm",
    "batch": "knees left on the device, each",
}
"""What ``benchmark simulate`` measures."""
FINE_PIXEL_MM: Final = 0.143


@dataclass(frozen=True)
class Measurement:
    """Cost of one kind of output.

    Attributes:
        kind: one of ``KINDS``.
        knees: number of knees, without the first one.
        seconds: median time of one knee in seconds.
        fastest: least time of one knee in seconds.
        memory_mb: peak resident memory of the process in MB, with libraries.
        device_memory_mb: peak memory of tensors on the GPU in MB; None on a CPU.
    """

    kind: str
    knees: int
    seconds: float
    fastest: float
    memory_mb: float
    device_memory_mb: float | None = None


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the sub-command ``benchmark`` with ``simulate`` (of this module), and those of other modules.

    Args:
        commands: the sub-parsers of ``xray2mri``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    parser = commands.add_parser("benchmark", parents=[common], help="time and memory on this machine")
    kinds = parser.add_subparsers(dest="benchmark", required=True)
    simulate = kinds.add_parser(
        "simulate", parents=[common], help="the simulator", description="Time and memory of the simulator, per knee."
    )
    simulate.add_argument("--knees", type=int, default=3, help="knees per measurement (default: %(default)s)")
    simulate.add_argument("--device", default="cpu", help="auto, cuda, mps or cpu (default: %(default)s)")
    simulate.add_argument("--only", nargs="+", choices=list(KINDS), help="what to measure (default: all)")
    simulate.set_defaults(run=run)
    fuzzing.add_command(kinds, common)
    soak.add_command(kinds, common)
    cohort_trial.add_command(kinds, common)
    benchmark_speed.add_command(kinds, common)
    benchmark_system.add_commands(kinds, common)
    benchmark_imports.add_command(kinds, common)


def run(options: argparse.Namespace) -> int:
    """Run ``benchmark simulate``: a table on stderr, unless ``--quiet``, and JSON on stdout.

    Raises:
        UsageError: fewer than one knee, or the device does not exist.
        OutOfMemory: the process of a measurement was killed.
    """
    import torch

    from monai_xray2mri.runtime.devices import choose_device
    from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION

    if options.knees < 1:
        raise UsageError("option knees", "must be at least 1", str(options.knees))
    device = str(choose_device(options.device))
    if not options.quiet:
        print(f"{'per knee or film, on ' + device:<40} {'seconds':>10} {'memory':>11}", file=sys.stderr)
    load, measurements = os.getloadavg()[0], []
    for kind in options.only or KINDS:
        measurements.append(measure(kind, options.knees, device))
        if not options.quiet:
            print(_line(measurements[-1]), file=sys.stderr)
    answer = {
        "simulator_version": SIMULATOR_VERSION,
        "device": _device_name(device),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load": load,  # other work on the machine makes the times longer
        "torch": torch.__version__,
        "measurements": [asdict(measurement) for measurement in measurements],
    }
    print(json.dumps(answer, indent=2))
    return ExitCode.DONE


def _makers() -> dict[str, Callable[[Sequence[int], str], object]]:
    """Function of seeds and device for each kind. Only ``batch`` uses all seeds; films are made on the CPU."""
    from monai_xray2mri.simulation.knee.film.film import simulate_film
    from monai_xray2mri.simulation.knee.film.film_options import FilmOptions
    from monai_xray2mri.simulation.knee.knee import simulate_knee, simulate_knees, simulate_radiograph

    fine = FilmOptions(pixel_mm=FINE_PIXEL_MM)
    return {
        "knee": lambda seeds, device: simulate_knee(seeds[0], device=device),
        "radiograph": lambda seeds, device: simulate_radiograph(seeds[0], device=device),
        "film": lambda seeds, _: simulate_film(seeds[0]),
        "fine-film": lambda seeds, _: simulate_film(seeds[0], options=fine),
        "batch": lambda seeds, device: [knee.volume for knee in simulate_knees(seeds, device)],
    }


def measure(kind: str, knees: int, device: str = "cpu") -> Measurement:
    """Measure one kind of output in a process of its own.

    Args:
        kind: one of ``KINDS``.
        knees: number of knees, without the first one.
        device: where to compute.

    Raises:
        OutOfMemory: the process was killed.
    """
    from monai_xray2mri.runtime.workers import Workers

    (found,) = Workers(1, apart=True)(partial(_measure, knees=knees, device=device), [kind])
    return found


def _measure(kind: str, knees: int, device: str) -> Measurement:
    """Measure in the current process; a ``batch`` of ``knees`` knees is measured once."""
    from statistics import median

    import torch

    from monai_xray2mri.runtime.memory import peak_memory_mb

    on_gpu = device.startswith("cuda")
    make = _makers()[kind]
    groups = [[0], list(range(1, knees + 1))] if kind == "batch" else [[seed] for seed in range(knees + 1)]
    times = []
    for seeds in groups:
        start = time.perf_counter()
        make(seeds, device)
        if on_gpu:
            torch.cuda.synchronize(device)
        times.append((time.perf_counter() - start) / len(seeds))
    return Measurement(
        kind=kind,
        knees=knees,
        seconds=median(times[1:]),
        fastest=min(times[1:]),
        memory_mb=peak_memory_mb(),
        device_memory_mb=torch.cuda.max_memory_allocated(device) / 1e6 if on_gpu else None,
    )


def _device_name(device: str) -> str:
    """The device with the GPU's name, if it is one."""
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)})" if device.startswith("cuda") else device


def _line(measurement: Measurement) -> str:
    gpu = f" + {measurement.device_memory_mb:.0f} MB on the GPU" if measurement.device_memory_mb is not None else ""
    return f"{KINDS[measurement.kind]:<40} {measurement.seconds:>8.2f} s {measurement.memory_mb:>8.0f} MB{gpu}"
