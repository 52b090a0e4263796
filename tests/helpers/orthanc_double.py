"""An Orthanc in memory: the part of its REST interface that the hospital worker uses, with faults on demand.

Its rules are those of Orthanc 1.10.1 with ``CheckRevisions``, as tried: ``test_real_orthanc.py`` runs the
same scenarios against the real one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from time import gmtime, strftime

import httpx
from pydicom import Dataset, dcmread

from monai_xray2mri.hospital.archive import instance_identifier
from tests.helpers.tap import Tap


@dataclass
class Peer:
    """A destination: what it got, and what it answers: a DIMSE status for an instance, or a word."""

    taken: Counter[str] = field(default_factory=Counter)
    answer: Callable[[str], str] = lambda uid: ""
    commits: Callable[[list[str]], str] = lambda uids: "Success"


@dataclass
class Held:
    """An instance."""

    header: Dataset
    content: bytes
    series: str
    study: str
    metadata: dict[str, str]


def orthanc_hash(*parts: str) -> str:
    """Orthanc's identifier of a study or series."""
    digest = hashlib.sha1("|".join(parts).encode()).hexdigest()
    return "-".join(digest[start : start + 8] for start in range(0, 40, 8))


class OrthancDouble(Tap):
    """Orthanc as what an httpx client talks to."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 1_800_000_000.0
        self.instances: dict[str, Held] = {}
        self.metadata: dict[str, dict[str, str]] = {}
        self.attachments: dict[tuple[str, str], bytes] = {}
        self.updated: dict[str, str] = {}
        self.log: list[dict[str, object]] = []
        self.peers: dict[str, Peer] = {}
        self.transactions: dict[str, str] = {}
        self.is_full = False
        self._unwritten: list[Callable[[], object]] = []

    # What senders and people do.

    def receive(self, content: bytes, called: str = "", origin: str = "DicomProtocol") -> str:
        """An instance arrives; returns the identifier of its study."""
        identifier, _ = self._store(content, origin, called)
        return self.instances[identifier].study

    def delete_study(self, study: str) -> None:
        """Somebody deletes a study."""
        for identifier in [name for name, held in self.instances.items() if held.study == study]:
            self._delete(identifier)

    def of_study(self, study: str) -> list[Held]:
        """What a study holds."""
        return [held for held in self.instances.values() if held.study == study]

    def restart(self) -> None:
        """It is started again: what a full disk lost of small files, it has not any more."""
        for lose in self._unwritten:
            lose()
        self._unwritten.clear()

    def _write(self, content: bytes, lose: Callable[[], object]) -> httpx.Response | None:
        """The disk, as Orthanc 1.10.1 uses it: full, it loses a small file unseen and refuses a larger one."""
        if self.is_full and len(content) >= 8000:
            return httpx.Response(500, json={"Details": "Cannot write to file"})
        if self.is_full:
            self._unwritten.append(lose)
        return None

    # Requests.

    def carry(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode()
        for method, pattern, act in self._routes():
            match = re.fullmatch(pattern, path)
            if method == request.method and match:
                return act(request, *match.groups())
        raise AssertionError(f"the double does not know {request.method} {path}")

    def _routes(self) -> list[tuple[str, str, Callable[..., httpx.Response]]]:
        return [
            ("GET", "/system", lambda r: _json({"Version": "1.10.1", "CheckRevisions": True, "DicomAet": "ORTHANC"})),
            ("GET", "/tools/now", lambda r: httpx.Response(200, text=self._now())),
            ("GET", "/modalities", lambda r: _json(list(self.peers))),
            ("GET", "/dicom-web/servers", lambda r: _json([])),
            ("POST", "/tools/find", self._find),
            ("GET", r"/studies/([^/]+)/metadata\?expand", self._study_metadata),
            ("GET", r"/studies/([^/]+)/metadata/(\d+)", self._get_metadata),
            ("PUT", r"/studies/([^/]+)/metadata/(\d+)", self._put_metadata),
            ("GET", r"/studies/([^/]+)/attachments/(\d+)/data", self._get_attachment),
            ("PUT", r"/studies/([^/]+)/attachments/(\d+)", self._put_attachment),
            ("GET", r"/studies/([^/]+)/series", self._series),
            ("GET", r"/studies/([^/]+)", self._study),
            ("GET", r"/series/([^/]+)/metadata\?expand", lambda r, name: _json({})),
            ("GET", r"/(instances|series)/([^/]+)/study", self._parent),
            ("GET", r"/instances/([^/]+)/metadata\?expand", lambda r, n: self._of(n, lambda one: _json(one.metadata))),
            ("GET", r"/instances/([^/]+)/tags\?.*", lambda r, n: self._of(n, lambda held: _json(_tags(held.header)))),
            ("GET", r"/instances/([^/]+)/attachments/dicom/md5", self._md5),
            (
                "GET",
                r"/instances/([^/]+)/file",
                lambda r, n: self._of(n, lambda held: httpx.Response(200, content=held.content)),
            ),
            ("POST", "/instances", self._post),
            ("DELETE", r"/instances/([^/]+)", self._delete_instance),
            ("POST", r"/modalities/([^/]+)/store", self._send),
            ("POST", r"/modalities/([^/]+)/storage-commitment", self._request_commitment),
            ("GET", r"/storage-commitment/([^/]+)", self._commitment),
            ("GET", r"/changes\?last", lambda r: _json({"Last": len(self.log)})),
            ("GET", r"/changes\?since=(\d+)&limit=(\d+)", self._changes),
        ]

    def _of(self, name: str, act: Callable[[Held], httpx.Response]) -> httpx.Response:
        return act(self.instances[name]) if name in self.instances else httpx.Response(404)

    def _find(self, request: httpx.Request) -> httpx.Response:
        query = json.loads(request.content)["Query"]
        (keyword, wanted), *_ = query.items()
        patterns = [re.escape(one).replace(r"\*", ".*") for one in wanted.split("\\")]
        found = [
            one
            for study in self._studies()
            for one in self._series_of(study)
            if any(re.fullmatch(pattern, one["MainDicomTags"].get(keyword, ""), re.IGNORECASE) for pattern in patterns)
        ]
        return _json(found)

    def _studies(self) -> list[str]:
        return list(dict.fromkeys(held.study for held in self.instances.values()))

    def _series_of(self, study: str) -> list[dict]:
        found: dict[str, dict] = {}
        for name, held in self.instances.items():
            if held.study == study:
                tags = {key: str(held.header.get(key, "")) for key in ("Modality", "SeriesDescription")}
                entry = {
                    "ID": held.series,
                    "ParentStudy": study,
                    "Instances": [],
                    "MainDicomTags": tags,
                    "LastUpdate": self.updated[held.series],
                }
                found.setdefault(held.series, entry)["Instances"].append(name)
        return list(found.values())

    def _series(self, request: httpx.Request, study: str) -> httpx.Response:
        found = self._series_of(study)
        return _json(found) if found else httpx.Response(404)

    def _study(self, request: httpx.Request, study: str) -> httpx.Response:
        held = self.of_study(study)
        if not held:
            return httpx.Response(404)
        return _json({"ID": study, "MainDicomTags": {"StudyInstanceUID": held[0].header.StudyInstanceUID}})

    def _study_metadata(self, request: httpx.Request, study: str) -> httpx.Response:
        return _json(self.metadata.get(study, {})) if self.of_study(study) else httpx.Response(404)

    def _parent(self, request: httpx.Request, level: str, name: str) -> httpx.Response:
        for identifier, held in self.instances.items():
            if name in (identifier, held.series):
                return _json({"ID": held.study})
        return httpx.Response(404)

    def _get_metadata(self, request: httpx.Request, study: str, number: str) -> httpx.Response:
        value = self.metadata.get(study, {}).get(number)
        return httpx.Response(404) if value is None else _tagged(value.encode())

    def _put_metadata(self, request: httpx.Request, study: str, number: str) -> httpx.Response:
        if not self.of_study(study):
            return httpx.Response(404)
        entries = self.metadata.setdefault(study, {})
        old = entries.get(number)
        if not _matches(request, None if old is None else old.encode()):
            return httpx.Response(409)
        entries[number] = request.content.decode()
        self.log.append({"ResourceType": "Study", "ID": study})
        return httpx.Response(200)

    def _get_attachment(self, request: httpx.Request, study: str, number: str) -> httpx.Response:
        value = self.attachments.get((study, number))
        return httpx.Response(404) if value is None else _tagged(value)

    def _put_attachment(self, request: httpx.Request, study: str, number: str) -> httpx.Response:
        if not self.of_study(study):
            return httpx.Response(404)
        if not _matches(request, self.attachments.get((study, number))):
            return httpx.Response(409)
        refused = self._write(request.content, lambda: self.attachments.update({(study, number): b""}))
        if refused is not None:
            return refused
        self.attachments[study, number] = request.content
        return httpx.Response(200)

    def _md5(self, request: httpx.Request, name: str) -> httpx.Response:
        return self._of(name, lambda held: httpx.Response(200, text=hashlib.md5(held.content).hexdigest()))

    def _post(self, request: httpx.Request) -> httpx.Response:
        refused = self._write(request.content, lambda: setattr(self.instances[identifier], "content", b""))
        if refused is not None:
            return refused
        identifier, new = self._store(request.content, "RestApi", "")
        held = self.instances[identifier]
        return _json({"ID": identifier, "ParentStudy": held.study, "Status": "Success" if new else "AlreadyStored"})

    def _store(self, content: bytes, origin: str, called: str) -> tuple[str, bool]:
        header = dcmread(BytesIO(content))
        names = [str(header.get("PatientID", "") or "").strip(), str(header.StudyInstanceUID)]
        series, uid = str(header.SeriesInstanceUID), str(header.SOPInstanceUID)
        identifier = instance_identifier(*names, series, uid)
        if identifier in self.instances:
            return identifier, False
        metadata = {"Origin": origin, "ReceptionDate": self._now(), "CalledAET": called, "HttpUsername": ""}
        held = Held(header, content, orthanc_hash(*names, series), orthanc_hash(*names), metadata)
        self.instances[identifier] = held
        self.updated[held.series] = self._now()
        self.log.append({"ResourceType": "Instance", "ID": identifier})
        return identifier, True

    def _delete_instance(self, request: httpx.Request, name: str) -> httpx.Response:
        return httpx.Response(200 if self._delete(name) else 404)

    def _delete(self, name: str) -> bool:
        held = self.instances.pop(name, None)
        if held is None:
            return False
        if not self.of_study(held.study):
            self.metadata.pop(held.study, None)
            self.attachments = {key: value for key, value in self.attachments.items() if key[0] != held.study}
        return True

    def _send(self, request: httpx.Request, name: str) -> httpx.Response:
        job = json.loads(request.content)
        (identifier,) = job["Resources"]
        if name not in self.peers or identifier not in self.instances:
            return httpx.Response(404)
        if job["Permissive"] is not False:
            return _json({"FailedInstancesCount": 0})  # whatever happened
        uid = str(self.instances[identifier].header.SOPInstanceUID)
        status = self.peers[name].answer(uid)
        if status:
            return httpx.Response(500, json={"Details": f"C-STORE SCU has failed with {status}"})
        self.peers[name].taken[uid] += 1
        return _json({})

    def _request_commitment(self, request: httpx.Request, name: str) -> httpx.Response:
        names = json.loads(request.content)["Resources"]
        transaction = f"2.25.{len(self.transactions) + 1}"
        self.transactions[transaction] = self.peers[name].commits(names)
        return _json({"ID": transaction})

    def _commitment(self, request: httpx.Request, transaction: str) -> httpx.Response:
        if transaction not in self.transactions:
            return httpx.Response(404)
        return _json({"Status": self.transactions[transaction]})

    def _changes(self, request: httpx.Request, since: str, limit: str) -> httpx.Response:
        changes = self.log[int(since) : int(since) + int(limit)]
        return _json({"Changes": changes, "Last": min(len(self.log), int(since) + len(changes)), "Done": True})

    def _now(self) -> str:
        return strftime("%Y%m%dT%H%M%S", gmtime(self.time))


def _json(content: object) -> httpx.Response:
    return httpx.Response(200, json=content)


def _tagged(content: bytes) -> httpx.Response:
    return httpx.Response(200, content=content, headers={"ETag": _tag(content)})


def _tag(content: bytes) -> str:
    return f'"0-{hashlib.md5(content).hexdigest()}"'


def _matches(request: httpx.Request, old: bytes | None) -> bool:
    """An entry that is there may be changed only by who names its tag; a new one by who names none."""
    given = request.headers.get("if-match")
    return given is None if old is None else given == _tag(old)


def _tags(header: Dataset) -> dict[str, object]:
    found: dict[str, object] = {}
    for element in header:
        name = f"{element.tag.group:04x},{element.tag.element:04x}"
        if element.VR == "SQ":
            found[name] = {"Type": "Sequence", "Value": [_tags(item) for item in element.value]}
        elif element.VR in ("OB", "OW", "UN"):
            found[name] = {"Type": "Null", "Value": None}
        else:
            value = "\\".join(map(str, element.value)) if element.VM > 1 else str(element.value or "")
            found[name] = {"Type": "String", "Value": value}
    return found
