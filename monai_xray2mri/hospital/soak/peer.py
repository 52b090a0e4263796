"""A destination that takes what it is sent and answers as it is told: refusing, slow, hanging up, not there."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from typing import Any, Final

from monai_xray2mri.runtime.optional import optional_library

OUT_OF_RESOURCES: Final = "0xA700"
NOT_AUTHORIZED: Final = "0x0124"
WARNING: Final = "0xB000"
SLOW: Final = "slow"
HANG_UP: Final = "hang up"
ANSWERS: Final = (OUT_OF_RESOURCES, NOT_AUTHORIZED, WARNING, SLOW, HANG_UP)
_FAILURE: Final = 0xC000


class Peer:
    """A storage SCP on loopback.

    Args:
        port: that it listens on.
        slow_s: seconds of a slow answer, longer than who sends waits.

    Attributes:
        taken: SOP Instance UIDs that it has acknowledged, and how often.
        patients: Patient ID and Study Instance UID of each of them.
        next: answers to the next instances; everything after them is taken.
    """

    def __init__(self, port: int, slow_s: float = 8.0) -> None:
        self._library = optional_library("pynetdicom", "soak")
        self._port, self._slow_s, self._lock = port, slow_s, threading.Lock()
        self._server: Any = None
        self.taken: Counter[str] = Counter()
        self.patients: dict[str, tuple[str, str]] = {}
        self.next: deque[str] = deque()
        self.start()

    def start(self) -> None:
        """Listen."""
        library = self._library
        entity = library.AE("PEER")
        for context in library.StoragePresentationContexts:
            entity.add_supported_context(context.abstract_syntax, library.ALL_TRANSFER_SYNTAXES)
        handlers = [(library.evt.EVT_C_STORE, self._store)]
        self._server = entity.start_server(("127.0.0.1", self._port), block=False, evt_handlers=handlers)

    def stop(self) -> None:
        """Be not there."""
        self._server.shutdown()

    def _store(self, event: Any) -> int:
        answer = self.next.popleft() if self.next else ""
        if answer == HANG_UP:
            event.assoc.abort()
            return _FAILURE
        if answer == SLOW:
            time.sleep(self._slow_s)
            return _FAILURE
        if answer in (OUT_OF_RESOURCES, NOT_AUTHORIZED):
            return int(answer, 16)
        dataset = event.dataset
        with self._lock:
            uid = str(event.request.AffectedSOPInstanceUID)
            self.taken[uid] += 1
            self.patients[uid] = (str(dataset.get("PatientID", "")), str(dataset.StudyInstanceUID))
        return int(answer, 16) if answer else 0x0000
