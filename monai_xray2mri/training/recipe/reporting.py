"""What a recipe tells while it runs: how fast a stage is and what is left, for people and as a file for programs."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO

from monai_xray2mri.training.recipe.stage import Progress

_WINDOW_S: Final = 600.0
"""Speed is the mean over so much of the last time."""
_HOUR_S: Final = 3600.0
_DAY_S: Final = 24 * _HOUR_S


class Reporter:
    """Tells of a recipe's stages on a stream and appends the same to ``log.jsonl``.

    Args:
        folder: of the recipe's state.
        stream: for people; None: stderr.
        quiet: nothing for people.
        interval: seconds between two lines.
        clock: seconds that pass; for tests.
    """

    def __init__(
        self,
        folder: Path,
        stream: TextIO | None = None,
        quiet: bool = False,
        interval: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path, self.stream, self.quiet = folder / "log.jsonl", stream, quiet
        self.interval, self.clock = interval, clock
        self.name, self.where, self.progress = "", "", Progress(0, 0, "")
        self._last = self.clock()
        self._seen: deque[tuple[float, int]] = deque()

    def begin(self, name: str, where: str, progress: Progress) -> None:
        """A stage begins or goes on.

        Args:
            name: of the stage.
            where: its place in the recipe: ``"stage 2 of 5"``.
            progress: where it stands.
        """
        self.name, self.where, self.progress = name, where, progress
        self._last = self.clock()
        self._seen = deque([(self._last, progress.done)])
        self._note("begins" if progress.done == 0 else "goes on")

    def heard(self, units: int) -> None:
        """Units of the stage were done."""
        before, now = self.progress, self.clock()
        self.progress = Progress(before.done + units, before.total, before.unit)
        self._seen.append((now, self.progress.done))
        while len(self._seen) > 2 and now - self._seen[1][0] > _WINDOW_S:
            self._seen.popleft()
        if now - self._last >= self.interval:
            self._last = now
            self._note("works")

    def end(self, progress: Progress) -> None:
        """A stage is complete, or has been interrupted."""
        self.progress = progress
        self._note("is complete" if progress.complete else "stops")

    @property
    def per_second(self) -> float | None:
        """Units per second lately; None before the first."""
        (start, first), (now, last) = self._seen[0], self._seen[-1]
        return (last - first) / (now - start) if now > start and last > first else None

    def say(self, text: str) -> None:
        """A line for people."""
        if not self.quiet:
            print(f"xray2mri: {text}", file=self.stream or sys.stderr, flush=True)

    def _note(self, event: str) -> None:
        speed, progress = self.per_second, self.progress
        parts = [str(progress)]
        record: dict[str, Any] = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "stage": self.name,
            "event": event,
            "done": progress.done,
            "total": progress.total,
            "unit": progress.unit,
        }
        if speed is not None:
            left = (progress.total - progress.done) / speed
            record |= {"per_second": round(speed, 3), "seconds_left": round(left)}
            parts += [f"{speed:.3g} {progress.unit} a second"]
            parts += [f"{duration(left)} left"] * (not progress.complete)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as stream:
            stream.write(json.dumps(record) + "\n")
        self.say(f"{self.where}, {self.name}, {event}: {', '.join(parts)}")


def duration(seconds: float) -> str:
    """A time in words.

    Example:
        >>> [duration(seconds) for seconds in (40, 600, 9000, 200000)]
        ['40 s', '10 min', '2.5 h', '2.3 d']
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / _HOUR_S:.1f} h" if seconds < 2 * _DAY_S else f"{seconds / _DAY_S:.1f} d"
