"""A hospital in small: an Orthanc in memory, workers that come and go, a destination, and what must hold at the end."""

from __future__ import annotations

import io
import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from monai_xray2mri.hospital.archive import Archive
from monai_xray2mri.hospital.board import Board
from monai_xray2mri.hospital.events import Audit, Events, JsonLog
from monai_xray2mri.hospital.record import Manifest, Record, State
from monai_xray2mri.hospital.settings import (
    AnswerSettings,
    Destination,
    OrthancSettings,
    RetrySettings,
    Settings,
    StudySettings,
)
from monai_xray2mri.hospital.worker import Worker
from tests.helpers.hospital_system import FilmSystem, InlineMaker, film
from tests.helpers.orthanc_double import OrthancDouble, Peer

QUIET_S = 60.0
SINCE = datetime(2020, 1, 1, tzinfo=UTC)


def studies(**choices: object) -> StudySettings:
    """Which studies are wanted; a choice replaces the usual one."""
    return StudySettings(**{"since": SINCE, "quiet_s": QUIET_S, **choices})  # type: ignore[arg-type]


def settings(**sections: object) -> Settings:
    """Settings of tests; a section replaces the usual one."""
    usual: dict[str, object] = {
        "orthanc": OrthancSettings(url="http://orthanc"),
        "studies": studies(),
        "destinations": (Destination("PACS"),),
        "answers": AnswerSettings(),
        "retries": RetrySettings(attempts=3, send_attempts=50, first_s=60, longest_s=600),
    }
    return Settings(**{**usual, **sections})  # type: ignore[arg-type]


class Ward:
    """An Orthanc, its destinations and a clock; ``worker()`` starts a worker."""

    def __init__(self, **sections: object) -> None:
        self.orthanc = OrthancDouble()
        self.settings = settings(**sections)
        self.orthanc.peers = {one.name: Peer() for one in self.settings.destinations}
        self.ticks = 0.0
        self.log = io.StringIO()
        self.maker = InlineMaker(partial=self.settings.answers.partial)

    def worker(
        self, maker: InlineMaker | None = None, retry_refused: bool = False, board: Board | None = None
    ) -> Worker:
        events = Events(JsonLog(self.log), Audit(None, "xray2mri", self.log))
        archive = Archive(self.settings.orthanc, self.orthanc)
        return Worker(
            archive,
            maker or self.maker,
            self.settings,
            FilmSystem.modalities,
            events,
            clock=lambda: self.ticks,
            retry_refused=retry_refused,
            board=board,
        )

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.ticks += seconds
        self.orthanc.time += seconds

    def settle(self, worker: Worker, seconds: float = QUIET_S + 1, rounds: int = 1) -> None:
        """Let time pass and the worker work, again and again."""
        worker.drain()
        for _ in range(rounds):
            self.wait(seconds)
            worker.drain()

    def record(self, study: str) -> Record | None:
        return Record.decode(self.orthanc.metadata.get(study, {}).get("4001"))

    def manifest(self, study: str) -> Manifest | None:
        return Manifest.decode(self.orthanc.attachments.get((study, "4001")))

    def state(self, study: str) -> State | None:
        record = self.record(study)
        return record.state if record else None

    def results(self, study: str, modality: str = "MR") -> list[str]:
        """SOP Instance UIDs of the synthetic images of a study."""
        return sorted(
            str(held.header.SOPInstanceUID)
            for held in self.orthanc.of_study(study)
            if held.header.Modality == modality and held.metadata["Origin"] == "RestApi"
        )

    def destination_answers(self, answer: str) -> None:
        """From now on, every instance: taken if empty, else what Orthanc says of the failure."""
        self.orthanc.peers["PACS"].answer = lambda uid: answer

    def destination_commits(self, answer: str) -> None:
        """From now on: ``Success``, ``Pending`` or ``Failure``; what was asked before succeeds then, or is lost."""
        orthanc = self.orthanc
        orthanc.peers["PACS"].commits = lambda uids: answer
        orthanc.transactions = dict.fromkeys(orthanc.transactions, "Success") if answer == "Success" else {}

    @property
    def taken(self) -> dict[str, int]:
        return dict(self.orthanc.peers["PACS"].taken)

    def events(self, name: str) -> list[dict[str, object]]:
        lines = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in lines if line.get("event") == name]

    def check_answered_once(self, study: str, films: int = 1) -> None:
        """The study is done; every slice is in Orthanc once and at the destination; nothing else is."""
        assert self.state(study) is State.DONE, self.record(study)
        assert len(self.results(study)) == 2 * films
        assert set(self.results(study)) <= set(self.taken)
        for held in self.orthanc.of_study(study):
            assert held.header.PatientID == self.orthanc.of_study(study)[0].header.PatientID


def answered(ward: Ward, content: bytes | None = None) -> str:
    """A study that has been answered."""
    study = ward.orthanc.receive(content or film("one"))
    ward.settle(ward.worker(), rounds=2)
    return study


def no_scratch_left() -> bool:
    """Whether this process has no folder of a study left."""
    return not list(Path(tempfile.gettempdir()).glob(f"xray2mri-hospital-{os.getpid()}-*"))
