"""``xray2mri benchmark speed``: a knee's volume from the authors' loop to the machine's limit, rung by rung."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from monai_xray2mri.commands.options import named_path
from monai_xray2mri.errors import ExitCode, UsageError
from monai_xray2mri.runtime.memory_pages import use_huge_pages

if TYPE_CHECKING:
    import torch

    from monai_xray2mri.systems.knee_xray2mri.faster import FasterParts
    from monai_xray2mri.systems.knee_xray2mri.speed.ladder import Rung

SYSTEM: Final = "knee_xray2mri"
_LAYERS_SHOWN: Final = 12


def add_command(kinds: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add ``benchmark speed``.

    Args:
        kinds: the sub-parsers of ``benchmark``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    parser = kinds.add_parser(
        "speed", parents=[common], help="a volume of a knee, from the authors' loop to the machine's limit",
        description="Time, work, memory and picture of a volume of a knee in each way of drawing it (docs/speed.md): "
        "a table on stderr, JSON on stdout.",
    )  # fmt: skip
    parser.add_argument("--bundle", type=named_path, help=f"with its weights (default: {SYSTEM} of the package)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], metavar="N", help="of the CPU (default: 1 2)")
    parser.add_argument("--device", default="cpu", help="auto, cuda or cpu (default: %(default)s)")
    parser.add_argument("--only", nargs="+", metavar="RUNG", help="which ways (default: all); R0 is always drawn once")
    parser.add_argument("--slices", type=int, help="of the volume (default: the bundle's)")
    parser.add_argument("--steps", type=int, help="of the sampler (default: the bundle's)")
    parser.add_argument("--repeats", type=int, default=2, help="counted volumes of each way (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="of the simulated knee (default: the first of the test range)")
    parser.add_argument(
        "--endurance", action="store_true", help="also: ten times the slices, and a hundred cases in one process"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure the rungs.

    Raises:
        UsageError: an unknown rung, a number that is too small, or the device does not exist.
        OutOfMemory: the process of a measurement was killed.
    """
    use_huge_pages()
    import torch

    from monai_xray2mri.core.bundles import shipped_bundle
    from monai_xray2mri.runtime.devices import choose_device
    from monai_xray2mri.simulation.knee.people.seeds import TEST
    from monai_xray2mri.systems.knee_xray2mri.faster import FasterParts
    from monai_xray2mri.systems.knee_xray2mri.network import load_slice_diffusion
    from monai_xray2mri.systems.knee_xray2mri.speed import ladder

    if unknown := set(options.only or ()) - set(ladder.RUNGS):
        raise UsageError("option only", f"must be among: {', '.join(ladder.RUNGS)}", ", ".join(sorted(unknown)))
    for name, least in (("threads", 1), ("slices", 2), ("steps", 1), ("repeats", 1)):
        given = getattr(options, name)
        if given is not None and min(given if isinstance(given, list) else [given]) < least:
            raise UsageError(f"option {name}", f"must be at least {least}", str(given))
    bundle, device = options.bundle or shipped_bundle(SYSTEM), choose_device(options.device)
    network = load_slice_diffusion(bundle).eval()
    parts = FasterParts.of_bundle(bundle, network)
    wanted = _wanted(options.only or list(ladder.RUNGS), device, parts)
    rates = _rates(device)
    say = (lambda line: None) if options.quiet else (lambda line: print(line, file=sys.stderr, flush=True))
    load = os.getloadavg()[0]
    if load > 1:
        say(f"xray2mri: other work on this machine makes times longer (load {load:.1f}); CPU seconds change less")
    say(f"matrix rate of one thread: {', '.join(f'{rate:.0f} GFLOP/s {dtype}' for dtype, rate in rates.items())}")
    say(_HEAD)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ladder.write_case(ladder.simulated_case(options.seed or TEST[0]), folder / "case.npz")
        rows, missing = _ladder(options, bundle, network, device, wanted, rates, folder, say)
        answer = {
            "system": SYSTEM,
            "bundle": bundle.name,
            "device": str(device),
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "load": load,
            "torch": torch.__version__,
            "gflop_a_second": rates,
            "rungs": rows,
            "not_measured": missing,
            "layers": _layers(options, bundle, network, device, folder, say),
            "paper": _paper(bundle, say),
        }
        if options.endurance:
            answer["endurance"] = _endurance(options, bundle, device, folder, say)
    print(json.dumps(answer, indent=2))
    return ExitCode.DONE


