"""``xray2mri evaluate``: the papers' evaluation and further studies, by one command (docs/evaluation/benchmark.md)."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from monai_xray2mri.commands.options import add_bundle, named_path, show_progress
from monai_xray2mri.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from monai_xray2mri.core.shards import Shard
    from monai_xray2mri.evaluation.evaluation import Evaluation

_DESCRIPTION = (
    "Evaluates a bundle and simple methods on cases that no model was trained on, simulated (--knees, --seed) or "
    "prepared (--data), and writes metrics.json, tables, figures and report.html. The cost is told before it starts. "
    "The same command goes on where an interrupted run stopped."
)


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the sub-command ``evaluate``.

    Args:
        commands: the sub-parsers of ``xray2mri``.
        common: parser of the options that all sub-commands share (``--quiet``).
    """
    parser = commands.add_parser("evaluate", parents=[common], help="measure methods", description=_DESCRIPTION)
    add_bundle(parser)
    parser.add_argument("--output", type=named_path, required=True, help="folder of results and records")
    parser.add_argument("--data", type=named_path, help="prepared set with cases of the test split (default: simulate)")
    parser.add_argument("--films", type=named_path, help="real crops, GRADE/NAME[LR].png, for study real_films")
    parser.add_argument(
        "--knees", "--cases", dest="cases", metavar="N", type=int,
        help="cases of every study and split (default: what the study states)",
    )  # fmt: skip
    parser.add_argument(
        "--training-knees", "--training-cases", dest="training_cases", metavar="N", type=int,
        help="that methods without weights, such as the mean slice, are fitted to (default: the suite's)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of cases and samples, 0 to 999 (default: %(default)s)")
    parser.add_argument("--suite", help="of the bundle's system; of knees: quick, papers (default: the first)")
    parser.add_argument("--studies", nargs="+", metavar="STUDY", help="only these studies of the largest suite")
    parser.add_argument("--profile", choices=["cpu", "full"], default="cpu", help="(default: %(default)s)")
    parser.add_argument(
        "--method", action="append", default=[], metavar="NAME=SOURCE",
        help="one more method: a bundle, weights (model.pt or model.pt:CONFIG), a folder of CASE.npy, or MODULE:CLASS",
    )  # fmt: skip
    parser.add_argument(
        "--lpips", metavar="FILE+FILE",
        help="published weights for LPIPS: AlexNet's and LPIPS 0.1's (default: features of the bundle's own network)",
    )  # fmt: skip
    parser.add_argument(
        "--part", default="1/1", metavar="I/N",
        help="only every N-th case, from the I-th on, for N machines with one output folder (default: all)",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, default=1, help="processes that measure (default: %(default)s)")
    parser.add_argument(
        "--other-simulator", action="store_true",
        help="also evaluate weights that were trained on another version of the simulator",
    )  # fmt: skip
    parser.add_argument("--device", default="auto", help="auto, cuda, mps or cpu (default: %(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the sub-command; print the path of ``metrics.json``, or of the records while parts are missing.

    Raises:
        UsageError: options contradict each other, or an optional package is missing.
        WeightsError: a bundle's or a method's weights are missing or damaged.
    """
    from monai_xray2mri.core.shards import Shard
    from monai_xray2mri.evaluation.records import check_settings
    from monai_xray2mri.evaluation.results import FIGURES, METRICS_FILE, write_results
    from monai_xray2mri.runtime.optional import optional_library
    from monai_xray2mri.runtime.workers import Workers

    for name in ("matplotlib", "skimage", "scipy"):
        optional_library(name)  # a missing package is an error before the computation, not after it
    started = time.monotonic()
    planned = _planned(options)
    settings, figures = _settings(options, planned), options.output / FIGURES
    if check_settings(options.output / "records", settings):
        planned.forget_sheets(figures)
    if not options.quiet:
        _tell_cost(planned)
    if options.workers > 1 and any(task.todo for task in planned.tasks):
        parts = Shard.parse(options.part).divided(options.workers)
        for _ in Workers(options.workers)(partial(_measure_part, options), parts):
            pass
        planned = _planned(options)  # with what the workers have recorded
    _measure(planned, show_progress(options), options.quiet)
    if planned.complete:
        planned.draw_sheets(figures)
        machine = _machine(options, planned, time.monotonic() - started)
        write_results(planned, options.output, settings | machine)
        if not options.quiet:
            _tell_quality(planned)
        print(options.output / METRICS_FILE)
    else:
        print(options.output / "records")
    failed = planned.failed
    if failed and not options.quiet:
        for study, cases in failed.items():
            for name, reason in cases.items():
                print(f"xray2mri: {study}: {planned.suite.words.case} {name} skipped: {reason}", file=sys.stderr)
    return ExitCode.SOME_CASES_FAILED if failed else ExitCode.DONE


def _planned(options: argparse.Namespace) -> Evaluation[Any, Any]:
    from monai_xray2mri.core.shards import Shard
    from monai_xray2mri.evaluation.evaluation import Evaluation
    from monai_xray2mri.evaluation.perceptual import read_lpips
    from monai_xray2mri.evaluation.suite import CaseSource, choose_suite
    from monai_xray2mri.systems.registry import default_bundle, system_of

    for option, value in (
        ("knees", options.cases),
        ("training-knees", options.training_cases),
        ("workers", options.workers),
    ):
        if value is not None and value < 1:
            raise UsageError(f"option {option}", "must be at least 1", str(value))
    bundle = options.bundle or default_bundle()
    system = system_of(bundle)
    suite = choose_suite(system.suites(), options.suite, options.studies)
    source = CaseSource(options.seed, options.data, options.films, options.cases, options.other_simulator)
    predictor = system.predictor(bundle, options.device)
    methods = suite.methods(predictor, bundle, options.method, options.device)
    suite.check(methods, source)
    profile, simulated = suite.profiles[options.profile], options.data is None
    setting = suite.setting(methods, next(iter(methods)), profile, options.seed, simulated)
    if options.lpips is not None:
        setting = replace(setting, lpips=read_lpips(options.lpips))
    studies = suite.choose(options.studies, source)
    shard = Shard.parse(options.part)
    planned = Evaluation.of(suite, setting, studies, source, options.output / "records", shard)
    planned.training_cases = options.training_cases or planned.training_cases
    return planned


def _settings(options: argparse.Namespace, planned: Evaluation[Any, Any]) -> dict[str, Any]:
    """The settings that determine the records; a folder with other settings is not continued."""
    from monai_xray2mri.core.identity import package_version
    from monai_xray2mri.evaluation.methods import method_settings

    return {
        "version": package_version(),
        **planned.suite.recorded,
        "seed": options.seed,
        "profile": planned.setting.profile.name,
        "stride": planned.setting.profile.stride,
        f"training_{planned.suite.words.cases}": planned.training_cases,
        "data": options.data and options.data.name,
        "bundle": planned.setting.main,
        "methods": method_settings(planned.setting.methods),
        **(planned.setting.lpips.record if planned.setting.lpips else {}),
    }


def _machine(options: argparse.Namespace, planned: Evaluation[Any, Any], seconds: float) -> dict[str, Any]:
    """Facts about the run that do not determine the records, for comparisons of runs."""
    import torch

    from monai_xray2mri.runtime.devices import choose_device

    cases = {
        task.study.name: {split: len(cohort.names) for split, cohort in task.cohorts.items()} for task in planned.tasks
    }
    return {
        "suite": planned.suite.name,
        planned.suite.words.cases: cases,
        "device": str(choose_device(options.device)),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "seconds": round(seconds),
    }


def _tell_cost(planned: Evaluation[Any, Any]) -> None:
    from monai_xray2mri.evaluation.cost import cost_lines

    for line in cost_lines(planned):
        print(f"xray2mri: {line}", file=sys.stderr)


def _tell_quality(planned: Evaluation[Any, Any]) -> None:
    """The table of stated bars, where the suite has one."""
    from monai_xray2mri.evaluation.tables import markdown

    if planned.suite.quality is not None:
        table = planned.suite.quality(planned.rows, planned.setting)
        print(f"xray2mri: {markdown(table)}" if table else "xray2mri: no stated bar was measured", file=sys.stderr)


def _measure_part(options: argparse.Namespace, part: Shard) -> None:
    """Measure one part in a process of its own; it writes records of its own, as parts on several machines do."""
    _measure(_planned(argparse.Namespace(**{**vars(options), "part": str(part)})), False, True)


def _measure(planned: Evaluation[Any, Any], bars: bool, quiet: bool) -> None:
    from tqdm import tqdm

    words = planned.suite.words
    if planned.must_fit:
        title = f"training {words.cases}"
        with tqdm(total=planned.training_cases, desc=title, unit=words.case, disable=not bars) as bar:
            planned.fit(bar.update)
    for task in planned.tasks:
        todo = task.todo
        if todo and not quiet and not bars:
            print(f"xray2mri: {task.study.name}: {len(todo)} {words.cases}", file=sys.stderr)
        for split, index in tqdm(todo, desc=task.study.name, unit=words.case, disable=not bars):
            planned.measure(task, split, index)
