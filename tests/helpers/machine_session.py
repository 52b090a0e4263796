"""The rules of ``hospital_machine.py`` over a real Orthanc; for ``test_state_machine.py``.

It runs in a network namespace of its own. Time passes as Orthanc's clock is set, which Debian's libfaketime does.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections import Counter
from io import BytesIO
from pathlib import Path

import httpx
from hypothesis.stateful import run_state_machine_as_test
from pydicom import dcmread

from monai_xray2mri.hospital.record import Manifest, Record
from monai_xray2mri.hospital.settings import Destination, OrthancSettings
from monai_xray2mri.hospital.soak.judge import record_of
from monai_xray2mri.hospital.soak.peer import OUT_OF_RESOURCES, Peer
from tests.helpers.hospital_machine import ANSWERS, EXAMPLES, Hospital
from tests.helpers.hospital_system import InlineMaker
from tests.helpers.orthanc_double import Held
from tests.helpers.orthanc_session import raise_loopback
from tests.helpers.real_orthanc import RealOrthanc
from tests.helpers.tap import Tap
from tests.helpers.ward import Ward
from tests.helpers.ward import settings as ward_settings

PEER_PORT = 11112
MANY = 10_000


class TappedOrthanc(Tap):
    """A real Orthanc, whose clock and requests tests command."""

    def __init__(self, process: RealOrthanc) -> None:
        super().__init__()
        self._process, self._network, self._wrong_s = process, httpx.HTTPTransport(), 0.0
        self.time = 0.0
        for study in process.ask("/studies"):
            process.client.delete(f"/studies/{study}")

    def carry(self, request: httpx.Request) -> httpx.Response:
        return self._network.handle_request(request)

    @property
    def time(self) -> float:
        """Seconds by which Orthanc's clock is fast."""
        return self._wrong_s

    @time.setter
    def time(self, seconds: float) -> None:
        self._wrong_s = seconds
        self._process.set_clock(seconds)

    def receive(self, content: bytes) -> str:
        return self._process.receive(content)

    def delete_study(self, study: str) -> None:
        self._process.client.delete(f"/studies/{study}")

    @property
    def instances(self) -> dict[str, Held]:
        return {one["ID"]: self._held(one) for one in self._process.ask("/instances?expand")}

    def of_study(self, study: str) -> list[Held]:
        return [held for held in self.instances.values() if held.study == study]

    def _held(self, instance: dict[str, str]) -> Held:
        content = self._process.client.get(f"/instances/{instance['ID']}/file").content
        metadata = self._process.ask(f"/instances/{instance['ID']}/metadata?expand")
        study = self._process.ask(f"/instances/{instance['ID']}/study")["ID"]
        return Held(dcmread(BytesIO(content)), content, instance["ParentSeries"], study, metadata)


class RealWard(Ward):
    """A ward with a real Orthanc and a real destination, which are those of the ward before, emptied."""

    def __init__(self, process: RealOrthanc, peer: Peer) -> None:
        self._process, self._peer = process, peer
        self._is_away = False
        self.settings = ward_settings(
            orthanc=OrthancSettings(url=process.url), answers=ANSWERS, destinations=(Destination("PACS"),)
        )
        self.orthanc = TappedOrthanc(process)
        self.ticks, self.log, self.maker = 0.0, io.StringIO(), InlineMaker()
        peer.taken.clear()

    def record(self, study: str) -> Record | None:
        return record_of(self._process, study)

    def manifest(self, study: str) -> Manifest | None:
        answer = self._process.client.get(f"/studies/{study}/attachments/4001/data")
        return Manifest.decode(answer.content) if answer.status_code == 200 else None

    def destination_answers(self, answer: str) -> None:
        self._peer.next.clear()
        if answer.endswith(OUT_OF_RESOURCES):
            self._peer.next.extend([OUT_OF_RESOURCES] * MANY)
        goes_away = answer == "Connection refused"
        if goes_away != self._is_away:
            self._is_away = goes_away
            (self._peer.stop if goes_away else self._peer.start)()

    def destination_commits(self, answer: str) -> None:
        """Nobody asks: a provider of storage commitment is a scene of ``delivery_scenes.py``."""

    @property
    def taken(self) -> dict[str, int]:
        return dict(self._peer.taken)


def main() -> None:
    raise_loopback()
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        place = {"PACS": ["PEER", "127.0.0.1", PEER_PORT]}
        process = RealOrthanc(Path(folder), "ORTHANC", 18042, 14242, place, own_clock=True)
        peer = Peer(PEER_PORT)

        class RealHospital(Hospital):
            def new_ward(self) -> Ward:
                found["examples"] += 1
                return RealWard(process, peer)

            def check(self, study: str) -> None:
                super().check(study)
                found["studies checked"] += 1

            def teardown(self) -> None:
                super().teardown()
                found["requests"] += len(self.ward.orthanc.requests)

        try:
            if not process.has_own_clock:
                print(json.dumps({"missing": "libfaketime"}))
                return
            run_state_machine_as_test(RealHospital, settings=EXAMPLES)
        finally:
            peer.stop()
            process.kill()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
