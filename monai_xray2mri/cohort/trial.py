"""What an engine costs over a bare loop, how it grows, and what it survives: ``xray2mri benchmark cohort``.

The same studies are done several times, each time into an output of its own: by a loop without an engine; by such loops
in separate processes, which is the best that so many processes can reach here; by the engines; and by a command that
is killed half way, as some of its workers are. Times count from the start of the processes to the last result.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

from monai_xray2mri.cohort.engine import LOG, run_here, share_of
from monai_xray2mri.cohort.layouts import LAYOUTS, RESULTS
from monai_xray2mri.cohort.planning import MANIFEST, Manifest, Planning, plan_cohort
from monai_xray2mri.cohort.sources import Found, staged
from monai_xray2mri.cohort.tables import lines_of, rows_of
from monai_xray2mri.cohort.work import DRAFTS, Job, Study
from monai_xray2mri.core.shards import Shard
from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.processes import resident_gigabytes, workers_of
from monai_xray2mri.runtime.worker import Died, Limits, Worker
from monai_xray2mri.systems.registry import system_of

RUNS: Final = ("bare", "processes", "local_1", "local_n", "ray_1", "ray_n", "killed")
"""What can be run, in this order; ``_n`` is with as many workers as the trial has."""
_LOOK_SECONDS: Final = 0.2
_COLUMNS: Final = ("study", "source", "files", "options", "cases", "status")
_REPORT: Final = "report.json"
_TIMES: Final = ("seconds", "timings")
_CURVE: Final = (0.1, 0.5, 1.0)
_AROUND: Final = 0.05
_LEAST_SEEN: Final = 3
"""Values that a point of the curve of memory is the median of, at least; those of a twentieth of the studies around."""


@dataclass(frozen=True)
class Trial:
    """What is tried.

    Attributes:
        source: the cohort's input.
        folder: where all is written.
        bundle: its folder.
        sampling: sampling options.
        workers: processes, or actors, of the runs ``_n``.
        kills: workers that are killed in the run ``killed``, beside the job itself.
        seed: of the moments of the kills.
    """

    source: str
    folder: Path
    bundle: Path
    sampling: Mapping[str, Any] = field(default_factory=dict)
    workers: int = 2
    kills: int = 10
    seed: int = 0

    def output(self, run: str) -> Path:
        """Output folder of a run."""
        return self.folder / run

    def job(self, run: str) -> Job:
        """Job of a run."""
        return Job(self.source, self.output(run), self.bundle, run, sampling=self.sampling)


@dataclass
class Ran:
    """What one run took, and whether its files are those of the first run.

    Attributes:
        seconds: from the start to the last result.
        cpu_seconds: processor time of all processes that this one has started and ended, and its own: a measure of an
            engine's overhead on a machine that does other things, too. None for Ray, whose processes are not children.
        results: cases that have a result.
        differ: results whose files are not equal to the first run's (its report but for times), at most ten named.
        memory_gb: resident memory of this process and of its workers together, by the number of studies that were done:
            at a tenth, half and all of them; empty where it was not watched, or for too short a time.
        kills: workers and jobs that were killed, and what was set aside for that and then tried again.
        lost: cases without result.
        twice: cases that the logs call done more than once.
        drafts: half results that were left.
    """

    seconds: float
    cpu_seconds: float | None = None
    results: int = 0
    differ: list[str] = field(default_factory=list)
    memory_gb: dict[int, dict[str, float]] = field(default_factory=dict)
    kills: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    twice: int = 0
    drafts: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, done twice, left half or made differently."""
        return not (self.differ or self.lost or self.twice or self.drafts)

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {name: value for name, value in vars(self).items() if value not in ([], {}, None)}


def run_trial(trial: Trial, runs: Sequence[str], tell: Callable[[str], object] = lambda text: None) -> dict[str, Any]:
    """Plan the cohort, run it in all ways that were asked for, and compare.

    Returns:
        A record for JSON: ``studies``, ``cases``, ``plan_seconds``, ``runs`` (see :class:`Ran`) and ``ratios``.

    Raises:
        UsageError: no study of the input can be planned; Ray is not installed but its runs were asked for.
    """
    begin = time.perf_counter()
    planned = trial.folder / "plan"
    plan_cohort(Planning(trial.source, trial.bundle, {}), planned, trial.workers)
    manifest = Manifest.open(planned / MANIFEST)
    plan_seconds = time.perf_counter() - begin
    studies = [Study.of(row) for row in rows_of(manifest.path, _COLUMNS) if row["status"] == "planned"]
    if not studies:
        raise UsageError(
            "cohort of the trial",
            "must have a study that is planned",
            "none",
            "Run xray2mri cohort-plan on it, which names the reasons.",
        )
    tell(f"{len(studies)} studies planned in {plan_seconds:.1f} s")
    found: dict[str, Ran] = {}
    first: dict[str, str] = {}
    for run in (name for name in RUNS if name in runs):
        trial.output(run).mkdir(parents=True, exist_ok=True)
        shutil.copy(manifest.path, trial.output(run) / MANIFEST)
        ran = _RUN[run](trial, studies)
        files = digests(trial.output(run) / RESULTS)
        first = first or files
        _compare(ran, trial, run, studies, files, first)
        tell(f"{run}: {ran.seconds:.1f} s, {'clean' if ran.is_clean else 'NOT CLEAN'}")
        found[run] = ran
    return {
        "studies": len(studies),
        "cases": sum(len(study.cases) for study in studies),
        "workers": trial.workers,
        "plan_seconds": round(plan_seconds, 2),
        "runs": {run: ran.record() for run, ran in found.items()},
        "ratios": ratios({run: ran.seconds for run, ran in found.items()}),
        "cpu_ratios": ratios({run: ran.cpu_seconds for run, ran in found.items() if ran.cpu_seconds}),
        "clean": all(ran.is_clean for ran in found.values()),
    }


