"""Scenes of the hospital's worker between real Orthancs; for ``test_real_orthanc.py``.

Orthanc 1.10 listens on every address, so this script is started in a network namespace of its own (``unshare -n``),
whose only interface is loopback. It prints one JSON object: what each scene found.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import httpx
from pydicom import dcmread
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, StoragePresentationContexts, evt
from pynetdicom.sop_class import ComputedRadiographyImageStorage

from monai_xray2mri.hospital.archive import Archive
from monai_xray2mri.hospital.events import Events, JsonLog
from monai_xray2mri.hospital.record import Manifest, Record
from monai_xray2mri.hospital.settings import (
    AnswerSettings,
    Destination,
    OrthancSettings,
    RetrySettings,
    Settings,
    StudySettings,
)
from monai_xray2mri.hospital.soak.processes import OrthancProcess
from monai_xray2mri.hospital.worker import Worker, check_archive
from tests.helpers.hospital_system import FilmSystem, InlineMaker, film, report
from tests.helpers.orthanc_double import Killed
from tests.helpers.orthanc_session import raise_loopback

QUIET_S, LEASE_S = 1.0, 2.0
PEER_PORT, WEB_PEER_PORT = 11112, 11113
DICOM_WEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
"""Debian's package orthanc-dicomweb."""


class RealOrthanc(OrthancProcess):
    """An Orthanc that can be killed and started again, with what scenes ask of it."""

    def receive(self, content: bytes) -> str:
        """C-STORE an object; returns Orthanc's identifier of its study."""
        dataset = dcmread(BytesIO(content))
        entity = AE("MODALITY")
        entity.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
        association = entity.associate("127.0.0.1", self.dicom, ae_title=self.title)
        assert association.is_established
        status = association.send_c_store(dataset)
        association.release()
        assert status.Status == 0x0000
        (found,) = self.client.post("/tools/lookup", content=str(dataset.SOPInstanceUID)).json()
        return str(self.ask(f"/instances/{found['ID']}/study")["ID"])

    def receive_by_web(self, content: bytes) -> str:
        """STOW-RS an object; returns Orthanc's identifier of its study."""
        kind = 'multipart/related; type="application/dicom"; boundary=part'
        body = b"--part\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--part--"
        answer = self.client.post("/dicom-web/studies", content=body, headers={"Content-Type": kind})
        assert answer.status_code == 200, answer.text
        uid = str(dcmread(BytesIO(content)).StudyInstanceUID)
        (found,) = (one for one in self.client.post("/tools/lookup", content=uid).json() if one["Type"] == "Study")
        return str(found["ID"])

    def files(self, study: str, modality: str = "MR") -> list[bytes]:
        """Files of a study."""
        return [
            self.client.get(f"/instances/{name}/file").content
            for series in self.client.get(f"/studies/{study}/series").json()
            if series["MainDicomTags"]["Modality"] == modality
            for name in series["Instances"]
        ]

    def datasets(self, study: str, modality: str = "MR") -> dict[str, bytes]:
        """Data sets of a study by SOP Instance UID, byte by byte but for the group 0002, which senders write anew."""
        found = {}
        for content in self.files(study, modality):
            header = dcmread(BytesIO(content))
            found[str(header.SOPInstanceUID)] = content[144 + header.file_meta.FileMetaInformationGroupLength :]
        return found


