"""What became of the studies of a soak: nothing may be lost, doubled, or at another patient."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

from monai_xray2mri.hospital.record import Manifest, Record, State
from monai_xray2mri.hospital.soak.peer import Peer
from monai_xray2mri.hospital.soak.processes import OrthancProcess
from monai_xray2mri.hospital.soak.studies import CHANGED, PLANTED, SoakStudy


@dataclass
class Verdict:
    """The table of a soak.

    Attributes:
        received: studies that were sent.
        ends: how they ended.
        lost: studies without the end that they must have, with what they have instead, or with damaged instances.
        doubled: studies with another result than the one that is written down.
        wrong_patient: instances at another patient or study than that of their source.
        undelivered: studies whose result the destination does not have.
        named: files of the log that name a patient.
        latency_s: percentiles 50, 90, 99 of the seconds from the film to the end, where nothing came later.
    """

    received: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong_patient: list[str] = field(default_factory=list)
    undelivered: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    latency_s: dict[str, float] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """Whether nothing went wrong."""
        return not (self.lost or self.doubled or self.wrong_patient or self.undelivered or self.named)


def record_of(orthanc: OrthancProcess, study: str) -> Record | None:
    """The state of a study."""
    answer = orthanc.client.get(f"/studies/{study}/metadata/4001")
    return Record.decode(answer.content) if answer.status_code == 200 else None


def end_of(orthanc: OrthancProcess, study: SoakStudy) -> str:
    """How a study stands: a state, ``passed over``, ``deleted``, or ``waiting``."""
    if orthanc.ask(f"/studies/{study.orthanc}") is None:
        return "deleted"
    record = record_of(orthanc, study.orthanc)
    if record is None or record.state is State.PASSED:
        return "passed over" if study.kind == "chest" else "waiting"
    return record.state.value


def judge(orthanc: OrthancProcess, peer: Peer, studies: Sequence[SoakStudy], logs: Iterable[Path]) -> Verdict:
    """Judge every study by what Orthanc's disk holds: Orthanc was started again, so that its cache hides nothing."""
    verdict, latencies = Verdict(received=len(studies)), list[float]()
    known = {study.uid: study.patient for study in studies}
    for study in studies:
        name, end = f"{study.number} ({study.kind})", end_of(orthanc, study)
        verdict.ends[end] += 1
        if end not in study.expected:
            verdict.lost.append(f"{name}: {end}")
        record = record_of(orthanc, study.orthanc)
        if study.acted and study.kind in CHANGED and record is not None and record.fingerprint == study.before:
            verdict.lost.append(f"{name}: what came later has no answer")
        if end in ("done", "refused"):
            _judge_result(orthanc, peer, study, name, verdict)
            if study.ended and not study.acted:
                latencies.append(study.ended - study.sent)
    known_studies = {study.orthanc for study in studies}
    for other in orthanc.ask("/studies") or []:  # copies that Orthanc has made
        if other not in known_studies and record_of(orthanc, other) is not None:
            verdict.doubled.append("a copy was answered")
    for uid, (patient, study_uid) in peer.patients.items():
        if known.get(study_uid) != patient:
            verdict.wrong_patient.append(uid)
    verdict.named = [log.name for log in logs if PLANTED in log.read_text(errors="replace")]
    if len(latencies) > 1:
        cuts = quantiles(latencies, n=100, method="inclusive")
        verdict.latency_s = {str(percent): round(cuts[percent - 1], 1) for percent in (50, 90, 99)}
    return verdict


def _judge_result(orthanc: OrthancProcess, peer: Peer, study: SoakStudy, name: str, verdict: Verdict) -> None:
    """Orthanc holds exactly what is written down, and the destination has all of it."""
    content = orthanc.client.get(f"/studies/{study.orthanc}/attachments/4001/data")
    manifest = Manifest.decode(content.content) if content.status_code == 200 else None
    ours = set[str]()
    for instance in orthanc.instances(study.orthanc):
        metadata = orthanc.ask(f"/instances/{instance['ID']}/metadata?expand") or {}
        if metadata.get("Origin") == "RestApi":
            ours.add(instance["ID"])
    written = {one.id: one.digest for one in manifest.instances} if manifest is not None else {}
    if ours != set(written):
        verdict.doubled.append(f"{name}: {len(ours)} stored, {len(written)} written down")
    for identifier, digest in written.items():
        file = orthanc.client.get(f"/instances/{identifier}/file").content
        if hashlib.md5(file, usedforsecurity=False).hexdigest() != digest:
            verdict.lost.append(f"{name}: an instance of its result is not what was stored")
    if manifest is not None and not {one.uid for one in manifest.instances} <= set(peer.taken):
        verdict.undelivered.append(name)