_HEAD: Final = (
    f"{'rung':<12} {'':<38} {'threads':>7} {'seconds':>16} {'CPU s':>7} {'GFLOP':>7} {'GB':>6} {'limit':>6} "
    f"{'MB':>6} {'R0: dB':>7} {'SSIM':>6} {'truth: dB':>9} {'SSIM':>6} equal"
)


def _wanted(names: list[str], device: torch.device, parts: FasterParts) -> dict[str, str | None]:
    """Names of rungs, and why one is not measured here."""
    from monai_xray2mri.runtime.devices import computes_bfloat16
    from monai_xray2mri.systems.knee_xray2mri.speed.ladder import RUNGS

    found: dict[str, str | None] = dict.fromkeys(names)
    for name in names:
        if RUNGS[name].half and not computes_bfloat16(device):
            found[name] = "this hardware does not compute bfloat16"
        if RUNGS[name].fast and parts.few_steps is None:
            found[name] = "the bundle has no weights for few steps"
        elif RUNGS[name].small and parts.small_decoder is None:
            found[name] = "the bundle has no small decoder"
        if name == "monai" and find_spec("monai") is None:
            found[name] = "MONAI is not installed"
    return found


def _rates(device: torch.device) -> dict[str, float]:
    import torch

    from monai_xray2mri.evaluation.machine_limit import matrix_rate
    from monai_xray2mri.runtime.devices import computes_bfloat16
    from monai_xray2mri.runtime.threads import one_thread

    with one_thread():
        rates = {"float32": matrix_rate(device, torch.float32)}
        if computes_bfloat16(device):
            rates["bfloat16"] = matrix_rate(device, torch.bfloat16)
    return rates


