"""What the worker knows of the studies that it has met, for the status page; without patient data."""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from monai_xray2mri.hospital.record import Record, State

_MOST: Final = 2000
"""Studies that are remembered; the oldest are forgotten first."""
WAITING: Final = "waiting"
RUNNING: Final = "running"
SENDING: Final = "sending"
_GROUPS: Final = {
    State.WAITING: WAITING,
    State.CLAIMED: RUNNING,
    State.MADE: RUNNING,
    State.STORED: SENDING,
    State.SENT: SENDING,
    State.DONE: "done",
    State.REFUSED: "refused",
    State.FAILED: "failed",
}


@dataclass(frozen=True)
class Row:
    """A study on the page.

    Attributes:
        study: Orthanc's identifier.
        group: ``waiting``, ``running``, ``sending``, ``done``, ``refused`` or ``failed``.
        state: of the record; empty where there is none yet.
        code: why it was refused, has failed or waits.
        text: the same in words.
        received: when its newest source came, in seconds since 1970 by Orthanc's clock; 0: unknown.
        began: when it was claimed.
        ended: when it became final.
        due: when the next attempt is due.
        attempts: at making it.
        instances: of the result.
        sent: instances that each destination has.
        link: to a viewer.
    """

    study: str
    group: str
    state: str = ""
    code: str = ""
    text: str = ""
    received: float = 0.0
    began: float = 0.0
    ended: float = 0.0
    due: float = 0.0
    attempts: int = 0
    instances: int = 0
    sent: tuple[tuple[str, int], ...] = ()
    link: str = ""


class Board:
    """The studies that the worker has met last.

    Args:
        link: of a study's identifier and UID to an address; UID is empty where it is unknown.
    """

    def __init__(self, link: Callable[[str, str], str] = lambda study, uid: "") -> None:
        self._link, self._lock = link, threading.Lock()
        self._rows: OrderedDict[str, Row] = OrderedDict()
        self._uids: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def met(self, study: str, uid: str, received: float) -> None:
        """Note what a study is called and when its newest source came."""
        with self._lock:
            self._uids[study] = (uid, received)
            self._uids.move_to_end(study)
            if len(self._uids) > _MOST:
                self._uids.popitem(last=False)

    def wait(self, study: str, due: float) -> None:
        """Note that a study is not quiet yet."""
        uid, received = self._uids.get(study, ("", 0.0))
        self._set(Row(study, WAITING, code="not-quiet-yet", received=received, due=due, link=self._link(study, uid)))

    def note(self, study: str, record: Record) -> None:
        """Note the state of a study; one that is passed over has no row."""
        if record.state is State.PASSED:
            self.forget(study)
            return
        uid, received = self._uids.get(study, ("", 0.0))
        group = _GROUPS[record.state]
        idle = not record.worker and group in (RUNNING, SENDING)
        self._set(
            Row(
                study,
                WAITING if idle and group == RUNNING else group,
                record.state.value,
                "not-sent" if record.trouble else record.code,
                record.trouble or record.text,
                received,
                record.began,
                record.ended,
                record.due,
                record.attempts,
                record.instances,
                tuple((name, int(count)) for name, count in record.sent.items()),
                self._link(study, uid),
            )
        )

    def forget(self, study: str) -> None:
        """Take a study off the page."""
        with self._lock:
            self._rows.pop(study, None)

    def rows(self) -> list[Row]:
        """Every row, the one that changed last first."""
        with self._lock:
            return list(reversed(self._rows.values()))

    def counts(self) -> Counter[str]:
        """Rows of each group."""
        return Counter(row.group for row in self.rows())

    def oldest_wait(self, now: float | None = None) -> float:
        """Seconds for which the study that has waited longest has waited since its newest source came."""
        now = time.time() if now is None else now
        waits = [now - row.received for row in self.rows() if row.group != "done" and not row.ended and row.received]
        return max(waits, default=0.0)

    def _set(self, row: Row) -> None:
        with self._lock:
            self._rows[row.study] = row
            self._rows.move_to_end(row.study)
            if len(self._rows) > _MOST:
                self._rows.popitem(last=False)
