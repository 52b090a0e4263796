"""Scenes of sending: a destination that misbehaves or is away, DICOMweb, storage commitment."""

from __future__ import annotations

import json
import time
from dataclasses import replace

from monai_xray2mri.hospital.archive import Archive
from monai_xray2mri.hospital.settings import Destination
from monai_xray2mri.hospital.soak.peer import HANG_UP, NOT_AUTHORIZED, OUT_OF_RESOURCES, SLOW, WARNING, Peer
from monai_xray2mri.hospital.worker import check_archive
from tests.helpers.hospital_scene import PEER_PORT, Scene
from tests.helpers.hospital_system import film
from tests.helpers.misbehaving_peers import WebPeer
from tests.helpers.real_orthanc import DICOM_WEB


def misbehaving_peer(scene: Scene) -> dict[str, object]:
    peer = Peer(PEER_PORT)
    peer.next.extend((OUT_OF_RESOURCES, NOT_AUTHORIZED, HANG_UP, SLOW, WARNING))
    settings = replace(scene.settings, destinations=(Destination("PEER", timeout_s=4),))
    study = scene.orthanc.receive(film("peer"))
    with scene.running(scene.worker(settings)):
        state = scene.until(study, "done", "failed")
    peer.stop()
    events = [json.loads(line) for line in scene.log.getvalue().splitlines()]
    codes = [event["code"] for event in events if event["event"] == "undelivered"]
    taken = len(peer.taken)
    return {"state": state, "taken": taken, "twice": peer.taken.total() - taken, "codes": codes}


def dead_peer(scene: Scene) -> dict[str, object]:
    settings = replace(scene.settings, destinations=(Destination("PEER", timeout_s=4),))
    study = scene.orthanc.receive(film("dead"))
    with scene.running(scene.worker(settings)):
        scene.until(study, "stored")
        time.sleep(1)
        trouble = scene.record(study).trouble
        peer = Peer(PEER_PORT)
        state = scene.until(study, "done", "failed")
    peer.stop()
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
        state = scene.until(study, "done", "failed")
    return {"state": state, "commitments": dict(scene.record(study).commitments)}
