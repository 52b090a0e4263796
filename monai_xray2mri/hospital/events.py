"""What the worker says of itself: one JSON line per event, and an audit trail; never anything of a patient.

Studies are named by Orthanc's identifier, a hash. Fields are numbers, states and codes; a text comes only from this
software's own messages, which hold no patient data (:mod:`monai_xray2mri.errors`).
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO

from monai_xray2mri.errors import UsageError

Listener = Callable[[str, dict[str, Any]], object]
"""Called with the name of an event and its fields."""


class Events:
    """Hands every event to those who listen.

    Args:
        *listeners: called in order.
    """

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = list(listeners)

    def add(self, listener: Listener) -> None:
        """Let another one listen."""
        self._listeners.append(listener)

    def __call__(self, event: str, **fields: Any) -> None:
        """Tell an event."""
        for listener in self._listeners:
            listener(event, fields)


class JsonLog:
    """Writes one line per event.

    Args:
        stream: where to; None: stderr.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream, self._lock = stream, threading.Lock()

    def __call__(self, event: str, fields: dict[str, Any]) -> None:
        """Write an event."""
        known = {name: value for name, value in fields.items() if value not in (None, "")}
        line = json.dumps({"time": _now(), "event": event, **known}, ensure_ascii=False)
        with self._lock:
            print(line, file=self._stream or sys.stderr, flush=True)


_AUDITED: Final = {
    "started": ("110100", "Application Activity", "E", ("110120", "Application Start")),
    "stopped": ("110100", "Application Activity", "E", ("110121", "Application Stop")),
    "read": ("110103", "DICOM Instances Accessed", "R", None),
    "stored": ("110103", "DICOM Instances Accessed", "C", None),
    "sending": ("110102", "Begin Transferring DICOM Instances", "E", None),
    "delivered": ("110104", "DICOM Instances Transferred", "E", None),
    "undelivered": ("110104", "DICOM Instances Transferred", "E", None),
    "deleted": ("110103", "DICOM Instances Accessed", "D", None),
    "retry-asked": ("110100", "Application Activity", "E", None),
    "retry-denied": ("110113", "Security Alert", "E", None),
}
"""Events of the audit trail: Event ID (CID 400), its meaning, Event Action Code, Event Type Code (CID 401)."""
_FAILED: Final = frozenset(("undelivered", "retry-denied"))


class Audit:
    """Writes the audit trail: the fields of a DICOM audit message (PS3.15 A.5.2) as JSON lines.

    People are not named, the study is named by Orthanc's identifier. A line that the file does not take, as on a full
    disk, goes to the log's stream: it is not lost, and no study fails for it.

    Args:
        file: appended to; None: the log's stream.
        source: Audit Source ID: the worker's name.

    Raises:
        UsageError: the file cannot be written.
    """

    def __init__(self, file: Path | None, source: str, stream: TextIO | None = None) -> None:
        self._file, self._source, self._stream, self._lock = file, source, stream, threading.Lock()
        if file is not None:
            try:
                with file.open("a"):
                    pass
            except OSError as error:
                found = error.strerror or "an error"
                raise UsageError("setting log.audit_file", "must be writable", found, "Check the folder.") from error

    def __call__(self, event: str, fields: dict[str, Any]) -> None:
        """Write an event, if it is one of those that are audited."""
        if event not in _AUDITED:
            return
        code, meaning, action, kind = _AUDITED[event]
        message: dict[str, Any] = {
            "EventID": {"csd-code": code, "codeSystemName": "DCM", "originalText": meaning},
            "EventActionCode": action,
            "EventDateTime": _now(),
            "EventOutcomeIndicator": 4 if event in _FAILED else 0,
            "AuditSourceID": self._source,
            "ActiveParticipant": [
                {"UserID": self._source, "UserIsRequestor": event not in ("retry-asked", "retry-denied")}
            ],
        }
        if kind is not None:
            message["EventTypeCode"] = {"csd-code": kind[0], "codeSystemName": "DCM", "originalText": kind[1]}
        if "destination" in fields:
            message["ActiveParticipant"].append({"UserID": fields["destination"], "UserIsRequestor": False})
        if "study" in fields:
            message["ParticipantObject"] = [
                {
                    "ParticipantObjectTypeCode": 2,
                    "ParticipantObjectTypeCodeRole": 3,
                    "ParticipantObjectIDTypeCode": "Orthanc study",
                    "ParticipantObjectID": fields["study"],
                    "NumberOfInstances": fields.get("instances", 0),
                }
            ]
        line = json.dumps({"audit": message})
        with self._lock:
            if self._file is None or not self._is_written(self._file, line):
                print(line, file=self._stream or sys.stderr, flush=True)

    @staticmethod
    def _is_written(file: Path, line: str) -> bool:
        try:
            with file.open("a") as target:
                target.write(line + "\n")
        except OSError:
            return False
        return True


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
