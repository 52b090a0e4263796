"""Scenes of the hospital's worker between real Orthancs; for ``test_real_orthanc.py``.

Orthanc 1.10 listens on every address, so this script is started in a network namespace of its own. It prints one JSON
object: what each scene found.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import httpx
from pydicom import dcmread
from pynetdicom.sop_class import ComputedRadiographyImageStorage

from monai_xray2mri.hospital.archive import Archive
from monai_xray2mri.hospital.maker import Answer
from monai_xray2mri.hospital.settings import AnswerSettings
from monai_xray2mri.hospital.worker import check_archive
from monai_xray2mri.radiograph.reading import read_radiograph
from tests.helpers import film_kinds
from tests.helpers.delivery_scenes import commitment, dead_peer, dicomweb, misbehaving_peer, misbehaving_web_peer
from tests.helpers.hospital_scene import QUIET_S, Scene
from tests.helpers.hospital_system import InlineMaker, film, report
from tests.helpers.misbehaving_peers import KillingTransport
from tests.helpers.orthanc_session import raise_loopback
from tests.helpers.tap import Killed


def check(scene: Scene) -> dict[str, object]:
    return dict(check_archive(Archive(scene.settings.orthanc), scene.settings))


def round_trip(scene: Scene) -> dict[str, object]:
    study = scene.orthanc.receive(film("trip"))
    with scene.running(scene.worker()):
        state = scene.until(study, "done", "failed")
    ours, theirs = scene.orthanc.datasets(study), scene.pacs.datasets(study)
    return {"state": state, "slices": len(ours), "equal": ours == theirs and bool(ours)}


class ReadingMaker(InlineMaker):
    """Reads the pixels of the films, too, and keeps their digest by the film's SOP Instance UID."""

    def __init__(self) -> None:
        super().__init__()
        self.read: dict[str, str] = {}

    def make(self, source: Path, output: Path, seconds: float, stop: Callable[[], bool]) -> Answer:
        for file in source.iterdir():
            uid = str(dcmread(file, stop_before_pixels=True).SOPInstanceUID)
            self.read[uid] = hashlib.sha256(read_radiograph(file).pixels.tobytes()).hexdigest()
        return super().make(source, output, seconds, stop)


def films_of_all_kinds(scene: Scene) -> dict[str, object]:
    """By a modality to Orthanc, by the worker to its reader: equal pixels; by Orthanc to the PACS: equal results."""
    kinds = film_kinds.films_of_all_kinds()
    usual, scene.maker = scene.maker, ReadingMaker()
    studies = {name: scene.orthanc.receive(content) for name, content in kinds.items()}
    with scene.running(scene.worker()):
        states = {name: scene.until(study, "done", "failed") for name, study in studies.items()}
    read, scene.maker = scene.maker.read, usual
    # A worker also takes up what an earlier scene left claimed; only the films of this scene are compared.
    films = {str(dcmread(BytesIO(content), stop_before_pixels=True).SOPInstanceUID) for content in kinds.values()}
    pixels = {uid: digest for uid, digest in read.items() if uid in films}
    results = [(scene.orthanc.datasets(study), scene.pacs.datasets(study)) for study in studies.values()]
    return {
        "kinds": list(kinds),
        "not done": [name for name, state in states.items() if state != "done"],
        "pixels": [len(pixels), len(set(pixels.values()))],
        "equal": all(len(ours) == 2 and ours == theirs for ours, theirs in results),
    }


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
        end = time.monotonic() + 120
        while len(scene.pacs.datasets(study)) < 2 * slices and time.monotonic() < end:
            time.sleep(0.2)
        third = scene.until(study, "done", "failed")
    notes = len(scene.pacs.datasets(study, "KO"))
    return {"states": [first, second, third], "reports": reports, "slices": slices, "notes": notes}


def deletion(scene: Scene) -> dict[str, object]:
    study = scene.orthanc.receive(film("deleted"))
    deleted = list[int]()

    def delete() -> None:
        if not deleted:
            deleted.append(scene.orthanc.client.delete(f"/studies/{study}").status_code)

    scene.maker.during = delete
    with scene.running(scene.worker()):
        scene.until_worked_past("deletion")
    scene.maker.during = lambda: None
    return {"deleted": deleted, "there": scene.orthanc.client.get(f"/studies/{study}").status_code}


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
        scene.until_worked_past("copies")
    return {"made": scene.maker.made - made - 1, "state": scene.record(study).state.value}


SCENES = (
    check,
    parallel_claims,
    round_trip,
    films_of_all_kinds,
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
