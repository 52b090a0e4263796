"""The hour itself: sends studies, lets things break, heals everything, waits, judges."""

from __future__ import annotations

import json
import math
import random
import signal
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from pydicom import Dataset

from monai_xray2mri.hospital.record import State
from monai_xray2mri.hospital.soak import peer as answers
from monai_xray2mri.hospital.soak.disk import Disk
from monai_xray2mri.hospital.soak.judge import Verdict, end_of, judge, record_of
from monai_xray2mri.hospital.soak.peer import Peer
from monai_xray2mri.hospital.soak.processes import OrthancProcess, WorkerProcess
from monai_xray2mri.hospital.soak.studies import CHANGED, SoakStudy, coerced, draw_studies, film_of, report_of, send

_HTTP, _DICOM, _PEER, _PAGE = 18042, 14242, 11112, 18080
_HALF_S: Final = 5.0
_BACKLOG: Final = 12
"""Studies that may wait before the next one is sent."""
_FINAL: Final = ("done", "refused", "failed", "passed over", "deleted")
_MOMENTS: Final = 20
"""Values of memory that are kept of a whole soak."""
_CLOCK_BACK_S: Final = 3600
KILL_POINTS: Final = ("claimed", "read", "made", "stored", "sending", "delivered", "sent", "done")
"""Events of the log at which a worker is killed."""
KILLED_IN: Final = tuple(state.value for state in (State.CLAIMED, State.MADE, State.STORED, State.SENT, State.DONE))
"""States in which a kill must have left studies, for all of them to be covered."""
_SETTINGS = """
[orthanc]
url = "http://127.0.0.1:{http}"
[studies]
since = 2020-01-01
quiet_s = 3
poll_s = 0.5
sweep_s = 60
[model]
bundle = "{bundle}"
[model.sampling]
{sampling}
[retries]
lease_s = 10
first_s = 1
longest_s = 10
attempts = 12
[answers]
refusals = "report"
replaced = "delete"
[page]
port = {page}
[[destinations]]
name = "PEER"
timeout_s = 5
"""


@dataclass(frozen=True)
class SoakOptions:
    """What a soak is.

    Attributes:
        studies: how many.
        seed: of everything that is drawn.
        bundle: that the workers run.
        templates: films that studies are copied from.
        folder: for logs, storage and the verdict.
        sampling: lines of ``[model.sampling]``.
        workers: how many at once.
        incidents: one breaks after about so many studies.
        patience_s: seconds without a further study coming to its end after which the soak is over.
        seconds: after which no further study is sent.
        told: what happens, for people.
    """

    studies: int
    seed: int
    bundle: Path
    templates: Sequence[Dataset]
    folder: Path
    sampling: str = ""
    workers: int = 2
    incidents: int = 3
    patience_s: float = 300.0
    seconds: float = math.inf
    told: Callable[[str], object] = lambda text: None


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


