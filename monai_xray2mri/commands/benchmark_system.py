"""``xray2mri benchmark xdiffusion``, ``sccdm``: what the networks of a system cost here, held against stated bars."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Final

from monai_xray2mri.commands.options import named_path
from monai_xray2mri.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from monai_xray2mri.evaluation.speed import Figure, Part

SYSTEMS: Final = {"xdiffusion": "mri_xdiffusion", "sccdm": "foot_xray_sccdm"}
"""Names of the benchmark to systems. Their modules ``speed`` hold the parts, ``PARTS``."""


def add_commands(kinds: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add a benchmark for each system.

    Args:
        kinds: the sub-parsers of ``benchmark``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    for name, system in SYSTEMS.items():
        parser = kinds.add_parser(
            name, parents=[common], help=f"the networks of {system}",
            description=f"Time, memory and arithmetic of the networks of {system}; none of them needs weights.",
        )  # fmt: skip
        parser.add_argument(
            "--bundle", type=named_path, help=f"with its configurations (default: {system} of the package)"
        )
        parser.add_argument(
            "--threads", type=int, nargs="+", default=[1, 2], metavar="N", help="of the CPU (default: 1 2)"
        )
        parser.add_argument("--device", default="cpu", help="auto, cuda, mps or cpu (default: %(default)s)")
        parser.add_argument("--only", nargs="+", metavar="PART", help="what to measure (default: all)")
        parser.set_defaults(run=partial(run, system=system))


def run(options: argparse.Namespace, system: str) -> int:
    """Measure the parts: a table on stderr, unless ``--quiet``, and JSON on stdout.

    Raises:
        UsageError: an unknown part, fewer than one thread, or the device does not exist.
        OutOfMemory: the process of a measurement was killed.
    """
    import torch

    from monai_xray2mri.core.bundles import shipped_bundle
    from monai_xray2mri.evaluation.speed import measure_part
    from monai_xray2mri.runtime.devices import choose_device

    parts: dict[str, Part] = dict(import_module(f"monai_xray2mri.systems.{system}.speed").PARTS)
    if unknown := set(options.only or ()) - set(parts):
        raise UsageError("option only", f"must be among: {', '.join(parts)}", ", ".join(sorted(unknown)))
    if min(options.threads) < 1:
        raise UsageError("option threads", "must be at least 1", str(min(options.threads)))
    bundle, device = options.bundle or shipped_bundle(system), str(choose_device(options.device))
    load, figures = os.getloadavg()[0], []
    if load > 1 and not options.quiet:
        print(f"xray2mri: other work on this machine makes times longer (load {load:.1f})", file=sys.stderr)
    for name in options.only or parts:
        part = parts[name]
        for threads in options.threads if part.timed else options.threads[:1]:
            figures.append(measure_part(part, name, bundle, device, threads))
            if not options.quiet:
                print(_line(part, figures[-1]), file=sys.stderr)
    answer = {
        "system": system,
        "device": device,
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load": load,  # other work on the machine makes the times longer
        "torch": torch.__version__,
        "figures": [figure.as_json() for figure in figures],
    }
    print(json.dumps(answer, indent=2))
    return ExitCode.DONE


def _line(part: Part, figure: Figure) -> str:
    threads = f"{figure.threads} thread{'s' * (figure.threads > 1)}" if part.timed else ""
    cost = f", {figure.cpu_seconds:.1f} CPU s, {figure.memory_mb:,.0f} MB" if part.timed else ""
    bar = f"{figure.bar}: {figure.verdict}" if figure.bar else ""
    return f"{part.title:<48} {figure.value:>9.2f} {figure.unit:<10} {threads + cost:<34} {bar}".rstrip()
