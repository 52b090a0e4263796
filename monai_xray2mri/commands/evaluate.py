"""``xray2mri evaluate``: the papers' whole evaluation, and more, by one command (docs/benchmark.md)."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from monai_xray2mri.commands.options import add_bundle, named_path, show_progress
from monai_xray2mri.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from monai_xray2mri.evaluation.protocols import Method
    from monai_xray2mri.evaluation.suite import Run

SUITES: Final = ("quick", "papers")
_DESCRIPTION = (
    "Evaluates a bundle beside simple methods on knees that no model was trained on, simulated (--knees, --seed) or "
    "prepared (--data), and writes metrics.json, tables, figures and report.html. The cost is told before it starts. "
    "The same command goes on where an interrupted run stopped."
)
_SIMULATION_SECONDS: Final = 3.0
"""Of one knee on one slow core, for the estimate."""


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the sub-command ``evaluate``.

    Args:
        commands: where sub-commands are added.
        common: options that all sub-commands share (``--quiet``).
    """
    parser = commands.add_parser("evaluate", parents=[common], help="measure methods", description=_DESCRIPTION)
    add_bundle(parser)
    parser.add_argument("--output", type=named_path, required=True, help="folder of results and records")
    parser.add_argument("--data", type=named_path, help="prepared set with knees of the test split (default: simulate)")
    parser.add_argument("--films", type=named_path, help="real crops, GRADE/NAME[LR].png, for study real_films")
    parser.add_argument("--knees", type=int, help="knees of every study and split (default: what the study states)")
    parser.add_argument(
        "--training-knees", type=int, help="that mean slice and nearest neighbour are fitted to (default: 30 to 500)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of knees and samples, 0 to 999 (default: %(default)s)")
    parser.add_argument("--suite", choices=SUITES, default="quick", help="(default: %(default)s)")
    parser.add_argument("--studies", nargs="+", metavar="STUDY", help="only these studies of the suite papers")
    parser.add_argument("--profile", choices=["cpu", "full"], default="cpu", help="(default: %(default)s)")
    parser.add_argument(
        "--method", action="append", default=[], metavar="NAME=SOURCE",
        help="one more method: a bundle, weights (model.pt or model.pt:CONFIG), a folder of KNEE.npy, or MODULE:CLASS",
    )  # fmt: skip
    parser.add_argument(
        "--part", default="1/1", metavar="I/N",
        help="only every N-th knee, from the I-th on, for N processes with one output folder (default: all)",
    )  # fmt: skip
    parser.add_argument("--device", default="auto", help="auto, cuda, mps or cpu (default: %(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Carry the sub-command out: prints the path of ``metrics.json``, or of the records while parts are missing.

    Raises:
        UsageError: options that do not fit, or a package that is missing.
        WeightsError: a bundle's or a method's weights are missing or damaged.
    """
    from monai_xray2mri.evaluation.records import check_settings
    from monai_xray2mri.runtime.optional import optional_library
    from monai_xray2mri.systems.knee_xray2mri.evaluation.results import METRICS_FILE, forget_pictures, write_results

    for name in ("matplotlib", "skimage", "scipy"):
        optional_library(name)  # said before hours of computing, not after
    started = time.monotonic()
    planned = _planned(options)
    settings = _settings(options, planned)
    if check_settings(options.output / "records", settings):
        forget_pictures(options.output)
    _tell_cost(planned, options.quiet)
    _measure(planned, show_progress(options), options.quiet)
    if all([task.complete for task in planned.tasks]):  # each of them, since it reads what others have written
        machine = _machine(options, planned, time.monotonic() - started)
        write_results(planned, options.output, settings | machine)
        print(options.output / METRICS_FILE)
    else:
        print(options.output / "records")
    failed = planned.failed
    if failed and not options.quiet:
        for study, knees in failed.items():
            for name, reason in knees.items():
                print(f"xray2mri: {study}: knee {name} skipped: {reason}", file=sys.stderr)
    return ExitCode.SOME_CASES_FAILED if failed else ExitCode.DONE


def _planned(options: argparse.Namespace) -> Run:
    from monai_xray2mri.evaluation import suite
    from monai_xray2mri.evaluation.records import Part
    from monai_xray2mri.evaluation.study import Setting
    from monai_xray2mri.runtime.devices import choose_device
    from monai_xray2mri.systems.registry import default_bundle

    for name in ("knees", "training_knees"):
        if (value := getattr(options, name)) is not None and value < 1:
            raise UsageError(f"option {name.replace('_', '-')}", "must be at least 1", str(value))
    source = suite.Source(options.seed, options.data, options.films, options.knees)
    device = choose_device(options.device)
    bundle = options.bundle or default_bundle()
    methods, main = _methods(options.method, bundle, device)
    profile = suite.profile_of("papers" if options.studies else options.suite, options.profile)
    setting = Setting(methods, main, profile, options.seed, options.data is None)
    studies = suite.chosen_studies(options.suite, options.studies, source)
    kind = "papers" if options.studies else options.suite
    planned = suite.plan(setting, studies, source, kind, options.output / "records", Part.parse(options.part))
    planned.training_knees = options.training_knees or planned.training_knees
    return planned


def _methods(named: Sequence[str], bundle: Path, device: Any) -> tuple[dict[str, Method], str]:
    """The bundle under its own name first, then the methods without weights, then the named ones."""
    from monai_xray2mri.systems.knee_xray2mri.evaluation.method_sources import bundle_method, method_of
    from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import METHODS

    main = bundle.resolve().name
    methods: dict[str, Method] = {main: bundle_method(bundle, device)}
    methods |= {name: kind() for name, kind in METHODS.items()}
    for text in named:
        name, _, source = text.partition("=")
        if not name or not source or name in methods:
            raise UsageError("option method", "must be NAME=SOURCE with a name of its own", text)
        methods[name] = method_of(source, bundle, device)
    return methods, main


def _settings(options: argparse.Namespace, planned: Run) -> dict[str, Any]:
    """What decides the records: a folder of other settings is not gone on with."""
    from monai_xray2mri.core.identity import package_version
    from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION
    from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import NetworkMethod

    methods = planned.setting.methods
    return {
        "version": package_version(),
        "simulator": SIMULATOR_VERSION,
        "seed": options.seed,
        "profile": planned.setting.profile.name,
        "stride": planned.setting.profile.stride,
        "training_knees": planned.training_knees,
        "data": options.data and options.data.name,
        "bundle": planned.setting.main,
        "methods": {
            name: method.record | {"sampling": method.sampling()}
            if isinstance(method, NetworkMethod)
            else type(method).__name__
            for name, method in methods.items()
        },
    }


def _machine(options: argparse.Namespace, planned: Run, seconds: float) -> dict[str, Any]:
    """What does not decide the records, for whoever compares runs."""
    import torch

    knees = {
        task.study.name: {split: len(cohort.names) for split, cohort in task.cohorts.items()} for task in planned.tasks
    }
    return {
        "suite": "papers" if options.studies else options.suite,
        "knees": knees,
        "device": str(planned.setting.bundle.network.null_context.device),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "seconds": round(seconds),
    }


def _tell_cost(planned: Run, quiet: bool) -> None:
    from monai_xray2mri.evaluation.suite import seconds_per_slice
    from monai_xray2mri.knee.data.arrays import SLICES

    slices, knees = planned.cost()
    if quiet or not slices:
        return
    each = seconds_per_slice(planned)
    minutes = (slices * each + knees * _SIMULATION_SECONDS) / 60
    for task in planned.tasks:
        volumes = task.study.slices(planned.setting) / SLICES
        number = " + ".join(f"{len(cohort.names)} {split}" for split, cohort in task.cohorts.items())
        print(f"xray2mri: {task.study.name}: {number} knees, {volumes:.1f} volumes each", file=sys.stderr)
    print(
        f"xray2mri: {slices / SLICES:.0f} volumes of {SLICES} slices at {each:.2f} s a slice and {knees} simulated "
        f"knees are left to do: about {minutes:.0f} minutes",
        file=sys.stderr,
    )


def _measure(planned: Run, bars: bool, quiet: bool) -> None:
    from tqdm import tqdm

    if planned.must_fit:
        with tqdm(total=planned.training_knees, desc="training knees", unit="knee", disable=not bars) as bar:
            planned.fit(bar.update)
    for task in planned.tasks:
        todo = task.todo
        if todo and not quiet and not bars:
            print(f"xray2mri: {task.study.name}: {len(todo)} knees", file=sys.stderr)
        for split, index in tqdm(todo, desc=task.study.name, unit="knee", disable=not bars):
            planned.measure(task, split, index)
