"""The pool of processes: the same work for each of many tasks, in this process or in several.

Who needs all results, in order, takes a :class:`Runner`, so that another pool, of several machines for example, can
stand in its place. Who must live with tasks that hang, crash or eat the memory takes :func:`as_they_come`.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Final, Generic, Protocol, TypeVar

from tqdm import tqdm

from monai_xray2mri.errors import OutOfMemory, UsageError, describe_unexpected
from monai_xray2mri.runtime.processes import resident_gigabytes
from monai_xray2mri.runtime.threads import one_thread_each

Task = TypeVar("Task")
Result = TypeVar("Result")

_LOOK_SECONDS: Final = 0.1
"""How often the limits of a task are looked at."""
_STARTING: Final = threading.Lock()
"""Held while a process starts: the variables of its threads are those of this process for that time."""


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


@dataclass(frozen=True)
class Limits:
    """What one task may take; its process is killed beyond.

    Attributes:
        seconds: of the clock, from when the process has started and has imported the work's module.
        gigabytes: of resident memory of its process (10^9 bytes), on Linux; None for no limit, as above.

    Raises:
        UsageError: a limit of 0 or less.
    """

    seconds: float | None = None
    gigabytes: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("seconds", self.seconds), ("gigabytes", self.gigabytes)):
            if value is not None and not value > 0:
                raise UsageError(f"limit of {name}", "must be greater than 0", f"{value:g}")


@dataclass(frozen=True)
class Died:
    """What comes in place of a result when the process ended before the task did.

    Attributes:
        why: ends the sentence "the process ...": ``was killed by signal 11``.
        limit: which limit was exceeded: ``"seconds"`` or ``"gigabytes"``; empty for none.
        signal: number of the signal that killed it, other than for a limit; 0 for none.
    """

    why: str
    limit: str = ""
    signal: int = 0


_ENDED: Final = Died("was ended")
"""What comes where this process ended the other one."""


class Worker(Generic[Task, Result]):
    """A process that does one task after another; it is started when a task comes, and anew after a death.

    The process leaves Ctrl-C to this process and ends with it. Work that holds something costly from task to task, as
    loaded weights, keeps it in itself: each process has its own copy.

    Args:
        work: what is done with a task; picklable, as tasks and results are.
        limits: of each task.
        one_thread: whether the process computes on one thread, as it should where there are several.
    """

    def __init__(
        self, work: Callable[[Task], Result], limits: Limits | None = None, *, one_thread: bool = True
    ) -> None:
        self.work, self.limits = work, limits or Limits()
        self._one_thread = one_thread
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None
        self._starting = self._ended = False

    @property
    def pid(self) -> int | None:
        """Number of the process; None where there is none."""
        process = self._process
        return process.pid if process is not None else None

    def __call__(
        self, task: Task, limits: Limits | None = None, stop: Callable[[], bool] = lambda: False
    ) -> Result | Died:
        """Do a task.

        Args:
            task: see above.
            limits: of this task; None: those of every task.
            stop: asked now and then whether to end the process early; the next task starts another one.

        Raises:
            Exception: what the work raised.
        """
        if self._ended:
            return _ENDED
        limits = limits or self.limits
        process, connection = self._living()
        try:
            if self._starting:
                while not connection.poll(_LOOK_SECONDS):
                    if stop():
                        self._kill()
                        return _ENDED
                connection.recv_bytes()
                self._starting = False
            begin = time.monotonic()
            connection.send(task)
            while not connection.poll(_LOOK_SECONDS):
                over = _ENDED if stop() else _over(limits, process, time.monotonic() - begin)
                if over is not None:
                    self._kill()
                    return over
            answer = connection.recv()
        except (EOFError, OSError):  # also where the process ended between two tasks
            return self._death()
        if isinstance(answer, _Raised):
            raise answer.error from _InWorker(answer.trace)
        result: Result = answer
        return result

    def end(self) -> None:
        """End the process at once, also within a task of another thread; no other is started."""
        self._ended = True
        process = self._process
        if process is not None:  # who waits for its answer sees the end, and closes the connection
            process.kill()
            process.join()

    def _living(self) -> tuple[SpawnProcess, Connection]:
        if self._process is None or self._connection is None or not self._process.is_alive():
            self._kill()
            context = get_context("spawn")
            here, there = context.Pipe()
            process = context.Process(target=_serve, args=(there, self.work))
            with _STARTING, one_thread_each() if self._one_thread else nullcontext():
                process.start()
            there.close()  # so that its end is seen here
            self._process, self._connection, self._starting = process, here, True
        return self._process, self._connection

    def _death(self) -> Died:
        process = self._process
        if process is None:
            return _ENDED
        process.join(5)
        code = process.exitcode
        self._kill()
        if code is not None and code < 0:
            return Died(f"was killed by signal {-code}", signal=-code)
        return Died(f"ended with code {code}")

    def _kill(self) -> None:
        process, connection = self._process, self._connection
        self._process = self._connection = None
        if process is not None:
            process.kill()
            process.join()
        if connection is not None:
            connection.close()


def _over(limits: Limits, process: SpawnProcess, seconds: float) -> Died | None:
    """The death for a limit that is exceeded; None for none."""
    if limits.seconds is not None and seconds > limits.seconds:
        return Died(f"took longer than {limits.seconds:g} s and was ended", limit="seconds")
    if limits.gigabytes is not None and resident_gigabytes(process.pid) > limits.gigabytes:
        return Died(f"took more than {limits.gigabytes:g} GB of memory and was ended", limit="gigabytes")
    return None


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


@dataclass(frozen=True)
class _Raised:
    """What a worker process sends in place of a result."""

    error: Exception
    trace: str


class _InWorker(Exception):
    """Where in its process an error was raised: the cause of the error here."""


def _serve(connection: Connection, work: Callable[[Any], Any]) -> None:
    """Main function of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = parent_process()
    if parent is not None:  # a killed parent cannot end its workers
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    with suppress(EOFError, OSError):
        connection.send_bytes(b"")  # all is imported
        while True:
            task = connection.recv()
            try:
                answer = pickle.dumps(work(task))
            except Exception as error:
                answer = _pickled_error(error)
            connection.send_bytes(answer)


def _pickled_error(error: Exception) -> bytes:
    trace = traceback.format_exc()
    try:
        answer = pickle.dumps(_Raised(error, trace))
        pickle.loads(answer)  # some errors cannot be made again from what was pickled
    except Exception:
        return pickle.dumps(_Raised(RuntimeError(describe_unexpected(error)), trace))
    return answer


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
