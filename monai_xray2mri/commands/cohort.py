"""``xray2mri cohort``: many studies to many results, on this machine, on shards or on a Ray cluster."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from monai_xray2mri.commands.options import add_bundle, named_path, values_of
from monai_xray2mri.core.options import add_options
from monai_xray2mri.core.system import OUTPUT_OPTIONS, Outputs
from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.errors import ExitCode, SomeCasesFailed, UsageError
from monai_xray2mri.runtime.memory_pages import use_huge_pages
from monai_xray2mri.runtime.processes import usable_cores

if TYPE_CHECKING:
    from monai_xray2mri.cohort.planning import Manifest
    from monai_xray2mri.core.system import System

_LAYOUTS: Final = ("folders", "archives", "bids")
_LINE_SECONDS: Final = 60.0


def add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser, system: System
) -> None:
    """Add the sub-commands ``cohort``, ``cohort-plan`` and ``cohort-summary``.

    Args:
        commands: the sub-parsers of ``xray2mri``.
        common: parser of the options that all sub-commands share (``--quiet``).
        system: system of the bundle on the command line; the sub-commands have its options.
    """
    parser = commands.add_parser(
        "cohort",
        parents=[common],
        help="many studies to many results; goes on where it stopped",
        description=DISCLAIMER,
    )
    _add_planning(parser, system, 1)
    add_options(parser, system.sampling_options)
    parser.add_argument("--device", default="auto", help="auto, cuda, mps or cpu")
    add_options(parser, OUTPUT_OPTIONS)
    _add_layout(parser)
    parser.add_argument("--measure", action="store_true", help="read numbers off each result, for the table")
    parser.add_argument("--shard", default="1/1", metavar="I/N", help="do part I of N, divided by what studies take")
    parser.add_argument("--engine", choices=("local", "ray"), default="local", help="what runs the work")
    parser.add_argument("--ray-address", help="of a Ray cluster that runs (default: one on this machine for the time)")
    parser.add_argument(
        "--retry-set-aside", action="store_true", help="try studies again that ended their process twice"
    )
    parser.add_argument("--allow-partial", action="store_true", help="exit code 0 also if only some results were made")
    parser.set_defaults(run=run)

    plan = commands.add_parser(
        "cohort-plan",
        parents=[common],
        help="check all studies of a cohort before any computing",
        description=DISCLAIMER,
    )
    _add_planning(plan, system, usable_cores())  # a check needs no model
    plan.set_defaults(run=run_plan)

    summary = commands.add_parser("cohort-summary", parents=[common], help="table and page of what came of a cohort")
    summary.add_argument("output", type=named_path, help="folder of the cohort")
    _add_layout(summary)
    summary.set_defaults(run=run_summary)


def _add_planning(parser: argparse.ArgumentParser, system: System, workers: int) -> None:
    parser.add_argument(
        "input", help="folder tree, DICOMDIR, table (.csv, .parquet: column path), or address of a DICOMweb server"
    )
    parser.add_argument("output", type=named_path, help="folder of the cohort")
    add_options(parser, system.request_options)
    add_bundle(parser)
    parser.add_argument("--workers", type=int, default=workers, help="processes, or Ray actors (default %(default)s)")
    parser.add_argument(
        "--time-limit", type=float, default=1800.0, metavar="S", help="seconds of a study (default 1800)"
    )
    parser.add_argument("--memory-limit", type=float, metavar="GB", help="memory of a worker (default: none)")
    parser.add_argument(
        "--case-seconds", type=float, default=10.0, metavar="S",
        help="what a case takes, as a trial run measured it, to divide the work (default 10)",
    )  # fmt: skip
    parser.add_argument("--plan-again", action="store_true", help="look for studies again, check new and changed ones")


def _add_layout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--layout", choices=_LAYOUTS, default="folders",
        help="results as folders, as one zip archive a case, or as NIfTI in BIDS-like names",
    )  # fmt: skip


def run_plan(options: argparse.Namespace) -> int:
    """Run the sub-command ``cohort-plan`` and return the exit code."""
    options.plan_again = True
    manifest = _planned(options)
    from monai_xray2mri.cohort.summary import summarize

    print(json.dumps(summarize(options.output, "folders").record(), indent=2, ensure_ascii=False))
    print(manifest.path)
    return ExitCode.DONE


def run_summary(options: argparse.Namespace) -> int:
    """Run the sub-command ``cohort-summary`` and return the exit code."""
    from monai_xray2mri.cohort.summary import summarize

    print(json.dumps(summarize(options.output, options.layout).record(), indent=2, ensure_ascii=False))
    return ExitCode.DONE


def run(options: argparse.Namespace) -> int:
    """Run the sub-command ``cohort`` and return the exit code."""
    from monai_xray2mri.cohort.deaths import Deaths
    from monai_xray2mri.cohort.engine import run_here, share_of
    from monai_xray2mri.cohort.summary import summarize
    from monai_xray2mri.cohort.work import Job
    from monai_xray2mri.core.shards import Shard
    from monai_xray2mri.runtime.worker import Limits
    from monai_xray2mri.systems.registry import system_of

    use_huge_pages()
    shard = Shard.parse(options.shard, "shard")
    limits = Limits(options.time_limit, options.memory_limit)
    bundle = _bundle(options)
    system = system_of(bundle)
    if shard.of > 1 and not (options.output / "manifest.parquet").exists():
        raise UsageError("shard of a cohort", "needs its plan", "none", "Run xray2mri cohort-plan once before.")
    manifest = _planned(options)
    job = Job(
        source=manifest.source,
        output=options.output.resolve(),
        bundle=bundle.resolve(),
        run=f"{options.engine}{shard.suffix}",
        device=options.device,
        request=values_of(options, system.request_options),
        sampling=values_of(options, system.sampling_options),
        outputs=Outputs(**values_of(options, OUTPUT_OPTIONS)),
        layout=options.layout,
        measure=options.measure,
    )
    share = share_of(manifest, shard, job)
    if options.retry_set_aside:
        Deaths(job.output).forget([study.study for study in share.left])
    tell = _Told(len(share.left), share.studies, options.quiet)
    if options.engine == "ray":
        from monai_xray2mri.cohort.on_ray import run_on_ray

        run_on_ray(job, share, options.workers, limits, tell, options.ray_address)
    else:
        run_here(job, share, options.workers, limits, tell)
    tell.close()
    if shard.of == 1:
        counts = summarize(job.output, options.layout)
        print(json.dumps(counts.record(), indent=2, ensure_ascii=False))
        wrong = {name: number for name, number in counts.status.items() if name != "done"}
    else:
        wrong = {name: number for name, number in tell.status.items() if name != "done"}
        print(json.dumps({"shard": options.shard, "studies": share.studies, "cases": dict(tell.status)}, indent=2))
    if wrong and not options.allow_partial:
        found = ", ".join(f"{number} {name}" for name, number in sorted(wrong.items()))
        raise SomeCasesFailed("cohort", "not every case has a result", found, "See cases.csv, or the log of the shard.")
    return ExitCode.DONE


def _bundle(options: argparse.Namespace) -> Path:
    from monai_xray2mri.systems.registry import default_bundle

    bundle: Path = options.bundle or default_bundle()
    return bundle


def _planned(options: argparse.Namespace) -> Manifest:
    """The manifest of the output; made, or made again, where that is asked for."""
    from monai_xray2mri.cohort.planning import MANIFEST, Manifest, Planning, passed_over, plan_cohort, require_same
    from monai_xray2mri.runtime.worker import Limits
    from monai_xray2mri.systems.registry import system_of

    bundle = _bundle(options)
    request = values_of(options, system_of(bundle).request_options)
    planning = Planning(str(options.input), bundle, request, options.case_seconds)
    path = options.output / MANIFEST
    if path.exists() and not options.plan_again:
        manifest = Manifest.open(path)
        require_same(manifest.record, planning)
        return manifest
    for remark in passed_over(planning):
        print(f"xray2mri: {remark}", file=sys.stderr)
    told = _Told(None, 0, options.quiet, "study")
    plan_cohort(
        planning, options.output, options.workers, Limits(options.time_limit, options.memory_limit), lambda: told([])
    )
    told.close()
    return Manifest.open(path)


class _Told:
    """Progress: a bar with rate and time left on a terminal, one JSON line a minute elsewhere."""

    def __init__(self, left: int | None, studies: int, quiet: bool, unit: str = "study") -> None:
        from collections import Counter

        from tqdm import tqdm

        self.status: Counter[str] = Counter()
        self._done, self._left, self._begin, self._said = 0, left, time.monotonic(), time.monotonic()
        self._lines = not quiet and not sys.stderr.isatty()
        before = 0 if left is None else studies - left
        self._bar = tqdm(
            total=None if left is None else studies, initial=before, unit=unit,
            disable=quiet or not sys.stderr.isatty(),
        )  # fmt: skip

    def __call__(self, rows: list[dict[str, Any]]) -> None:
        """A study ended."""
        self._done += 1
        self.status.update(row["status"] for row in rows)
        self._bar.update()
        now = time.monotonic()
        if self._lines and now - self._said >= _LINE_SECONDS:
            self._said = now
            self._line(now - self._begin)

    def _line(self, seconds: float) -> None:
        line: dict[str, Any] = {"studies": self._done, "a_minute": round(60 * self._done / max(seconds, 1e-9), 1)}
        if self._left is not None:
            rest = self._left - self._done
            line |= {"left": rest, "minutes_left": round(rest * seconds / max(self._done, 1) / 60, 1)}
        print(json.dumps({**line, "cases": dict(self.status)}), file=sys.stderr)

    def close(self) -> None:
        """End the bar, or say the last line."""
        self._bar.close()
        if self._lines and self._done:
            self._line(time.monotonic() - self._begin)