def ratios(seconds: Mapping[str, float]) -> dict[str, float]:
    """What the times of the runs say: overhead of an engine, and how often faster several workers are than one."""
    asked = {
        "overhead of the local engine": ("local_1", "bare", -1),
        "overhead of Ray": ("ray_1", "bare", -1),
        "separate processes": ("bare", "processes", 0),
        "local engine": ("local_1", "local_n", 0),
        "Ray": ("ray_1", "ray_n", 0),
    }
    return {
        name: round(seconds[of] / seconds[over] + add, 4)
        for name, (of, over, add) in asked.items()
        if of in seconds and over in seconds
    }


def digests(results: Path) -> dict[str, str]:
    """Path and SHA-256 of every file of results; of a report without the times that it took."""
    found = {}
    for path in sorted(results.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            if path.name == _REPORT:
                content = json.dumps(_timeless(json.loads(content)), sort_keys=True).encode()
            found[path.relative_to(results).as_posix()] = hashlib.sha256(content).hexdigest()
    return found


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _timeless(part) for name, part in value.items() if name not in _TIMES}
    return [_timeless(part) for part in value] if isinstance(value, list) else value


def _compare(
    ran: Ran, trial: Trial, run: str, studies: Sequence[Study], files: dict[str, str], first: dict[str, str]
) -> None:
    job = trial.job(run)
    if run in ("bare", "processes"):  # no layout: the folder of a case alone
        ran.results = len({Path(name).parent for name in files if Path(name).name == _REPORT})
    else:
        ran.lost = sum(len(study.missing(job.output, LAYOUTS[job.layout])) for study in studies)
        ran.results = sum(len(study.cases) for study in studies) - ran.lost
        done = Counter((row["study"], row["case"]) for row in _logged(job.output) if row["status"] == "done")
        ran.twice = sum(count > 1 for count in done.values())
        drafts = job.output / DRAFTS
        ran.drafts = sum(1 for path in drafts.rglob("*") if path.name != ".lock" and path.is_file())
    ran.differ = sorted(name for name in files.keys() | first.keys() if files.get(name) != first.get(name))[:10]