class KillingTransport(httpx.HTTPTransport):
    """Kills the worker after a write."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.left = number

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        self.left -= request.method != "GET" and "find" not in str(request.url)
        if self.left < 0:
            answer.read()
            raise Killed
        return answer


class Peer:
    """A destination that misbehaves: it answers each instance as it is told."""

    def __init__(self, answer: Callable[[str], int | str]) -> None:
        self.taken: list[str] = []
        self.answer = answer
        entity = AE("PEER")
        for context in StoragePresentationContexts:
            entity.add_supported_context(context.abstract_syntax, ALL_TRANSFER_SYNTAXES)
        self.server = entity.start_server(
            ("127.0.0.1", PEER_PORT), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)]
        )

    def _store(self, event: evt.Event) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        status = self.answer(uid)
        if status == "abort":
            event.assoc.abort()
            return 0xC000
        if status == "slow":
            time.sleep(8)
            return 0xC000
        if status in (0x0000, 0xB000):
            self.taken.append(uid)
        return int(status)


class WebPeer(ThreadingHTTPServer):
    """A DICOMweb server that answers each STOW-RS request as it is told: an HTTP status, or a failure reason."""

    def __init__(self, answers: list[int]) -> None:
        self.answers, self.asked = answers, 0
        super().__init__(("127.0.0.1", WEB_PEER_PORT), WebPeerHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class WebPeerHandler(BaseHTTPRequestHandler):
    server: WebPeer
    protocol_version = "HTTP/1.1"  # Orthanc sends in chunks

    def do_POST(self) -> None:
        body = self._body()
        answer = self.server.answers[self.server.asked] if self.server.asked < len(self.server.answers) else 0
        self.server.asked += 1
        header = dcmread(BytesIO(body[body.index(b"\r\n\r\n") + 4 :]), stop_before_pixels=True)
        item = {
            "00081150": {"vr": "UI", "Value": [str(header.SOPClassUID)]},
            "00081155": {"vr": "UI", "Value": [str(header.SOPInstanceUID)]},
        }
        if answer and answer < 600:
            self.send_error(answer)
            self.close_connection = True
            return
        failed = {"00081198": {"vr": "SQ", "Value": [{**item, "00081197": {"vr": "US", "Value": [answer]}}]}}
        taken = {"00081199": {"vr": "SQ", "Value": [item]}}
        content = json.dumps(failed if answer else taken).encode()
        self.send_response(202 if answer else 200)
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _body(self) -> bytes:
        if "Content-Length" in self.headers:
            return self.rfile.read(int(self.headers["Content-Length"]))
        parts = list[bytes]()
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def log_message(self, *arguments: object) -> None:
        pass


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
        answer = self.orthanc.client.get(f"/studies/{study}/metadata/4001")
        return Record.decode(answer.content) if answer.status_code == 200 else None

    def until(self, study: str, *states: str, patience: float = 30.0) -> str:
        end = time.monotonic() + patience
        while time.monotonic() < end:
            record = self.record(study)
            if record is not None and record.state in states:
                return record.state.value
            time.sleep(0.05)
        record = self.record(study)
        return f"never: {record}"

    def manifest(self, study: str) -> set[str]:
        content = self.orthanc.client.get(f"/studies/{study}/attachments/4001/data").content
        manifest = Manifest.decode(content)
        return {one.uid for one in manifest.instances} if manifest else set()


def check(scene: Scene) -> dict[str, object]:
    return dict(check_archive(Archive(scene.settings.orthanc), scene.settings))


def round_trip(scene: Scene) -> dict[str, object]:
    study = scene.orthanc.receive(film("trip"))
    with scene.running(scene.worker()):
        state = scene.until(study, "done", "failed")
    ours, theirs = scene.orthanc.datasets(study), scene.pacs.datasets(study)
    return {"state": state, "slices": len(ours), "equal": ours == theirs and bool(ours)}


def killed_orthanc(scene: Scene) -> dict[str, object]:
    """A study that never becomes an event: Orthanc is killed within StableAge."""
    study = scene.orthanc.receive(film("killed"))
    scene.orthanc.kill()
    scene.orthanc.start()
    with scene.running(scene.worker()):
        state = scene.until(study, "done", "failed")
    return {"state": state, "sent": len(scene.pacs.datasets(study))}


def orthanc_is_killed_while_the_worker_works(scene: Scene) -> dict[str, object]:
    study = scene.orthanc.receive(film("outage"))

    def killed() -> None:
        scene.maker.during = lambda: None
        scene.orthanc.kill()
        threading.Timer(1.0, scene.orthanc.start).start()

    scene.maker.during = killed
    with scene.running(scene.worker()):
        state = "gone"
        for _ in range(60):
            time.sleep(0.5)
            try:
                state = scene.until(study, "done", "failed", patience=1)
            except httpx.HTTPError:
                continue
            if state in ("done", "failed"):
                break
    return {"state": state, "sent": len(scene.pacs.datasets(study))}


def killed_worker(scene: Scene) -> dict[str, object]:
    """After every write, which is the same as before the next one; before the first one nothing has happened."""
    wrong = []
    for number in range(40):
        study = scene.orthanc.receive(film(f"k{number}"))
        time.sleep(QUIET_S + 1.1)  # reception dates are whole seconds
        ended = False
        try:
            scene.worker(transport=KillingTransport(number)).attend(study)
            ended = True  # it takes fewer writes than that
        except Killed:
            pass
        with scene.running(scene.worker()):
            state = scene.until(study, "done", "failed")
        ours, theirs = scene.orthanc.datasets(study), scene.pacs.datasets(study)
        if state != "done" or ours != theirs or set(ours) != scene.manifest(study):
            wrong.append((number, state, len(ours), len(theirs)))
        if ended:
            break
    return {"kills": number, "wrong": wrong}


def two_workers(scene: Scene) -> dict[str, object]:
    before = scene.maker.made
    studies = [scene.orthanc.receive(film(f"race {number}")) for number in range(6)]
    with scene.running(scene.worker(), scene.worker(), scene.worker()):
        states = [scene.until(study, "done", "failed") for study in studies]
    return {"states": states, "made": scene.maker.made - before}


def parallel_claims(scene: Scene) -> dict[str, object]:
    """Twenty workers write the first state at the same moment; one of them gets it."""
    study = scene.orthanc.receive(film("claims"))
    archive = Archive(scene.settings.orthanc)
    gate, answers = threading.Barrier(20), list[str]()

    def claim(number: int) -> None:
        gate.wait()
        try:
            archive.write_state(study, f'{{"n":{number}}}'.encode(), "")
            answers.append("won")
        except Exception as error:
            answers.append(type(error).__name__)

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entry = archive.state(study)
    again = archive.write_state(study, b"second", entry.tag)
    third = archive.write_state(study, b"third", again)
    return {"won": answers.count("won"), "conflicts": answers.count("Conflict"), "chain": bool(third)}


def misbehaving_peer(scene: Scene) -> dict[str, object]:
    script = {1: 0xA700, 2: 0x0124, 3: "abort", 4: "slow", 5: 0xB000}
    calls = []

    def answer(uid: str) -> int | str:
        calls.append(uid)
        return script.get(len(calls), 0x0000)

    peer = Peer(answer)
    settings = replace(scene.settings, destinations=(Destination("PEER", timeout_s=4),))
    study = scene.orthanc.receive(film("peer"))
    with scene.running(scene.worker(settings)):
        state = scene.until(study, "done", "failed", patience=60)
    peer.server.shutdown()
    events = [json.loads(line) for line in scene.log.getvalue().splitlines()]
    codes = [event["code"] for event in events if event["event"] == "undelivered"]
    return {
        "state": state,
        "taken": len(set(peer.taken)),
        "twice": len(peer.taken) - len(set(peer.taken)),
        "codes": codes,
    }


def dead_peer(scene: Scene) -> dict[str, object]:
    settings = replace(scene.settings, destinations=(Destination("PEER", timeout_s=4),))
    study = scene.orthanc.receive(film("dead"))
    with scene.running(scene.worker(settings)):
        scene.until(study, "stored")
        time.sleep(1)
        trouble = scene.record(study).trouble
        peer = Peer(lambda uid: 0x0000)
        state = scene.until(study, "done", "failed")
    peer.server.shutdown()
    return {"state": state, "taken": len(peer.taken), "trouble": trouble}


def dicomweb(scene: Scene) -> dict[str, object]:
    """A film comes by STOW-RS, and its result goes by STOW-RS, both through Orthanc's plug-in."""
    if not DICOM_WEB.exists():
        return {"missing": True}
    settings = replace(scene.settings, destinations=(Destination("WEB PACS", "stow"),))
    checked = check_archive(Archive(settings.orthanc), settings)["destinations"]
    study = scene.orthanc.receive_by_web(film("web"))
    with scene.running(scene.worker(settings)):
        state = scene.until(study, "done", "failed")
    ours, theirs = scene.orthanc.datasets(study), scene.pacs.datasets(study)
    return {"checked": checked, "state": state, "equal": ours == theirs and bool(ours), "slices": len(ours)}


