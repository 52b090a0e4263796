"""What breaks in a soak, in an order that is drawn from its seed, and what heals by itself."""

from __future__ import annotations

import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from typing import Final

from monai_xray2mri.hospital.soak import peer as answers
from monai_xray2mri.hospital.soak.findings import KILL_POINTS
from monai_xray2mri.hospital.soak.judge import record_of
from monai_xray2mri.hospital.soak.site import Site, SoakOptions

_CLOCK: Final = "Orthanc's clock an hour back"
_CLOCK_BACK_S: Final = 3600
_CLOCK_WRONG_S: Final = 10.0
_AWAY_S: Final = 6.0
_FULL_S: Final = 6.0
_HALF_S: Final = 5.0
_WORKER_KILLED: Final = "worker killed at "


class Faults:
    """Things that break, one after the other.

    Args:
        site: that they break.
        options: of the soak.

    Attributes:
        happened: what broke, and how often.
        kills: state that the study was in when a worker was killed, by the event of the worker's log.
    """

    def __init__(self, site: Site, options: SoakOptions) -> None:
        self._site, self._told, self._rng = site, options.told, random.Random(options.seed)
        self._healing = list[threading.Timer]()
        self.happened: Counter[str] = Counter()
        self.kills: dict[str, Counter[str]] = {}
        for worker in site.workers:
            worker.killed = self._note_kill
        self._coming = self._draw(options.studies // options.incidents + 1)

    def _draw(self, count: int) -> list[str]:
        """Every fault once, in an order of the seed, then drawn."""
        every = [*_FAULTS, *(f"{_WORKER_KILLED}{point}" for point in KILL_POINTS)]
        if not self._site.orthanc.has_own_clock:
            every.remove(_CLOCK)
            self._told(f"left out: {_CLOCK} (libfaketime is not installed: apt-get install faketime)")
        self._rng.shuffle(every)
        return every + self._rng.choices(every, k=max(0, count - len(every)))

    def break_next(self) -> None:
        """Let the next thing break, if one is left."""
        if not self._coming:
            return
        name = self._coming.pop(0)
        self.happened[name] += 1
        self._told(name)
        if name.startswith(_WORKER_KILLED):
            self._rng.choice(self._site.workers).kill_at.append(name.removeprefix(_WORKER_KILLED))
        else:
            _FAULTS[name](self)

    def revive_workers(self) -> None:
        """Start workers again that were killed."""
        for worker in self._site.workers:
            if worker.revive():
                self.happened["worker restarted"] += 1

    def heal(self) -> None:
        """Wait until everything works again."""
        for timer in self._healing:
            timer.join()
        self._site.peer.next.clear()

    def _note_kill(self, event: str, study: str) -> None:
        """The state in which a killed worker has left its study."""
        try:
            record = record_of(self._site.orthanc, study)
        except Exception:  # Orthanc was killed as well
            record = None
        state = "none" if record is None else record.state.value
        self.kills.setdefault(event, Counter())[state] += 1

    def _after(self, seconds: float, act: Callable[[], object]) -> None:
        timer = threading.Timer(seconds, act)
        self._healing.append(timer)
        timer.start()

    def _kill_orthanc(self) -> None:
        self._site.restart_orthanc()

    def _take_destination_away(self) -> None:
        self._site.peer.stop()
        self._after(_AWAY_S, self._site.peer.start)

    def _misbehave(self) -> None:
        self._site.peer.next.append(self._rng.choice(answers.ANSWERS))

    def _send_half(self) -> None:
        """An association that says how long it will be and ends there; Orthanc 1.10.1 takes no other meanwhile."""
        half = socket.create_connection(("127.0.0.1", self._site.orthanc.dicom), timeout=5)
        half.sendall(struct.pack(">BBI", 1, 0, 200) + b"\0\1")
        self._after(_HALF_S, half.close)

    def _fill_disk(self) -> None:
        self._site.disk.fill()
        self._after(_FULL_S, self._site.disk.empty)

    def _set_clock_back(self) -> None:
        self._site.orthanc.set_clock(-_CLOCK_BACK_S)
        self._after(_CLOCK_WRONG_S, lambda: self._site.orthanc.set_clock(0))


_FAULTS: Final[dict[str, Callable[[Faults], None]]] = {
    "Orthanc killed right after a study": Faults._kill_orthanc,
    "destination down": Faults._take_destination_away,
    "destination misbehaves": Faults._misbehave,
    "half association": Faults._send_half,
    "disk full": Faults._fill_disk,
    _CLOCK: Faults._set_clock_back,
}
