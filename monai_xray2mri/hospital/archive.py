"""Orthanc's REST interface, as far as the worker needs it.

Every call either gives an answer, or raises one of three errors: :class:`Gone` (what was asked for is not there),
:class:`Conflict` (another worker was faster), :class:`ArchiveError` (everything else; worth another attempt). Messages
of Orthanc are not repeated: they may quote what a file holds.
"""

from __future__ import annotations

import hashlib
import json
import re
import ssl
from calendar import timegm
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import strptime
from typing import TYPE_CHECKING, Any, Final

from monai_xray2mri.errors import Xray2MRIError
from monai_xray2mri.hospital.settings import Destination, OrthancSettings
from monai_xray2mri.runtime.optional import optional_library

if TYPE_CHECKING:
    import httpx

_LONG_TAGS: Final = "0020-4000,0008-2111,0018-a003,0040-a160"
"""Texts of more than 256 characters that are wanted whole: comments, derivations, contributions, texts of reports."""
_CHANGES: Final = 1000


class ArchiveError(Xray2MRIError):
    """Orthanc, or a destination behind it, did not do what it was asked for.

    Attributes:
        code: short and stable, without patient data: ``"dimse-A700"``, ``"http-507"``, ``"unreachable"``.
    """

    def __init__(self, what: str, rule: str, found: str = "", remedy: str = "", code: str = "archive") -> None:
        super().__init__(what, rule, found, remedy)
        self.code = code


class Unreachable(ArchiveError):
    """Orthanc does not answer."""


class Denied(Unreachable):
    """Orthanc does not let this worker in: wrong password, or a right that it lacks."""


class Gone(ArchiveError):
    """A study, an instance or an entry does not exist (any more)."""


class Conflict(ArchiveError):
    """The entry was changed by somebody else since it was read."""


@dataclass(frozen=True)
class Entry:
    """A value with the tag that a later change of it must name.

    Attributes:
        content: the value; None: there is none yet.
        tag: HTTP entity tag; empty where there is no value.
    """

    content: bytes | None = None
    tag: str = ""


@dataclass(frozen=True)
class Stored:
    """What Orthanc says of an instance that it was given.

    Attributes:
        instance: its identifier in Orthanc.
        study: that of the study it belongs to.
        new: False if Orthanc had it already.
    """

    instance: str
    study: str
    new: bool


@dataclass(frozen=True)
class Change:
    """A line of Orthanc's change feed: its kind of resource (``Study``, ``Series``, ``Instance``) and identifier."""

    level: str
    identifier: str


def instance_identifier(patient: str, study: str, series: str, instance: str) -> str:
    """Orthanc's identifier of an instance: SHA-1 of Patient ID and the three UIDs, in five groups."""
    digest = hashlib.sha1("|".join((patient, study, series, instance)).encode(), usedforsecurity=False).hexdigest()
    return "-".join(digest[start : start + 8] for start in range(0, 40, 8))