def misbehaving_web_peer(scene: Scene) -> dict[str, object]:
    """It is not there, answers 503, then refuses an instance within an answer that is a success."""
    if not DICOM_WEB.exists():
        return {"missing": True}
    settings = replace(scene.settings, destinations=(Destination("WEB PEER", "stow", timeout_s=4),))
    study = scene.orthanc.receive(film("web peer"))
    with scene.running(scene.worker(settings)):
        scene.until(study, "stored")
        time.sleep(1)
        peer = WebPeer([503, 0xA700])
        state = scene.until(study, "done", "failed")
        peer.shutdown()
    events = [json.loads(line) for line in scene.log.getvalue().splitlines()]
    codes = [one["code"] for one in events if one["event"] == "undelivered" and one["destination"] == "WEB PEER"]
    return {"state": state, "asked": peer.asked, "codes": codes}


def commitment(scene: Scene) -> dict[str, object]:
    """The PACS is an Orthanc, which is a provider of storage commitment."""
    settings = replace(scene.settings, destinations=(Destination("PACS", commitment=True),))
    study = scene.orthanc.receive(film("commit"))
    with scene.running(scene.worker(settings)):
        state = scene.until(study, "done", "failed", patience=60)
    return {"state": state, "commitments": dict(scene.record(study).commitments)}