def _logged(output: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((output / LOG).glob("*.jsonl")):
        yield from lines_of(path)


def bare(job: Job, studies: Sequence[Study]) -> int:
    """The loop without an engine: read, predict, save.

    Returns:
        How many results it wrote, into the places that the engine's layout gives them.
    """
    system = system_of(job.bundle)
    predictor = system.predictor(job.bundle, job.device)
    sampling, request = predictor.resolve(**job.sampling), system.request(**job.request)
    done = 0
    for study in studies:
        with staged(Found(study.study, study.source, study.files), job.source) as place:
            for case in system.plan(place, request, job.bundle).cases:
                where = job.output / LAYOUTS[job.layout].place(study.study, case.name)
                predictor.predict(case, sampling).save(where.parent, job.outputs)
                done += 1
    return done


def _bare(trial: Trial, studies: Sequence[Study], run: str = "bare", count: int = 1) -> Ran:
    parts = [studies[number::count] for number in range(count)]
    begin, cpu = time.perf_counter(), _cpu_seconds()
    workers = [Worker[Sequence[Study], int](partial(bare, trial.job(run))) for _ in parts]
    try:
        with ThreadPoolExecutor(count) as threads:
            found = list(threads.map(lambda pair: pair[0](pair[1]), zip(workers, parts, strict=True)))
    finally:
        for worker in workers:
            worker.end()
    for one in found:
        if isinstance(one, Died):
            raise UsageError("bare loop", "must live until its end", f"it {one.why}")
    return Ran(time.perf_counter() - begin, _cpu_seconds() - cpu)


def _processes(trial: Trial, studies: Sequence[Study]) -> Ran:
    return _bare(trial, studies, "processes", trial.workers)


def _local(trial: Trial, studies: Sequence[Study], run: str, workers: int) -> Ran:
    job = trial.job(run)
    with _Watched(os.getpid()) as watched:
        begin, cpu = time.perf_counter(), _cpu_seconds()
        manifest = Manifest.open(job.output / MANIFEST)
        run_here(job, share_of(manifest, Shard(), job), workers, Limits(), watched.study_ended)
        seconds = time.perf_counter() - begin
    return Ran(seconds, _cpu_seconds() - cpu, memory_gb=watched.curve())


def _ray(trial: Trial, studies: Sequence[Study], run: str, workers: int) -> Ran:
    from monai_xray2mri.cohort.on_ray import run_on_ray

    job = trial.job(run)
    begin = time.perf_counter()
    manifest = Manifest.open(job.output / MANIFEST)
    share = share_of(manifest, Shard(), job)
    run_on_ray(job, share, workers, Limits(), lambda rows: None)
    return Ran(time.perf_counter() - begin)


def _killed(trial: Trial, studies: Sequence[Study]) -> Ran:
    """Run the command itself, kill workers at random moments, and once, half way, the command with all of them.

    A study whose process dies twice is set aside, as it should be; a last command tries such ones again.
    """
    output, draw = trial.output("killed"), random.Random(trial.seed)
    cases = sum(len(study.cases) for study in studies)
    moments = sorted(draw.choices(range(cases), k=trial.kills))
    kills, begin = Counter[str](), time.perf_counter()

    def done_cases() -> int:
        return sum(1 for _ in (output / RESULTS).glob("*/*/*"))

    job = _Command(trial)
    try:
        while job.process.poll() is None:
            time.sleep(_LOOK_SECONDS)
            done = done_cases()
            if done >= cases // 2 and not kills["jobs killed"]:
                kills["jobs killed"] += 1
                job.kill()
                job = _Command(trial)
            elif moments and done >= moments[0]:
                time.sleep(draw.uniform(0, 2))  # so that a kill falls anywhere in a study
                workers = workers_of(job.process.pid)
                if workers:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(draw.choice(workers), signal.SIGKILL)
                        kills["workers killed"] += 1
                        moments.pop(0)
        if done_cases() < cases:
            kills["cases set aside"] = cases - done_cases()
            job = _Command(trial, "--retry-set-aside")
            job.process.wait()
    finally:
        job.kill()
    return Ran(time.perf_counter() - begin, kills=dict(kills))


def _cpu_seconds() -> float:
    """Of this process and of the children that have ended."""
    return sum(os.times()[:4])


class _Command:
    """``xray2mri cohort`` in a group of processes of its own."""

    def __init__(self, trial: Trial, *flags: str) -> None:
        sampling = [text for name, value in trial.sampling.items() for text in (f"--{name}", str(value))]
        with (trial.folder / "killed.log").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "monai_xray2mri.cli", "cohort", trial.source, str(trial.output("killed")),
                 "--bundle", str(trial.bundle), "--workers", str(trial.workers), *sampling, *flags],
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class _Watched:
    """Resident memory of a process and its workers, once a second, beside the number of studies that are done."""

    def __init__(self, process: int) -> None:
        self._process, self._ended = process, threading.Event()
        self._done = 0
        self._seen: list[tuple[int, float, float]] = []
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Watched:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def study_ended(self, rows: Sequence[dict[str, Any]]) -> None:
        """Count a study."""
        self._done += 1

    def _watch(self) -> None:
        while not self._ended.wait(1):
            workers = sum(map(resident_gigabytes, workers_of(self._process)))
            if workers:
                self._seen.append((self._done, resident_gigabytes(self._process), workers))

    def curve(self) -> dict[int, dict[str, float]]:
        """Medians around a tenth, half and all of the studies."""
        found = {}
        for share in _CURVE:
            study = round(share * self._done)
            near = [one for one in self._seen if abs(one[0] - study) <= _AROUND * self._done]
            if len(near) >= _LEAST_SEEN:
                found[study] = {
                    "parent": round(median(parent for _, parent, _ in near), 3),
                    "workers": round(median(workers for _, _, workers in near), 3),
                }
        return found


_RUN: Final[Mapping[str, Callable[[Trial, Sequence[Study]], Ran]]] = {
    "bare": _bare,
    "processes": _processes,
    "local_1": lambda trial, studies: _local(trial, studies, "local_1", 1),
    "local_n": lambda trial, studies: _local(trial, studies, "local_n", trial.workers),
    "ray_1": lambda trial, studies: _ray(trial, studies, "ray_1", 1),
    "ray_n": lambda trial, studies: _ray(trial, studies, "ray_n", trial.workers),
    "killed": _killed,
}
