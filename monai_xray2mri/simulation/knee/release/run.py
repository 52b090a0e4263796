"""Making a release: one participant after the other, or several processes at once, resumable at any moment."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from typing import Final

from tqdm import tqdm

from monai_xray2mri.errors import OutOfMemory, SomeCasesFailed, UsageError, Xray2MRIError, describe_unexpected
from monai_xray2mri.runtime.files import held
from monai_xray2mri.simulation.knee.people.participants import Participant, draw_participant
from monai_xray2mri.simulation.knee.release.plan import ReleasePlan, claim, make_folder, plan_release, save_settings
from monai_xray2mri.simulation.knee.release.settings import ReleaseSettings
from monai_xray2mri.simulation.knee.release.tables import write_tables
from monai_xray2mri.simulation.knee.release.writer import remove_drafts, write_participant

_THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Outcome:
    """What became of one participant; crosses processes, which the package's errors cannot.

    Attributes:
        seed: the participant's.
        reason: what went wrong with this knee alone; None if nothing did.
        fatal: class and texts of an error that ends the run.
    """

    seed: int
    reason: str | None = None
    fatal: tuple[type[Xray2MRIError], tuple[str, str, str, str]] | None = None


@dataclass(frozen=True)
class ReleaseSummary:
    """What a run did.

    Attributes:
        directory: the release.
        simulated: number of participants that this run made.
        complete: number of participants that it holds now.
    """

    directory: Path
    simulated: int
    complete: int


def simulate_release(
    directory: Path,
    settings: ReleaseSettings,
    *,
    workers: int = 1,
    thorough: bool = False,
    progress: bool = False,
    announce: Callable[[ReleasePlan], None] | None = None,
) -> ReleaseSummary:
    """Simulate a release, or what is missing of it. Equal settings give equal bytes, also after interruptions.

    Args:
        directory: the release's folder; new, empty, or begun with the same settings (fewer knees are fine).
        settings: what to make.
        workers: processes; each computes on one thread.
        thorough: read and compare the files of earlier runs instead of looking at their sizes.
        progress: show a progress bar on stderr.
        announce: called with the plan before the work begins.

    Returns:
        What was done.

    Raises:
        UsageError: settings, folder or disk space do not allow it; nothing was simulated then.
        OutOfMemory: a worker was killed, as happens when memory runs out.
        SomeCasesFailed: some knees could not be simulated; the others are there, and the tables list them.
    """
    if workers < 1:
        raise UsageError("number of workers", "must be at least 1", str(workers))
    directory = make_folder(directory)
    with held(directory):
        claim(directory, settings)
        remove_drafts(directory)
        participants = tuple(draw_participant(seed, settings.prevalence) for seed in settings.seeds)
        plan = plan_release(directory, settings, participants, thorough=thorough)
        if announce is not None:
            announce(plan)
        save_settings(directory, settings, complete=False)
        try:
            failed = _simulate(directory, settings, plan, workers, progress)
        except BaseException:  # also KeyboardInterrupt
            remove_drafts(directory)
            raise
        present = tuple(one for one in participants if one.seed not in failed)
        write_tables(directory, present, settings)
        save_settings(directory, settings, complete=not failed, failed=tuple(failed))
    if failed:
        raise SomeCasesFailed(
            f"release {directory.name}",
            f"{len(present)} of {len(participants)} knees were simulated",
            "; ".join(f"seed {seed}: {reason}" for seed, reason in failed.items()),
            "Run the same command again to try the others.",
        )
    return ReleaseSummary(directory, len(plan.remaining), len(present))


def _simulate(
    directory: Path, settings: ReleaseSettings, plan: ReleasePlan, workers: int, progress: bool
) -> dict[int, str]:
    """Make what is missing; returns the seeds that failed with their reasons."""
    failed = {}
    bar = tqdm(
        total=plan.complete + len(plan.remaining),
        initial=plan.complete,
        unit="knee",
        disable=not progress,
        file=sys.stderr,
    )
    with bar:
        for outcome in _outcomes(directory, settings, plan.remaining, workers):
            if outcome.fatal is not None:
                kind, texts = outcome.fatal
                raise kind(*texts)
            bar.update()
            if outcome.reason is not None:
                failed[outcome.seed] = outcome.reason
    return dict(sorted(failed.items()))


def _outcomes(
    directory: Path, settings: ReleaseSettings, participants: tuple[Participant, ...], workers: int
) -> Iterator[Outcome]:
    """Outcomes in the order in which they come."""
    if workers == 1 or len(participants) < 2:
        for participant in participants:
            yield _attempt(directory, participant, settings)
        return
    with _pool(min(workers, len(participants))) as pool:
        futures: list[Future[Outcome]] = [pool.submit(_attempt, directory, one, settings) for one in participants]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise OutOfMemory(
                "a worker", "must live until its knee is done", "it was killed", "Use fewer --workers, and run again."
            ) from error


def _attempt(directory: Path, participant: Participant, settings: ReleaseSettings) -> Outcome:
    """Make one participant. The package's own errors and lack of memory end the run, others concern this knee alone."""
    try:
        write_participant(directory, participant, settings)
    except Xray2MRIError as error:
        return Outcome(participant.seed, fatal=(type(error), (error.what, error.rule, error.found, error.remedy)))
    except MemoryError:
        texts = ("the simulator", "ran out of memory", "", "Use fewer --workers, and run again.")
        return Outcome(participant.seed, fatal=(OutOfMemory, texts))
    except Exception as error:
        return Outcome(participant.seed, reason=describe_unexpected(error))
    return Outcome(participant.seed)


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that end with this one, on one thread each."""
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))  # read when the workers load their libraries
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start_worker)
    try:
        yield pool
    except BaseException:
        _end(pool)
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _end(pool: ProcessPoolExecutor) -> None:
    """End the workers without waiting for their knees."""
    for process in list((pool._processes or {}).values()):  # there is no public way before Python 3.14
        process.terminate()


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, and end when it does: a killed parent cannot end its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
