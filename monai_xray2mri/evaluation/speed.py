"""What a system's networks cost on a machine: parts that are measured, and the bars that they are held against.

A system lists its :class:`Part` objects; ``xray2mri benchmark`` measures each in a process of its own, so that peak
memory belongs to one part. Time does not depend on what the weights have learned: parts use networks that are not
trained where a bundle has no weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

HOLDS, MISSED = "holds", "missed"
_SAME: Final = 0.01
"""Relative difference at which a number counts as the stated one."""

Comparison = Literal["at most", "at least", "is"]
Job = Callable[[], Any]


@dataclass(frozen=True)
class Bar:
    """What a figure is held against.

    Attributes:
        value: of the bar, in the part's unit.
        comparison: ``"is"`` allows 1 %.
    """

    value: float
    comparison: Comparison = "at most"

    def verdict(self, found: float) -> str:
        """Whether it holds.

        Example:
            >>> Bar(4.0).verdict(3.2), Bar(25.0, "at least").verdict(20.0)
            ('holds', 'missed')
        """
        if self.comparison == "is":
            held = abs(found - self.value) <= _SAME * abs(self.value)
        else:
            held = found <= self.value if self.comparison == "at most" else found >= self.value
        return HOLDS if held else MISSED


@dataclass(frozen=True)
class Part:
    """Something that is measured.

    Attributes:
        title: in words.
        unit: of the figure: ``"s"`` is the time of the job; every other figure is what the job returns.
        prepare: bundle and name of the device to the job; what it does is not measured. Importable, for it runs in
            another process.
        bar: of the figure.
        memory_mb: most resident memory of the process, with libraries; None: no bar.
        timed: False for a figure that no machine changes: it is found once, whatever the threads.
    """

    title: str
    unit: str
    prepare: Callable[[Path, str], Job]
    bar: Bar | None = None
    memory_mb: float | None = None
    timed: bool = True


@dataclass(frozen=True)
class Figure:
    """What was measured of a part.

    Attributes:
        part: its name.
        threads: that it computed with.
        value: the figure.
        unit: of it.
        bar: that it is held against, in words; None: there is none.
        verdict: ``"holds"``, ``"missed"``, or None without a bar.
        cpu_seconds: of all threads for the job, which other work on the machine hardly changes.
        memory_mb: peak resident memory of the process in MB, with libraries.
    """

    part: str
    threads: int
    value: float
    unit: str
    bar: str | None
    verdict: str | None
    cpu_seconds: float
    memory_mb: float

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


def measure_part(part: Part, name: str, bundle: Path, device: str, threads: int) -> Figure:
    """Measure a part in a process of its own.

    Args:
        part: what is measured.
        name: of it.
        bundle: of the system.
        device: where networks compute.
        threads: of the CPU.

    Raises:
        OutOfMemory: the process was killed.
    """
    from functools import partial

    from monai_xray2mri.runtime.workers import Workers

    (found,) = Workers(1, apart=True)(partial(_measure, part, name, bundle, device), [threads])
    return found


def _measure(part: Part, name: str, bundle: Path, device: str, threads: int) -> Figure:
    """Measure in the current process."""
    import torch

    from monai_xray2mri.runtime.memory import peak_memory_mb

    torch.set_num_threads(threads)
    job = part.prepare(bundle, device)
    start, cpu = time.perf_counter(), time.process_time()
    answer = job()
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    value = seconds if part.unit == "s" else float(answer)
    memory = peak_memory_mb()
    return Figure(name, threads, value, part.unit, _words(part), _verdict(part, value, memory), cpu, memory)


def _words(part: Part) -> str | None:
    bars = [f"{part.bar.comparison} {part.bar.value:g} {part.unit}"] if part.bar else []
    bars += [f"at most {part.memory_mb:g} MB"] if part.memory_mb else []
    return ", ".join(bars) or None


def _verdict(part: Part, value: float, memory_mb: float) -> str | None:
    found = [part.bar.verdict(value)] if part.bar else []
    found += [Bar(part.memory_mb).verdict(memory_mb)] if part.memory_mb else []
    return None if not found else MISSED if MISSED in found else HOLDS
