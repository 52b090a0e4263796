"""Processes that a process has started."""

from __future__ import annotations

from pathlib import Path


def children_of(process: int) -> list[int]:
    """All children, whichever thread started them."""
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return sorted(int(child) for task in tasks for child in task.read_text().split())


def workers_of(process: int) -> list[int]:
    """Those that were spawned for work."""
    return [child for child in children_of(process) if b"spawn_main" in _command(child)]


def _command(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except FileNotFoundError:  # it has ended since
        return b""