def refusal_and_report(scene: Scene) -> dict[str, object]:
    settings = replace(scene.settings, answers=AnswerSettings(refusals="report", replaced="reject"))
    study = scene.orthanc.receive(film("refusal", ImagerPixelSpacing=None))
    with scene.running(scene.worker(settings)):
        first = scene.until(study, "refused", "failed")
        reports = len(scene.pacs.datasets(study, "SR"))
        scene.orthanc.receive(report("refusal"))
        second = scene.until(study, "done", "failed")
        slices = len(scene.pacs.datasets(study))
        scene.orthanc.receive(film("refusal", "late"))
        end = time.monotonic() + 30
        while len(scene.pacs.datasets(study)) < 2 * slices and time.monotonic() < end:
            time.sleep(0.2)
        third = scene.until(study, "done", "failed")
    notes = len(scene.pacs.datasets(study, "KO"))
    return {"states": [first, second, third], "reports": reports, "slices": slices, "notes": notes}


def deletion(scene: Scene) -> dict[str, object]:
    study = scene.orthanc.receive(film("deleted"))
    scene.maker.during = lambda: scene.orthanc.client.delete(f"/studies/{study}")
    with scene.running(scene.worker()):
        time.sleep(QUIET_S + 4)
    scene.maker.during = lambda: None
    return {"there": scene.orthanc.client.get(f"/studies/{study}").status_code}


def copies_and_own_results(scene: Scene) -> dict[str, object]:
    """An anonymized copy, and an own result that the PACS has coerced and sent back, are no work."""
    study = scene.orthanc.receive(film("copies"))
    with scene.running(scene.worker()):
        scene.until(study, "done", "failed")
    made = scene.maker.made
    scene.orthanc.client.post(f"/studies/{study}/anonymize", json={})
    changed = dcmread(BytesIO(scene.orthanc.files(study)[0]))
    changed.SOPInstanceUID = changed.file_meta.MediaStorageSOPInstanceUID = "2.25.1234"
    changed.SeriesInstanceUID, changed.Modality, changed.SOPClassUID = "2.25.12", "CR", ComputedRadiographyImageStorage
    changed.file_meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    buffer = BytesIO()
    changed.save_as(buffer, enforce_file_format=True)
    scene.orthanc.receive(buffer.getvalue())
    with scene.running(scene.worker()):
        time.sleep(QUIET_S + 4)
    return {"made": scene.maker.made - made, "state": scene.record(study).state.value}


SCENES = (
    check,
    parallel_claims,
    round_trip,
    killed_orthanc,
    orthanc_is_killed_while_the_worker_works,
    two_workers,
    misbehaving_peer,
    dead_peer,
    dicomweb,
    misbehaving_web_peer,
    commitment,
    refusal_and_report,
    deletion,
    copies_and_own_results,
    killed_worker,
)


def main() -> None:
    raise_loopback()
    wanted = set(sys.argv[1:])
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder))
        try:
            for act in SCENES:
                if not wanted or act.__name__ in wanted:
                    began = time.monotonic()
                    found[act.__name__] = act(scene)
                    print(f"{act.__name__}: {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)
        finally:
            scene.orthanc.kill()
            scene.pacs.kill()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