class Soak:
    """A soak; :meth:`run` is the whole of it."""

    def __init__(self, options: SoakOptions) -> None:
        self._options, self._rng = options, random.Random(options.seed)
        folder = options.folder
        self._disk = Disk(folder / "storage")
        place = {"PEER": ["PEER", "127.0.0.1", _PEER]}
        self._orthanc = OrthancProcess(folder, "ORTHANC", _HTTP, _DICOM, place, self._disk.folder, True)
        self._peer = Peer(_PEER)
        self._logs = [folder / f"worker {number}.log" for number in range(options.workers)]
        self._workers = [self._worker(number) for number in range(options.workers)]
        self._found = Soaked(Verdict())
        self._memory = list[float]()
        self._healing = list[threading.Timer]()
        self._over = set[int]()
        self._incidents = self._draw_incidents()

    def run(self) -> Soaked:
        """Send, break, heal, wait, judge."""
        options, began, sent = self._options, time.monotonic(), list[SoakStudy]()
        try:
            for number, study in enumerate(draw_studies(options.studies, options.templates, options.seed)):
                if time.monotonic() - began > options.seconds:
                    options.told(f"no more is sent: {round(options.seconds / 60)} minutes are over")
                    break
                self._admit(study)
                sent.append(study)
                if number % options.incidents == options.incidents - 1:
                    self._break()
                if number % 100 == 99:
                    options.told(f"{number + 1} studies sent, {round(time.monotonic() - began)} s")
                while len(self._look_after(sent, 0.1)) > _BACKLOG:
                    time.sleep(1)
            self._heal()
            self._wait(sent)
            self._found.verdict = judge(self._orthanc, self._peer, sent, self._logs)
        finally:
            for worker in self._workers:
                worker.end(signal.SIGTERM)
            self._peer.stop()
            self._orthanc.kill()
        self._found.memory_mb = _medians(self._memory)
        self._found.seconds = round(time.monotonic() - began, 1)
        return self._found

    def _worker(self, number: int) -> WorkerProcess:
        options = self._options
        file = options.folder / f"worker {number}.toml"
        file.write_text(
            _SETTINGS.format(http=_HTTP, bundle=options.bundle, sampling=options.sampling, page=_PAGE + number)
        )
        worker = WorkerProcess(file, self._logs[number])
        worker.killed = self._note_kill
        return worker

    # Studies.

    def _admit(self, study: SoakStudy) -> None:
        for content in study.films * (2 if study.kind == "sent twice" else 1):
            self._send(content)
        found = self._orthanc.client.post("/tools/lookup", content=study.uid).json()
        study.orthanc = next(one["ID"] for one in found if one["Type"] == "Study")
        study.sent = time.monotonic()

    def _send(self, content: bytes) -> None:
        """Send until it is taken, as a modality does."""
        for _ in range(60):
            try:
                if send(content, _DICOM, "ORTHANC"):
                    return
            except (OSError, RuntimeError, ValueError):
                pass
            time.sleep(1)
        raise TimeoutError("Orthanc takes nothing")

    def _is_over(self, study: SoakStudy) -> bool:
        """Whether it is at its end, and what comes later to its kind was answered, too."""
        try:
            end = end_of(self._orthanc, study)
        except Exception:  # Orthanc is down at the moment
            return False
        if end not in _FINAL or end not in study.expected or (study.kind in _LATER and not study.acted):
            return False
        return study.kind not in CHANGED or self._fingerprint(study) != study.before

    def _look_after(self, studies: Sequence[SoakStudy], pause: float = 1.0) -> list[SoakStudy]:
        """Let happen what comes later to a study; restart workers; measure memory; wait.

        Returns:
            Studies that are not at their end, or whose later events are outstanding. One that was over is not asked
            for again: the judge sees what became of it.
        """
        left = list[SoakStudy]()
        for study in studies:
            if study.number in self._over:
                continue
            if self._is_over(study):
                self._over.add(study.number)
                study.ended = time.monotonic()
                continue
            left.append(study)
            act = _LATER.get(study.kind)
            if act is None or study.acted:
                continue
            try:
                before = self._fingerprint(study)
                if act(self, study):
                    study.acted, study.before = True, before
            except Exception:  # Orthanc is down at the moment: the next look tries again
                continue
        for worker in self._workers:
            if worker.revive():
                self._found.incidents["worker restarted"] += 1
        self._memory.append(max(worker.memory_mb() for worker in self._workers))
        time.sleep(pause)
        return left

    def _wait(self, studies: Sequence[SoakStudy]) -> None:
        """Until every study is at its end, or nothing has moved for as long as patience lasts."""
        open_before, since = -1, time.monotonic()
        while (left := len(self._look_after(studies))) and time.monotonic() - since < self._options.patience_s:
            if left != open_before:
                open_before, since = left, time.monotonic()
                self._options.told(f"{left} studies to come")
        time.sleep(4)  # who takes copies and own results for work, begins now

    def _state(self, study: SoakStudy) -> str:
        record = record_of(self._orthanc, study.orthanc)
        return "" if record is None else record.state.value

    def _fingerprint(self, study: SoakStudy) -> str:
        """Of the sources that its state is about."""
        record = record_of(self._orthanc, study.orthanc)
        return "" if record is None else record.fingerprint

    def _after(self, study: SoakStudy, state: str, content: Callable[[], bytes]) -> bool:
        if self._state(study) != state:
            return False
        self._send(content())
        return True

    def _send_coerced(self, study: SoakStudy) -> bool:
        if self._state(study) != "done":
            return False
        for instance in self._orthanc.instances(study.orthanc):
            header = self._orthanc.ask(f"/instances/{instance['ID']}/simplified-tags") or {}
            if header.get("Modality") == "MR":
                self._send(coerced(self._orthanc.client.get(f"/instances/{instance['ID']}/file").content))
                return True
        return False

    def _delete(self, study: SoakStudy) -> bool:
        if not self._state(study):  # nobody has begun
            return False
        return bool(self._orthanc.client.delete(f"/studies/{study.orthanc}").status_code == 200)

    def _copy(self, study: SoakStudy) -> bool:
        return bool(self._orthanc.client.post(f"/studies/{study.orthanc}/anonymize", json={}).status_code == 200)

    # What breaks.

    def _draw_incidents(self) -> list[str]:
        """Every incident once, in an order of the seed, then drawn."""
        every = [*_INCIDENTS, *(f"worker killed at {point}" for point in KILL_POINTS)]
        if not self._orthanc.has_own_clock:
            every.remove(_CLOCK)
            self._options.told(f"left out: {_CLOCK} (libfaketime is not installed: apt-get install faketime)")
        self._rng.shuffle(every)
        count = self._options.studies // self._options.incidents + 1
        return every + self._rng.choices(every, k=max(0, count - len(every)))

    def _break(self) -> None:
        if not self._incidents:
            return
        name = self._incidents.pop(0)
        self._found.incidents[name] += 1
        self._options.told(name)
        if name.startswith("worker killed at "):
            self._rng.choice(self._workers).kill_at.append(name.removeprefix("worker killed at "))
        else:
            _INCIDENTS[name](self)

    def _note_kill(self, event: str, study: str) -> None:
        """The state in which a killed worker has left its study."""
        try:
            record = record_of(self._orthanc, study)
        except Exception:  # Orthanc was killed as well
            record = None
        state = "none" if record is None else record.state.value
        self._found.kills.setdefault(event, Counter())[state] += 1

    def _later(self, seconds: float, act: Callable[[], object]) -> None:
        timer = threading.Timer(seconds, act)
        self._healing.append(timer)
        timer.start()

    def _kill_orthanc(self) -> None:
        self._orthanc.kill()
        time.sleep(0.5)
        self._orthanc.start()

    def _take_destination_away(self) -> None:
        self._peer.stop()
        self._later(6, self._peer.start)

    def _misbehave(self) -> None:
        self._peer.next.append(self._rng.choice(answers.ANSWERS))

    def _send_half(self) -> None:
        """An association that says how long it will be and ends there; Orthanc 1.10.1 takes no other meanwhile."""
        half = socket.create_connection(("127.0.0.1", _DICOM), timeout=5)
        half.sendall(struct.pack(">BBI", 1, 0, 200) + b"\0\1")
        self._later(_HALF_S, half.close)

    def _fill_disk(self) -> None:
        self._disk.fill()
        self._later(6, self._disk.empty)

    def _set_clock_back(self) -> None:
        self._orthanc.set_clock(-_CLOCK_BACK_S)
        self._later(10, lambda: self._orthanc.set_clock(0))

    def _heal(self) -> None:
        for timer in self._healing:
            timer.join()
        self._peer.next.clear()


