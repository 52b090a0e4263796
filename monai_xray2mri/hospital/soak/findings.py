"""What a soak found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from monai_xray2mri.hospital.record import State
from monai_xray2mri.hospital.soak.judge import Verdict

KILL_POINTS: Final = ("claimed", "read", "made", "stored", "sending", "delivered", "sent", "done")
"""Events of the log at which a worker is killed."""
KILLED_IN: Final = tuple(state.value for state in (State.CLAIMED, State.MADE, State.STORED, State.SENT, State.DONE))
"""States in which a kill must have left studies, for all of them to be covered."""
_MOMENTS: Final = 20
"""Values of memory that are kept of a whole soak."""


@dataclass
class Soaked:
    """What a soak found.

    Attributes:
        verdict: on the studies.
        incidents: what broke, and how often.
        kills: state that the study was in when a worker was killed, by the event of its log.
        memory_mb: memory of the larger worker with its child, as medians over equal parts of the whole.
        seconds: of the whole.
    """

    verdict: Verdict
    incidents: Counter[str] = field(default_factory=Counter)
    kills: dict[str, Counter[str]] = field(default_factory=dict)
    memory_mb: list[int] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def uncovered(self) -> list[str]:
        """Kill points at which no worker was killed, and states in which no kill has left a study."""
        left = {state for states in self.kills.values() for state in states}
        return [point for point in KILL_POINTS if point not in self.kills] + [
            f"state {state}" for state in KILLED_IN if state not in left
        ]

    def record(self) -> dict[str, Any]:
        """As JSON."""
        verdict = {**vars(self.verdict), "ends": dict(self.verdict.ends)}
        kills = {event: dict(states) for event, states in self.kills.items()}
        return {
            "clean": self.verdict.is_clean,
            "verdict": verdict,
            "incidents": dict(self.incidents),
            "kills": kills,
            "uncovered": self.uncovered,
            "memory_mb": self.memory_mb,
            "seconds": self.seconds,
        }


def medians(values: Sequence[float]) -> list[int]:
    """Medians over equal parts of a row of values, 20 at most."""
    step = max(1, -(-len(values) // _MOMENTS))
    return [round(median(values[start : start + step])) for start in range(0, len(values), step)]
