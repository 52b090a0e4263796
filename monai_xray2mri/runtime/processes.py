"""Cores that a process may use; and on Linux, the processes that it has started: elsewhere none are found."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def usable_cores() -> int:
    """Cores that this process may use: those that it is bound to, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def children_of(process: int) -> list[int]:
    """All children of a process, whichever of its threads started them."""
    children: list[int] = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):  # the thread has ended since
            children += map(int, task.read_text().split())
    return sorted(children)


def workers_of(process: int) -> list[int]:
    """Those of its children that were spawned for work (:class:`~.worker.Worker`)."""
    return [child for child in children_of(process) if b"spawn_main" in _command(child)]


def resident_gigabytes(process: int | None) -> float:
    """Resident memory of a process in 10^9 bytes; 0 where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e9


def _command(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:  # it has ended since
        return b""
