"""The pool of processes: the same work for each of many tasks, in this process or in several.

Who needs it takes a :class:`Runner`, so that another pool, of several machines for example, can stand in its place.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Protocol, TypeVar

from tqdm import tqdm

from monai_xray2mri.errors import OutOfMemory, UsageError
from monai_xray2mri.runtime.threads import one_thread_each

Task = TypeVar("Task")
Result = TypeVar("Result")


class Runner(Protocol):
    """Applies a function to each of some tasks and yields the results in the order of the tasks.

    Who stops before the last result closes the generator, which ends the work.
    """

    def __call__(self, work: Callable[[Task], Result], tasks: Sequence[Task], /) -> Generator[Result, None, None]:
        """Yield ``work(task)`` for each task; the first error ends it."""


@dataclass(frozen=True)
class Workers:
    """A :class:`Runner` on this machine.

    Worker processes are started anew (``spawn``), compute on one thread each, leave Ctrl-C to this process and end
    with it. Function, tasks and results must be picklable if there are several.

    Attributes:
        count: number of processes; with 1, or with a single task, this process does the work.
        apart: work in a process of its own all the same, as a measurement of memory needs.

    Raises:
        UsageError: fewer than 1 process.

    Example:
        >>> list(Workers(1)(abs, [-1, 2]))
        [1, 2]
    """

    count: int = 1
    apart: bool = False

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UsageError("number of workers", "must be at least 1", str(self.count))

    def __call__(self, work: Callable[[Task], Result], tasks: Sequence[Task], /) -> Generator[Result, None, None]:
        """Yield ``work(task)`` for each task, in order.

        An error, or closing the generator, ends the workers at once: what they have begun stays unfinished.

        Raises:
            OutOfMemory: a worker was killed, as happens when memory runs out.
        """
        count = min(self.count, len(tasks))
        if count <= 1 and not self.apart:
            yield from map(work, tasks)
        elif tasks:
            yield from _in_processes(work, tasks, count)


def with_progress(run: Runner, unit: str, shown: bool | None = None, done: int = 0) -> Runner:
    """A runner that shows a progress bar on stderr.

    Args:
        run: does the work.
        unit: what a task is, e.g. ``"participant"``.
        shown: whether there is a bar; None shows it on a terminal.
        done: tasks that were done before.
    """

    def run_shown(work: Callable[[Task], Result], tasks: Sequence[Task], /) -> Generator[Result, None, None]:
        bar = tqdm(total=done + len(tasks), initial=done, unit=unit, disable=None if shown is None else not shown)
        with bar, closing(run(work, tasks)) as results:
            for result in results:
                bar.update()
                yield result

    return run_shown


def _in_processes(work: Callable[[Task], Result], tasks: Sequence[Task], count: int) -> Generator[Result, None, None]:
    pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_start_worker)
    try:
        with one_thread_each():  # the pool starts its processes while it takes tasks
            futures = [pool.submit(work, task) for task in tasks]
        for future in futures:
            yield future.result()
    except BaseException as error:  # also KeyboardInterrupt, and GeneratorExit of who stops asking
        _end(pool)
        if isinstance(error, BrokenProcessPool):
            raise OutOfMemory(
                "a worker", "must live until its task is done", "it was killed",
                "Use fewer workers and run again: what is complete is kept.",
            ) from error  # fmt: skip
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _end(pool: ProcessPoolExecutor) -> None:
    """End the workers without waiting for their tasks."""
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
