"""What a stage of a recipe is, and one piece of its work."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol


@dataclass(frozen=True)
class Progress:
    """How far a stage is.

    Attributes:
        done: units of work that are done.
        total: units of work in all.
        unit: plural word for them: ``"slices"``.

    Example:
        >>> str(Progress(1200, 8000, "slices"))
        '1,200 of 8,000 slices'
    """

    done: int
    total: int
    unit: str

    @property
    def complete(self) -> bool:
        """Whether nothing is left."""
        return self.done >= self.total

    def __str__(self) -> str:
        """In words."""
        return f"{self.done:,} of {self.total:,} {self.unit}"


class Turn:
    """One piece of work of a stage: when it ends, and who hears of it.

    Args:
        end: ``time.monotonic()`` at which the stage should stop; None: never.
        heard: called with the units that were done since the last call.
    """

    def __init__(self, end: float | None = None, heard: Callable[[int], object] | None = None) -> None:
        self.end, self._heard = end, heard

    def over(self) -> bool:
        """Whether the stage should stop now; it does so between two units."""
        return self.end is not None and time.monotonic() >= self.end

    @property
    def minutes(self) -> float | None:
        """Minutes that are left, at least 0; None: no limit."""
        return None if self.end is None else max(self.end - time.monotonic(), 0.0) / 60

    def tell(self, units: int = 1) -> None:
        """Say that units were done."""
        if self._heard is not None:
            self._heard(units)


class Stage(Protocol):
    """A part of a training with an end. What it has done lies on the disk, and may be ended at any moment.

    It is made anew whenever the recipe is read, before those in front of it are done: making it reads no files.

    Attributes:
        free: arguments that may be changed after the stage has begun, because what is done stays right.
    """

    free: ClassVar[frozenset[str]]

    def progress(self) -> Progress:
        """How far it is, by what lies on the disk. What was deleted counts as not done."""
        ...

    def work(self, turn: Turn) -> None:
        """Go on from where the disk says, until nothing is left or the turn is over.

        Raises:
            Xray2MRIError: what a user can act on.
        """
        ...
