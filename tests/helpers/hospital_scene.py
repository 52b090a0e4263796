"""An Orthanc, a PACS and workers for scenes between real Orthancs."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx

from monai_xray2mri.hospital.archive import Archive
from monai_xray2mri.hospital.events import Events, JsonLog
from monai_xray2mri.hospital.record import Manifest, Record
from monai_xray2mri.hospital.settings import Destination, OrthancSettings, RetrySettings, Settings, StudySettings
from monai_xray2mri.hospital.soak.judge import record_of
from monai_xray2mri.hospital.worker import Worker
from tests.helpers.hospital_system import FilmSystem, InlineMaker, film
from tests.helpers.misbehaving_peers import WEB_PEER_PORT
from tests.helpers.real_orthanc import DICOM_WEB, RealOrthanc

QUIET_S, LEASE_S = 1.0, 2.0
PEER_PORT = 11112


class Scene:
    """An Orthanc, a PACS, and workers."""

    def __init__(self, folder: Path) -> None:
        peers = {"PACS": ["PACS", "127.0.0.1", 14243], "PEER": ["PEER", "127.0.0.1", PEER_PORT]}
        back = {"ORTHANC": ["ORTHANC", "127.0.0.1", 14242]}
        servers = {
            "WEB PACS": {"Url": "http://127.0.0.1:18043/dicom-web/"},
            "WEB PEER": {"Url": f"http://127.0.0.1:{WEB_PEER_PORT}/"},
        }
        web = {"Plugins": [str(DICOM_WEB)], "DicomWeb": {"Enable": True, "Servers": servers}}
        options = web if DICOM_WEB.exists() else None
        self.orthanc = RealOrthanc(folder, "ORTHANC", 18042, 14242, peers, options=options)
        self.pacs = RealOrthanc(folder, "PACS", 18043, 14243, back, options=options)
        self.maker = InlineMaker()
        self.log = io.StringIO()
        self.settings = Settings(
            orthanc=OrthancSettings(url=self.orthanc.url, timeout_s=30),
            studies=StudySettings(since=datetime(2020, 1, 1, tzinfo=UTC), quiet_s=QUIET_S, poll_s=0.1),
            destinations=(Destination("PACS"),),
            retries=RetrySettings(first_s=0.5, longest_s=2, lease_s=LEASE_S, attempts=10),
        )

    def worker(self, settings: Settings | None = None, transport: httpx.BaseTransport | None = None) -> Worker:
        chosen = settings or self.settings
        archive = Archive(chosen.orthanc, transport)
        return Worker(archive, self.maker, chosen, FilmSystem.modalities, Events(JsonLog(self.log)))

    @contextmanager
    def running(self, *workers: Worker) -> Iterator[None]:
        threads = [threading.Thread(target=worker.run, daemon=True) for worker in workers]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            for worker in workers:
                worker.stop.set()
            for thread in threads:
                thread.join(30)

    def record(self, study: str) -> Record | None:
        return record_of(self.orthanc, study)

    def until(self, study: str, *states: str, patience: float = 120.0) -> str:
        end = time.monotonic() + patience
        while time.monotonic() < end:
            record = self.record(study)
            if record is not None and record.state in states:
                return record.state.value
            time.sleep(0.05)
        record = self.record(study)
        return f"never: {record}"

    def until_worked_past(self, name: str) -> None:
        """Until a film that comes now is answered: what came before was looked at, too."""
        time.sleep(QUIET_S + 1.1)  # reception dates are whole seconds
        state = self.until(self.orthanc.receive(film(f"+{name}")), "done", "failed")
        assert state == "done", state

    def manifest(self, study: str) -> set[str]:
        content = self.orthanc.client.get(f"/studies/{study}/attachments/4001/data").content
        manifest = Manifest.decode(content)
        return {one.uid for one in manifest.instances} if manifest else set()
