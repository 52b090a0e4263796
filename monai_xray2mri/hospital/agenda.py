"""When each study is to be looked at again."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue


class Agenda:
    """Studies and the moments at which they are due, by the worker's clock.

    It belongs to the loop: other threads may only :meth:`ask`.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._moments: dict[str, float] = {}
        self._asked: SimpleQueue[str] = SimpleQueue()

    def __len__(self) -> int:
        """How many studies are to be looked at again."""
        return len(self._moments)

    def ask(self, study: str) -> None:
        """Ask, from any thread, for a study to be looked at now; the loop enters it when it looks for what is due."""
        self._asked.put(study)

    def put(self, study: str, wait: float) -> None:
        """Enter a study that is due in ``wait`` seconds, in place of what was entered for it."""
        self._moments[study] = self._clock() + wait

    def put_if_new(self, study: str) -> None:
        """Enter a study that is due now, unless something is entered for it."""
        self._moments.setdefault(study, self._clock())

    def hasten(self, study: str) -> None:
        """Enter a study that is due now, unless it is due already."""
        now = self._clock()
        self._moments[study] = min(self._moments.get(study, now), now)

    def remove(self, study: str) -> None:
        """Take out a study that is being looked at."""
        del self._moments[study]

    def due(self) -> str:
        """The study that has been due for longest; empty if there is none."""
        while not self._asked.empty():
            self.put(self._asked.get(), 0.0)
        study = self._first()
        return study if study and self._moments[study] <= self._clock() else ""

    def next_moment(self) -> float:
        """When the next study is due; infinite if there is none."""
        return self._moments.get(self._first(), float("inf"))

    def _first(self) -> str:
        return min(self._moments, key=lambda study: self._moments[study], default="")
