"""A process that does one task after another, and lives with tasks that hang, crash or eat the memory."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import ModuleType
from typing import Any, Final, Generic, TypeVar

from monai_xray2mri.errors import UsageError, describe_unexpected
from monai_xray2mri.runtime.processes import resident_gigabytes
from monai_xray2mri.runtime.threads import one_thread_each

Task = TypeVar("Task")
Result = TypeVar("Result")

_LOOK_SECONDS: Final = 0.1
"""How often the limits of a task are looked at."""
_STARTING: Final = threading.Lock()
"""Held while a process starts: the variables of its threads are those of this process for that time."""


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
        prepare: called in the process before its first task, to load what tasks need; what it raises is left to the
            tasks. Picklable.
        with_main: whether the process imports the main module of this one, which is needed where that defines the work
            or its tasks.
    """

    def __init__(
        self,
        work: Callable[[Task], Result],
        limits: Limits | None = None,
        *,
        one_thread: bool = True,
        prepare: Callable[[], object] | None = None,
        with_main: bool = True,
    ) -> None:
        self.work, self.limits = work, limits or Limits()
        self._one_thread, self._prepare, self._with_main = one_thread, prepare, with_main
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None
        self._starting = self._ended = False

    @property
    def pid(self) -> int | None:
        """Number of the process; None where there is none."""
        process = self._process
        return process.pid if process is not None else None

    def start(self) -> None:
        """Start the process now, and not when the first task comes; this does not wait for it."""
        if not self._ended:
            self._living()

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
            process = context.Process(target=_serve, args=(there, self.work, self._prepare))
            threads = one_thread_each() if self._one_thread else nullcontext()
            with _STARTING, threads, nullcontext() if self._with_main else _without_main():
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


@dataclass(frozen=True)
class _Raised:
    """What a worker process sends in place of a result."""

    error: Exception
    trace: str


class _InWorker(Exception):
    """Where in its process an error was raised: the cause of the error here."""


@contextmanager
def _without_main() -> Iterator[None]:
    """A process that is started in the block is told of an empty main module: that of a Ray worker loads all of Ray."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _serve(connection: Connection, work: Callable[[Any], Any], prepare: Callable[[], object] | None) -> None:
    """Main function of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = parent_process()
    if parent is not None:  # a killed parent cannot end its workers
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    with suppress(EOFError, OSError):
        connection.send_bytes(b"")  # all is imported
        if prepare is not None:
            with suppress(Exception):  # the first task raises it
                prepare()
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
