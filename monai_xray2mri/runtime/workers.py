"""The pool of processes: the same work for each of many tasks, in this process or in several.

Who needs all results, in order, takes a :class:`Runner`, so that another pool, of several machines for example, can
stand in its place. Who must live with tasks that hang, crash or eat the memory takes :func:`as_they_come`.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from tqdm import tqdm

from monai_xray2mri.errors import OutOfMemory, UsageError
from monai_xray2mri.runtime.worker import Died, Limits, Result, Task, Worker


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


def as_they_come(
    work: Callable[[Task], Result], tasks: Iterable[Task], count: int, limits: Limits | None = None
) -> Generator[tuple[Task, Result | Died | Exception], None, None]:
    """Do each task in one of several processes, and yield it with what became of it, in the order of their ends.

    Nothing that a task does ends the others: its error, or the death of its process, comes in place of its result.
    Tasks are taken one by one as processes are free, so that there may be any number. Closing the generator ends the
    processes at once.

    Args:
        work: what is done with a task; picklable, as tasks and results are.
        tasks: see above.
        count: of processes, at least 1.
        limits: of each task.

    Raises:
        UsageError: fewer than 1 process.
    """
    workers: list[Worker[Task, Result]] = [Worker(work, limits) for _ in range(Workers(count).count)]
    source, taking, ended = iter(tasks), threading.Lock(), threading.Event()
    done: queue.Queue[tuple[Task, Result | Died | Exception] | BaseException | None] = queue.Queue()

    def next_task() -> Iterator[Task]:
        while not ended.is_set():
            with taking:
                try:
                    task = next(source)
                except StopIteration:
                    return
            yield task

    def run(worker: Worker[Task, Result]) -> None:
        try:
            for task in next_task():
                try:
                    done.put((task, worker(task)))
                except Exception as error:
                    done.put((task, error))
        except BaseException as error:  # of the source of the tasks
            done.put(error)
        finally:
            worker.end()
            done.put(None)

    threads = [threading.Thread(target=run, args=(worker,), daemon=True) for worker in workers]
    try:
        for thread in threads:
            thread.start()
        living = len(threads)
        while living:
            found = done.get()
            if found is None:
                living -= 1
            elif isinstance(found, BaseException):
                raise found
            else:
                yield found
    finally:
        ended.set()
        for worker in workers:
            worker.end()
        for thread in threads:
            thread.join()


def _in_processes(work: Callable[[Task], Result], tasks: Sequence[Task], count: int) -> Generator[Result, None, None]:
    workers: list[Worker[Task, Result]] = [Worker(work) for _ in range(count)]
    idle: queue.SimpleQueue[Worker[Task, Result]] = queue.SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def do(task: Task) -> Result | Died:
        worker = idle.get()
        try:
            return worker(task)
        finally:
            idle.put(worker)

    threads = ThreadPoolExecutor(count)
    try:
        for future in [threads.submit(do, task) for task in tasks]:
            found = future.result()
            if isinstance(found, Died):
                raise OutOfMemory(
                    "a worker", "must live until its task is done", f"it {found.why}",
                    "Use fewer workers and run again: what is complete is kept.",
                )  # fmt: skip
            yield found
    finally:  # also at KeyboardInterrupt, and GeneratorExit of who stops asking: the workers end at once
        threads.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.end()
        threads.shutdown()
