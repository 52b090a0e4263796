"""SIGTERM, by which hosts and batch systems stop a program, ends it as Ctrl-C does: what is half-written is removed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

TERMINATED: Final = 128 + signal.SIGTERM
"""Exit code of a program that was told to end, as shells give it."""


class Terminated(BaseException):
    """The program was told to end. No error that code may catch and go on after, like KeyboardInterrupt."""


@contextmanager
def terminable() -> Iterator[None]:
    """Turn SIGTERM into :class:`Terminated` while the block runs; outside the main thread nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _raise)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _raise(number: int, frame: FrameType | None) -> None:
    raise Terminated
