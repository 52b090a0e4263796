"""How much memory this process takes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

_STATUS: Final = Path("/proc/self/status")


def peak_memory_mb() -> float:
    """Greatest resident memory that this process ever had, in MB (10^6 bytes)."""
    if _STATUS.exists():  # ru_maxrss would count the parent's memory up to exec
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