def _ladder(
    options: argparse.Namespace,
    bundle: Path,
    network: Any,
    device: torch.device,
    wanted: dict[str, str | None],
    rates: dict[str, float],
    folder: Path,
    say: Any,
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Rows of the rungs, and why others have none."""
    import numpy as np

    from monai_xray2mri.systems.knee_xray2mri.faster import FasterParts
    from monai_xray2mri.systems.knee_xray2mri.speed import ladder

    slices, work = options.slices or network.slices, {}
    truth = ladder.read_case(folder / "case.npz").truth
    if truth is not None and len(truth) != slices:
        truth = None  # other slices than those that are known
    reference: np.ndarray | None = None
    rows: list[dict[str, Any]] = []
    missing: dict[str, str] = {}
    parts = FasterParts.of_bundle(bundle, network)
    for name in {"R0": None} | wanted:
        rung: Rung = ladder.RUNGS[name]
        if reason := wanted.get(name):
            missing[name] = reason
            say(f"{name:<12} {rung.title:<38} {reason}")
            continue
        steps = ladder.settings_of(network, rung).steps if rung.steps or options.steps is None else options.steps
        if rung.fast:
            steps = parts.steps
        kind = rung.network, rung.small  # weights for few steps have the shapes of the others
        if kind not in work:
            work[kind] = ladder.parts_of_work(ladder.chosen_network(bundle, network, rung), rung.network)
        of_volume = ladder.work_of_volume(rung, work[kind], slices, steps, ladder.Task.chunk)
        for threads in options.threads if name in wanted else options.threads[:1]:
            picture = folder / f"{name}.npy"
            job = ladder.Job(
                bundle, name, str(device), threads, slices, steps, options.repeats, folder / "case.npz", picture
            )
            cost = _apart(ladder.measure, job)
            volume = np.load(picture)
            reference = volume if reference is None else reference
            quality = ladder.compare(rung, volume, reference, truth)
            rate = rates["bfloat16" if rung.half else "float32"]
            rows.append(ladder.row(name, job, cost, of_volume, rate, quality))
            say(_line(rows[-1]))
    return rows, missing


def _apart(work: Any, job: Any) -> Any:
    """The work on a job in a process of its own."""
    from monai_xray2mri.runtime.workers import Workers

    (found,) = Workers(1, apart=True)(work, [job])
    return found


def _line(row: dict[str, Any]) -> str:
    picture, (low, high) = row["picture"], row["spread"]
    equal = {True: "yes", False: "NO", None: "-"}[picture["equal"]]
    truth = "" if picture["psnr_truth"] is None else f"{picture['psnr_truth']:.2f}"
    ssim = "" if picture["ssim_truth"] is None else f"{picture['ssim_truth']:.4f}"
    return (
        f"{row['rung']:<12} {row['title']:<38} {row['threads']:>7} {f'{low:.2f} - {high:.2f}':>16} "
        f"{row['cpu_seconds']:>7.2f} {row['gflop']:>7.0f} {row['gigabytes']:>6.1f} {row['share_of_limit']:>6.0%} "
        f"{row['device_memory_mb'] or row['memory_mb']:>6.0f} {picture['psnr_r0']:>7.1f} {picture['ssim_r0']:>6.4f} "
        f"{truth:>9} {ssim:>6} {equal}"
    )


def _layers(
    options: argparse.Namespace, bundle: Path, network: Any, device: torch.device, folder: Path, say: Any
) -> dict[str, Any]:
    """Each convolution timed alone, on one thread."""
    from monai_xray2mri.runtime.threads import one_thread
    from monai_xray2mri.systems.knee_xray2mri.speed import ladder

    slices = options.slices or network.slices
    job = ladder.Job(bundle, "before", str(device), 1, slices, options.steps, 1, folder / "case.npz")
    with one_thread():
        found = ladder.layer_times(ladder.task_of(job, network.to(device)))
    total = sum(layer.calls * layer.seconds for layer in found)
    say(f"\nconvolutions alone, as 'before' has them: {total:.2f} s on one thread")
    lines = []
    for layer in found:
        shape = layer.shape
        lines.append({"image": shape.image, "weight": shape.weight, "stride": shape.stride, "calls": layer.calls,
                      "seconds": layer.calls * layer.seconds, "gflop_a_second": layer.rate})  # fmt: skip
    for line in lines[:_LAYERS_SHOWN]:
        say(f"  {line['image']!s:<22} {line['weight']!s:<18} {line['calls']:>4} calls {line['seconds']:>6.3f} s "
            f"{line['gflop_a_second']:>5.0f} GFLOP/s")  # fmt: skip
    return {"seconds": total, "shapes": lines}


def _paper(bundle: Path, say: Any) -> dict[str, Any]:
    """What a volume of the paper's size asks for; nothing is computed."""
    from monai_xray2mri.systems.knee_xray2mri.speed.ladder import paper_work

    found = paper_work(bundle)
    say(f"\nthe paper's size, {found['slices']} slices, {found['steps']} steps, nothing computed:")
    for name, line in found["rungs"].items():
        say(f"  {name:<8} {line['tflop']:>8.1f} TFLOP, {line['terabytes']:>6.2f} TB")
    return found


def _endurance(options: argparse.Namespace, bundle: Path, device: torch.device, folder: Path, say: Any) -> Any:
    """Ten times the slices, and a hundred cases in one process."""
    from monai_xray2mri.systems.knee_xray2mri.speed import endurance

    threads = options.threads[0]
    found = {}
    for slices in endurance.SLICES:
        job = endurance.volume_job(bundle, str(device), threads, slices, folder / "case.npz")
        cost = _apart(endurance.measure_volume, job)
        found[f"{slices} slices"] = cost
        say(f"{slices} slices in one step: {cost['cpu_seconds']:.1f} CPU s, {cost['memory_mb']:.0f} MB, "
            f"{cost['beyond_result_mb']:.0f} MB of them for the work")  # fmt: skip
    cases = _apart(endurance.measure_cases, endurance.volume_job(bundle, str(device), threads, 2, folder / "case.npz"))
    say(f"{cases['cases']} cases: resident memory grew by {cases['growth_mb']:.1f} MB after the first tenth")
    return found | {"cases": cases}