class Archive:
    """An Orthanc.

    Args:
        settings: where it is.
        transport: what carries requests; None: the network.
    """

    def __init__(self, settings: OrthancSettings, transport: httpx.BaseTransport | None = None) -> None:
        self._httpx = optional_library("httpx", "hospital")
        self._entry = str(settings.metadata)
        self._client = self._httpx.Client(
            base_url=settings.url.rstrip("/"),
            auth=(settings.username, settings.password) if settings.username else None,
            timeout=settings.timeout_s,
            verify=True if settings.ca_file is None else ssl.create_default_context(cafile=settings.ca_file),
            trust_env=False,  # a proxy of the environment must not see patients' images
            transport=transport,
        )

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    # What there is.

    def system(self) -> Mapping[str, Any]:
        """What Orthanc says of itself."""
        return dict(self._json("GET", "/system"))

    def now(self) -> float:
        """Orthanc's own clock in seconds since 1970, which its reception dates are of."""
        return moment(self._text("GET", "/tools/now"))

    def modalities(self) -> Sequence[str]:
        """Names of the DICOM modalities that it can send to."""
        return list(self._json("GET", "/modalities"))

    def web_servers(self) -> Sequence[str]:
        """Names of the DICOMweb servers that it can send to; none without its plug-in."""
        try:
            return list(self._json("GET", "/dicom-web/servers"))
        except Gone:
            return []

    def find_series(self, query: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        """Series whose attributes match, as Orthanc describes them."""
        return list(self._json("POST", "/tools/find", {"Level": "Series", "Query": dict(query), "Expand": True}))

    def study_metadata(self, study: str) -> Mapping[str, str]:
        """Every metadata entry of a study."""
        return dict(self._json("GET", f"/studies/{study}/metadata?expand"))

    def series_of(self, study: str) -> Sequence[Mapping[str, Any]]:
        """The series of a study, as Orthanc describes them, each with its instances."""
        return list(self._json("GET", f"/studies/{study}/series"))

    def study_uid(self, study: str) -> str:
        """The Study Instance UID."""
        return str(self._json("GET", f"/studies/{study}")["MainDicomTags"].get("StudyInstanceUID", ""))

    def parent_study(self, change: Change) -> str:
        """The study that a changed series or instance belongs to."""
        path = {"Series": "series", "Instance": "instances"}[change.level]
        return str(self._json("GET", f"/{path}/{change.identifier}/study")["ID"])

    def series_metadata(self, series: str) -> Mapping[str, str]:
        """Every metadata entry of a series."""
        return dict(self._json("GET", f"/series/{series}/metadata?expand"))

    def instance_metadata(self, instance: str) -> Mapping[str, str]:
        """Every metadata entry of an instance: when and how it was received."""
        return dict(self._json("GET", f"/instances/{instance}/metadata?expand"))

    def tags(self, instance: str) -> Mapping[str, Any]:
        """Attributes of an instance in Orthanc's own form, without pixels."""
        return dict(self._json("GET", f"/instances/{instance}/tags?ignore-length={_LONG_TAGS}"))

    def digest(self, instance: str) -> str:
        """MD5 of an instance's file; empty where Orthanc was told to keep none."""
        return self._text("GET", f"/instances/{instance}/attachments/dicom/md5").strip()

    def download(self, instance: str, file: Path, room: int) -> int:
        """Write an instance's file; returns its bytes.

        Args:
            instance: its identifier.
            file: where to.
            room: bytes that it may have.

        Raises:
            ArchiveError: it has more (code ``too-large``).
        """
        path, size = f"/instances/{instance}/file", 0
        try:
            with self._client.stream("GET", path) as answer, file.open("wb") as target:
                self._check(answer, "GET", path)
                for chunk in answer.iter_bytes():
                    size += len(chunk)
                    if size > room:
                        raise ArchiveError("study", "must be within limits.megabytes", "more", code="too-large")
                    target.write(chunk)
        except self._httpx.HTTPError as error:
            raise _unreachable(error) from error
        return size

    def changes(self, since: int) -> tuple[Sequence[Change], int]:
        """What changed after a number of the change feed, and the number up to which that is."""
        answer = self._json("GET", f"/changes?since={since}&limit={_CHANGES}")
        return [Change(one["ResourceType"], one["ID"]) for one in answer["Changes"]], int(answer["Last"])

    def last_change(self) -> int:
        """The newest number of the change feed."""
        return int(self._json("GET", "/changes?last")["Last"])

    # The worker's own entries on a study: its state (metadata) and what a result consists of (attachment).

    def state(self, study: str) -> Entry:
        """The worker's metadata entry."""
        return self._read_entry(f"/studies/{study}/metadata/{self._entry}", study)

    def write_state(self, study: str, content: bytes, tag: str) -> str:
        """Replace it; returns its new tag.

        Raises:
            Conflict: it is not any more what the tag says.
            Gone: the study was deleted.
        """
        return self._write_entry(f"/studies/{study}/metadata/{self._entry}", content, tag)

    def manifest(self, study: str) -> Entry:
        """The worker's attachment."""
        return self._read_entry(f"/studies/{study}/attachments/{self._entry}/data", study)

    def write_manifest(self, study: str, content: bytes, tag: str) -> str:
        """Replace it, as :meth:`write_state`."""
        return self._write_entry(f"/studies/{study}/attachments/{self._entry}", content, tag, "/data")

    def _read_entry(self, path: str, study: str) -> Entry:
        try:
            answer = self._ask("GET", path)
        except Gone:
            self.study_metadata(study)  # raises if the study itself is gone
            return Entry()
        return Entry(answer.content, answer.headers.get("etag", ""))

    def _write_entry(self, path: str, content: bytes, tag: str, reading: str = "") -> str:
        self._ask("PUT", path, content=content, headers={"If-Match": tag} if tag else {})
        # What PUT answers is no tag that a later change may name on every version (1.10.1 counts a revision that its
        # database does not keep), so it is asked for; every value carries a nonce, so that it can only be our own.
        answer = self._ask("GET", path + reading)
        if answer.content != content:
            raise Conflict("state of a study", "must not change between two requests", code="conflict")
        return str(answer.headers.get("etag", ""))

    # What is done with instances.

    def store(self, content: bytes) -> Stored:
        """Give Orthanc an instance."""
        answer = json.loads(self._ask("POST", "/instances", content=content).content)
        return Stored(answer["ID"], answer["ParentStudy"], answer["Status"] == "Success")

    def delete(self, instances: Iterable[str]) -> int:
        """Delete instances; returns how many there were."""
        count = 0
        for instance in instances:
            try:
                self._ask("DELETE", f"/instances/{instance}")
                count += 1
            except Gone:
                continue
        return count

    def send(self, destination: Destination, instance: str) -> None:
        """Send one instance and wait until the destination has acknowledged it.

        With ``Permissive`` a dead peer and every refusal would look like success (Orthanc 1.10.1), so it is false, and
        a request holds one instance, so that the status is that of this instance. Orthanc counts a warning as success.

        Raises:
            ArchiveError: the destination did not take it; the code has its status: ``dimse-A700``.
        """
        job = {"Resources": [instance], "Synchronous": True, "Permissive": False}
        if destination.kind == "stow":
            path = f"/dicom-web/servers/{destination.name}/stow"
        else:
            path, job = f"/modalities/{destination.name}/store", {**job, "Timeout": int(destination.timeout_s)}
        self._ask("POST", path, json=job, timeout=destination.timeout_s + 10)

    def request_commitment(self, destination: Destination, instances: Sequence[str]) -> str:
        """Ask a destination to commit to keep instances; returns the Transaction UID."""
        job = {"Resources": list(instances), "Timeout": int(destination.timeout_s)}
        path = f"/modalities/{destination.name}/storage-commitment"
        return str(self._json("POST", path, job)["ID"])

    def commitment(self, transaction: str) -> str:
        """``Pending``, ``Success`` or ``Failure``.

        Raises:
            Gone: Orthanc knows nothing of it: it was started again, or has had too many since.
        """
        return str(self._json("GET", f"/storage-commitment/{transaction}")["Status"])

    def _json(self, method: str, path: str, content: object = None) -> Any:
        answer = self._ask(method, path, **({} if content is None else {"json": content}))
        try:
            return json.loads(answer.content)
        except ValueError as error:
            raise ArchiveError("Orthanc", "must answer in JSON", "something else", code="no-json") from error

    def _text(self, method: str, path: str) -> str:
        return str(self._ask(method, path).text)

    def _ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            answer: httpx.Response = self._client.request(method, path, **content)
        except self._httpx.HTTPError as error:
            raise _unreachable(error) from error
        self._check(answer, method, path)
        return answer

    def _check(self, answer: httpx.Response, method: str, path: str) -> None:
        """Turn an HTTP status into an error; what is asked for is named by its first folder only."""
        status = answer.status_code
        if status < 300:
            return
        what = f"Orthanc ({method} {'/'.join(path.partition('?')[0].split('/')[:2])})"
        if status == 404:
            raise Gone(what, "must know what it is asked for", "HTTP 404", code="gone")
        if status in (409, 412):
            raise Conflict(what, "must hold what was read before", f"HTTP {status}", code="conflict")
        if status in (401, 403):
            remedy = "Check orthanc.username and its password, and what this user may do."
            raise Denied(what, "must let this worker in", f"HTTP {status}", remedy, code=f"http-{status}")
        if status in (502, 503, 504):
            raise Unreachable(what, "must answer", f"HTTP {status}", code="unreachable")
        answer.read()
        code = failure_code(answer.text) or f"http-{status}"
        raise ArchiveError(what, "must succeed", code, code=code)


def failure_code(text: str) -> str:
    """What an error of Orthanc says, as a short code without patient data; empty if it says nothing that is known."""
    dimse = re.search(r"DIMSE status 0x([0-9a-fA-F]{4})", text)
    if dimse is not None:
        return f"dimse-{dimse[1].upper()}"
    known = (
        ("Connection refused|TCP Initialization|Unable to connect|Network is unreachable|No route", "peer-unreachable"),
        ("Timeout|timed out", "peer-timeout"),
        ("Association Rejected", "peer-rejects-association"),
        ("abort", "peer-aborted"),
        ("presentation context", "peer-takes-no-such-object"),
        ("disk|storage area|Disk|Cannot write to file", "archive-full"),
        ("network protocol", "peer-network"),
        ("plugin engine", "web-server-failed"),  # all that the DICOMweb plug-in says
    )
    return next((code for pattern, code in known if re.search(pattern, text)), "")


def moment(text: str) -> float:
    """Seconds since 1970 of a time in Orthanc's form, ``20261130T154145``, in UTC; 0 for anything else."""
    try:
        return float(timegm(strptime(text.strip()[:15], "%Y%m%dT%H%M%S")))
    except ValueError:
        return 0.0


def _unreachable(error: Exception) -> Unreachable:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        found, remedy = "a certificate that is not trusted", "Check orthanc.ca_file, and the host in orthanc.url."
        return Unreachable("Orthanc", "must show a certificate that is trusted", found, remedy, code="certificate")
    return Unreachable("Orthanc", "must answer", type(error).__name__, "Check orthanc.url.", code="unreachable")
