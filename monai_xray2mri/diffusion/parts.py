"""Parts of one result, computed side by side: one thread each, so that two processors take half the time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import torch

from monai_xray2mri.runtime.threads import one_thread

Report = Callable[[int], object]
Part = Callable[[Report], object]
"""Computes a part; it calls what it is given with the number of images' worth of work done since."""
_WAIT_SECONDS: Final = 0.1


class _Stopped(Exception):
    """Another part, or whoever follows the progress, has failed."""


def compute_parts(parts: Sequence[Part], threads: int, callback: Report | None) -> None:
    """Compute parts, ``threads`` of them at a time.

    Layers of a network gain little by several threads each; parts that do not depend on each other gain all.

    Args:
        parts: what is computed; with one thread, or one part, in the calling thread.
        threads: parts at a time; each then computes on one thread.
        callback: called in the calling thread with the work done since; what it raises stops all parts.

    Raises:
        Exception: the first that a part or the callback raises.
    """
    if threads == 1 or len(parts) == 1:
        for part in parts:
            part(callback or _nobody)
        return
    reports: queue.SimpleQueue[int] = queue.SimpleQueue()
    stop = threading.Event()

    def report(done: int) -> None:
        if stop.is_set():
            raise _Stopped
        reports.put(done)

    def run(part: Part) -> None:
        torch.set_num_threads(1)  # of this thread; the setting does not follow from that of the caller
        part(report)

    with one_thread(), ThreadPoolExecutor(min(threads, len(parts))) as pool:
        running = [pool.submit(run, part) for part in parts]
        try:
            while not all(future.done() for future in running) or not reports.empty():
                if any(future.done() and future.exception() for future in running):
                    break
                try:
                    done = reports.get(timeout=_WAIT_SECONDS)
                except queue.Empty:
                    continue
                (callback or _nobody)(done)
        finally:
            stop.set()
            for future in running:
                future.cancel()
    failed = [future.exception() for future in running if not future.cancelled() and future.exception()]
    for error in sorted(failed, key=lambda error: isinstance(error, _Stopped)):
        raise error  # type: ignore[misc]


def _nobody(done: int) -> None:
    """Nobody follows the progress."""
