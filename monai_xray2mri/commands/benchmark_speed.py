"""``xray2mri benchmark speed``: a knee's volume from the authors' loop to the machine's limit, rung by rung."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from monai_xray2mri.commands.options import named_path
from monai_xray2mri.errors import ExitCode, UsageError
from monai_xray2mri.runtime.files import require_free, write_whole
from monai_xray2mri.runtime.memory_pages import use_huge_pages

Say = Callable[[str], object]

SYSTEM: Final = "knee_xray2mri"
QUIET: Final = 1.0
"""Load of a machine below which wall time of two threads means something."""


def add_command(kinds: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add ``benchmark speed``.

    Args:
        kinds: the sub-parsers of ``benchmark``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    parser = kinds.add_parser(
        "speed", parents=[common], help="a volume of a knee, from the authors' loop to the machine's limit",
        description="Time, work, memory and picture of a volume of a knee in each way of drawing it (docs/speed.md): "
        "a table and the bars on stderr, JSON on stdout.",
    )  # fmt: skip
    parser.add_argument("--bundle", type=named_path, help=f"with its weights (default: {SYSTEM} of the package)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], metavar="N", help="of the CPU (default: 1 2)")
    parser.add_argument("--device", default="cpu", help="auto, cuda or cpu (default: %(default)s)")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="RUNG",
        help="which ways (default: all, on a CPU but those that compile); R0 is always drawn once",
    )
    parser.add_argument(
        "--size", choices=["compact", "paper"], default="compact",
        help="the bundle's network, or one of the paper's size with random weights, which is measured on CUDA and "
        "counted elsewhere (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--slices", type=int, help="of the volume (default: the bundle's)")
    parser.add_argument("--steps", type=int, help="of the sampler (default: the bundle's)")
    parser.add_argument("--repeats", type=int, default=2, help="counted volumes of each way (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="of the simulated knee (default: the first of the test range)")
    parser.add_argument(
        "--endurance", action="store_true", help="also: ten times the slices, and a hundred cases in one process"
    )
    parser.add_argument("--json", type=named_path, metavar="FILE", help="also write the JSON to this file")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure the rungs.

    Raises:
        UsageError: an unknown rung, a number that is too small, a file that cannot be written, or the device does not
            exist.
        OutOfMemory: the process of a measurement was killed.
    """
    use_huge_pages()
    import torch

    from monai_xray2mri.core.bundles import shipped_bundle
    from monai_xray2mri.runtime.devices import choose_device
    from monai_xray2mri.systems.knee_xray2mri.speed.run import count_paper

    _check(options)
    bundle, device = options.bundle or shipped_bundle(SYSTEM), choose_device(options.device)
    say = (lambda line: None) if options.quiet else (lambda line: print(line, file=sys.stderr, flush=True))
    load = os.getloadavg()[0]
    if load > QUIET:
        say(f"xray2mri: other work on this machine makes times longer (load {load:.1f}); CPU seconds change less")
    answer: dict[str, Any] = {
        "system": SYSTEM,
        "bundle": bundle.name,
        "size": options.size,
        "device": str(device),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load": load,
        "torch": torch.__version__,
    }
    if options.size == "compact" or device.type == "cuda":
        answer |= _measured(options, bundle, str(device), load, say)
    else:
        say("the paper's size is measured on CUDA alone; on other devices its work is counted")
    answer["paper"] = count_paper(bundle, say)
    text = json.dumps(answer, indent=2)
    if options.json is not None:
        write_whole(options.json, text.encode() + b"\n")
    print(text)
    return ExitCode.DONE


def _check(options: argparse.Namespace) -> None:
    """Refuse impossible options before anything is measured."""
    from monai_xray2mri.systems.knee_xray2mri.speed.rungs import RUNGS

    if unknown := set(options.only or ()) - set(RUNGS):
        raise UsageError("option only", f"must be among: {', '.join(RUNGS)}", ", ".join(sorted(unknown)))
    for name, least in (("threads", 1), ("slices", 2), ("steps", 1), ("repeats", 1)):
        given = getattr(options, name)
        if given is not None and min(given if isinstance(given, list) else [given]) < least:
            raise UsageError(f"option {name}", f"must be at least {least}", str(given))
    if options.json is not None:
        require_free(options.json.parent, ())


def _measured(options: argparse.Namespace, bundle: Path, device: str, load: float, say: Say) -> dict[str, Any]:
    """Rows, bars, layers, film and endurance of one volume."""
    import torch

    from monai_xray2mri.runtime.processes import usable_cores
    from monai_xray2mri.simulation.knee.people.seeds import TEST
    from monai_xray2mri.systems.knee_xray2mri.speed import bars, ladder, run, table

    rates = run.matrix_rates(torch.device(device))
    said = ", ".join(f"{rate:.0f} GFLOP/s {dtype}" for dtype, rate in rates.items())
    say(f"matrix rate of {'one thread' if device == 'cpu' else device}: {said}")
    paper, threads = options.size == "paper", options.threads
    with tempfile.TemporaryDirectory() as folder:
        case = Path(folder) / "case.npz"
        ladder.write_case(ladder.simulated_case(options.seed or TEST[0]), case)
        base = ladder.Job(bundle, "R0", device, threads[0], 0, options.steps, options.repeats, case, paper=paper)
        network = base.network()
        base = replace(base, slices=options.slices or network.slices)
        rows, missing = run.measure_ladder(base, options.only, threads, rates, network, say)
        say(table.start_line(rows))
        found = {
            "gflop_a_second": rates,
            "rungs": rows,
            "not_measured": missing,
            "layers": run.measure_layers(base, network, rates["float32"], say),
        }
        film = None if paper else run.measure_film(base, say)
        found |= {"film": film} if film else {}
        if options.endurance:
            found["endurance"] = run.measure_endurance(base, say)
    crowded = f"load {load:.1f}" if load > QUIET else "one core" if usable_cores() < 2 else ""
    verdicts = bars.verdicts(rows, film, paper=paper, crowded=crowded)
    say("\n" + "\n".join(map(str, verdicts)))
    return found | {"bars": [verdict.as_json() for verdict in verdicts]}