_CLOCK: Final = "Orthanc's clock an hour back"
_INCIDENTS: Final[dict[str, Callable[[Soak], None]]] = {
    "Orthanc killed right after a study": Soak._kill_orthanc,
    "destination down": Soak._take_destination_away,
    "destination misbehaves": Soak._misbehave,
    "half association": Soak._send_half,
    "disk full": Soak._fill_disk,
    _CLOCK: Soak._set_clock_back,
}
_LATER: Final[dict[str, Callable[[Soak, SoakStudy], bool]]] = {
    "same again after the answer": lambda soak, study: soak._after(study, "done", lambda: study.films[0]),
    "late film": lambda soak, study: soak._after(
        study, "done", lambda: film_of(study, soak._options.templates[0], "late film")
    ),
    "report after the answer": lambda soak, study: soak._after(study, "done", lambda: report_of(study)),
    "report after a refusal": lambda soak, study: soak._after(study, "refused", lambda: report_of(study)),
    "result coerced and sent back": Soak._send_coerced,
    "deleted while it is made": Soak._delete,
    "copied by Orthanc": Soak._copy,
}
"""What comes later to a study of a kind; returns whether it has happened."""


def _medians(values: Sequence[float]) -> list[int]:
    """Medians over equal parts of a row of values."""
    step = max(1, -(-len(values) // _MOMENTS))
    return [round(median(values[start : start + step])) for start in range(0, len(values), step)]


def run_soak(options: SoakOptions) -> Soaked:
    """Run a soak in the namespaces of this process and write ``soak.json``; see ``xray2mri benchmark soak``."""
    found = Soak(options).run()
    (options.folder / "soak.json").write_text(json.dumps(found.record(), indent=2) + "\n")
    return found
