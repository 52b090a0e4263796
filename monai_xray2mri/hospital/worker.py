"""The loop: looks at what Orthanc holds, and does what no state says is done.

It is level-triggered. Whoever waits for events loses studies: an instance that Orthanc stored just before it was killed
never becomes one. So all studies are looked at when the worker starts and every hour; the change feed only tells where
to look first. A restart, of Orthanc or of the worker, is no special case.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from monai_xray2mri.dicom.structured_report import text_value
from monai_xray2mri.errors import UsageError, Xray2MRIError, describe_unexpected
from monai_xray2mri.hospital.agenda import Agenda
from monai_xray2mri.hospital.archive import Archive, ArchiveError, Conflict, Denied, Entry, Gone, Unreachable, moment
from monai_xray2mri.hospital.attempt import Attempt, first_record
from monai_xray2mri.hospital.board import Board
from monai_xray2mri.hospital.events import Events
from monai_xray2mri.hospital.holdings import Contents, Holding, Reader
from monai_xray2mri.hospital.lease import Lease, LeaseLost
from monai_xray2mri.hospital.maker import Maker
from monai_xray2mri.hospital.record import Record, State
from monai_xray2mri.hospital.scratch import scratch_prefix
from monai_xray2mri.hospital.settings import Settings
from monai_xray2mri.hospital.tools import Tools

_HOUR_S: Final = 3600.0
_LONGEST_OUTAGE_PAUSE_S: Final = 30.0
_CLOCK_SLACK_S: Final = 7 * 86400.0
_OWN_SERIES: Final = "SYNTHETIC*"
"""Series Description of everything that a synthesis writes begins so."""


class Worker:
    """Answers the studies of one Orthanc with one bundle.

    Args:
        archive: Orthanc.
        maker: of results.
        settings: what the hospital chose.
        modalities: of the images that the system takes.
        events: who is told.
        stop: set when the worker is to end.
        clock: seconds that never go back.
        retry_refused: whether studies that another version has refused are tried again.
        board: where the states of studies are noted for people; None: nowhere.

    Attributes:
        name: of this worker in states and log.
        ready: whether Orthanc answered last.
        beat: when the loop was last at its beginning, by the clock.
    """

    def __init__(
        self,
        archive: Archive,
        maker: Maker,
        settings: Settings,
        modalities: tuple[str, ...],
        events: Events,
        *,
        stop: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
        retry_refused: bool = False,
        board: Board | None = None,
    ) -> None:
        self.name = f"{socket.gethostname()[:20]}-{os.getpid()}-{secrets.token_hex(3)}"
        self.stop = stop or threading.Event()
        self._archive, self._settings, self._modalities = archive, settings, modalities
        self._tell, self._clock, self._retry_refused = events, clock, retry_refused
        self._reader = Reader(archive, settings.studies, modalities)
        self._tools = Tools(archive, self._reader, maker, settings, events, self.stop.is_set, scratch_prefix())
        self._maker, self._board = maker, board or Board()
        self._lease: Lease | None = None
        self._agenda = Agenda(clock)
        self._seen: dict[tuple[str, str], tuple[str, float]] = {}
        self._begun: deque[float] = deque()
        self._next_sweep, self._next_poll, self._change = 0.0, 0.0, -1
        self.beat, self.ready, self._running = clock(), False, False

    # The loop.

    def run(self) -> None:
        """Work until the worker is told to stop."""
        self._tell("started", worker=self.name, version=self._maker.version)
        self._running = True
        failures = 0
        while not self.stop.is_set():
            self.beat = self._clock()
            try:
                wait = self.step()
                self.ready = True
                if failures:
                    self._tell("archive-back", failures=failures)
                failures = 0
            except Unreachable as error:
                failures, self.ready = failures + 1, False
                wait = min(2.0**failures / 2, _LONGEST_OUTAGE_PAUSE_S)
                if failures in (1, 5) or failures % 100 == 0:
                    self._tell("archive-unreachable", code=error.code, failures=failures)
            self.stop.wait(wait)
        self._running = False
        self._tell("stopped", worker=self.name)

    def step(self) -> float:
        """Look at what is due; returns seconds until something else may be.

        Raises:
            Unreachable: Orthanc does not answer.
        """
        now = self._clock()
        if now >= self._next_sweep:
            self.sweep()
            self._next_sweep = now + self._settings.studies.sweep_s
        if now >= self._next_poll:
            self._poll()
            self._next_poll = now + self._settings.studies.poll_s
        due = self._agenda.due()
        if due:
            self._visit(due)
            return 0.0
        ahead = min(self._next_sweep, self._next_poll, self._agenda.next_moment())
        return max(0.05, min(ahead - self._clock(), self._settings.studies.poll_s))

    def drain(self) -> None:
        """Look at all studies, and at those that want another look, until none is due now."""
        self.sweep()
        while due := self._agenda.due():
            if self.stop.is_set():
                return
            self._visit(due)

    def sweep(self) -> None:
        """Put every study that may need an answer on the agenda."""
        found = self._archive.find_series({"Modality": "\\".join(self._modalities)})
        if self._settings.answers.orphans == "delete":
            found = [*found, *self._archive.find_series({"SeriesDescription": _OWN_SERIES})]
        studies = {str(series["ParentStudy"]) for series in found if self._may_be_recent(series)}
        for study in studies:
            self._agenda.put_if_new(study)
        self._tell("swept", studies=len(studies))

    def _may_be_recent(self, series: Mapping[str, Any]) -> bool:
        """Whether a series may hold what Orthanc received since the date of the settings.

        Series of an old archive are told apart without a request for each. The slack is for a clock that was set back.
        """
        updated = moment(str(series.get("LastUpdate", "")))
        return not updated or updated >= self._settings.studies.since.timestamp() - _CLOCK_SLACK_S

    @property
    def waiting(self) -> int:
        """Studies that are to be looked at again."""
        return len(self._agenda)

    def abandon(self) -> None:
        """Let the study in hand go, from another thread: its state says how far it came, the next worker goes on.

        To be called right before the process ends.
        """
        lease = self._lease
        if lease is not None and not lease.lost:
            with suppress(Xray2MRIError):
                lease.end()
                self._tell("given-back", study=lease.study)
        if self._running:
            self._tell("stopped", worker=self.name)

    def _poll(self) -> None:
        """Let the change feed tell where to look first."""
        if self._change < 0:
            self._change = self._archive.last_change()
            return
        changes, last = self._archive.changes(self._change)
        if last < self._change:  # another Orthanc, or an old backup of it
            self._next_sweep = 0.0
        self._change = last
        for change in dict.fromkeys(changes):
            with suppress(Gone, KeyError):
                study = change.identifier if change.level == "Study" else self._archive.parent_study(change)
                if change.level != "Patient":
                    self._agenda.hasten(study)

    def _visit(self, study: str) -> None:
        self._agenda.remove(study)
        try:
            wait = self.attend(study)
        except Unreachable:
            self._agenda.put(study, 1.0)
            raise
        except ArchiveError as error:
            self._tell("not-readable", study=study, code=error.code)
            wait = self._settings.retries.longest_s
        except Exception as error:  # what nobody foresaw in one study must not keep others waiting
            self._tell("not-readable", study=study, code=describe_unexpected(error))
            wait = self._settings.retries.longest_s
        if wait is None:
            self._forget(study)
        else:
            self._agenda.put(study, wait)

    # One study.

    def attend(self, study: str) -> float | None:
        """Do what a study needs now; returns seconds until it may need something again, None if nothing is to come.

        Raises:
            Unreachable: Orthanc does not answer.
            ArchiveError: Orthanc cannot say what the study holds.
        """
        try:
            holding = self._reader.holding(study)
            if holding.is_copy and not self._settings.studies.copies:
                return None
            entry = self._archive.state(study)
            record = Record.decode(entry.content)
            if record is not None:
                self._board.note(study, record)
            known = record is not None and record.is_final and record.inventory == holding.inventory()
            if record is not None and known and not self._wants_retry(record):
                return None
            contents = self._reader.contents(holding)
            if not contents.images:
                return self._clear_orphans(holding, record)
            return self._attend(holding, entry, record, contents)
        except Gone:
            self._board.forget(study)
            return None

    def _attend(self, holding: Holding, entry: Entry, record: Record | None, contents: Contents) -> float | None:
        now, fingerprint = self._archive.now(), contents.fingerprint()
        header = contents.images[0].header
        uid = text_value(header, "StudyInstanceUID") if header is not None else ""
        self._board.met(holding.study, uid, contents.newest)
        before = record if record is not None and record.fingerprint == fingerprint else None
        if record is not None and (wait := self._lease_left(holding.study, entry, record, now)) > 0:
            return wait
        if before is not None and before.is_final and not self._wants_retry(before):
            self._remember(holding, entry, before)
            return None
        if before is not None and not before.is_final and 0 < before.due - now <= self._settings.retries.longest_s:
            return before.due - now
        if before is None and (wait := self._unquiet(holding.study, contents, now)) > 0:
            self._board.wait(holding.study, now + wait)
            return wait
        return self._begin(holding.study, entry, before, contents, now)

    def _wants_retry(self, record: Record) -> bool:
        return self._retry_refused and record.state is State.REFUSED and record.version != self._maker.version

    def _remember(self, holding: Holding, entry: Entry, record: Record) -> None:
        """Note that what came to a study since is no source, so that it is not looked at closely again."""
        with suppress(Conflict, Gone):
            changed = replace(record, inventory=holding.inventory())
            self._archive.write_state(holding.study, changed.encode(), entry.tag)

    def _lease_left(self, study: str, entry: Entry, record: Record, now: float) -> float:
        """Seconds for which another worker may hold a study.

        It does not any more if its time is over, or if its state has not changed for so long as this worker has seen:
        Orthanc's clock may be set back.
        """
        if record.is_final or not record.worker or record.worker == self.name:
            return 0.0
        seconds = self._settings.retries.lease_s
        unchanged = self._unchanged(study, "state", entry.tag)
        return max(0.0, min(record.lease - now, seconds - unchanged))

    def _unquiet(self, study: str, contents: Contents, now: float) -> float:
        """Seconds until a study counts as whole; a reception in the future counts as the moment it was seen at."""
        quiet = self._settings.studies.quiet_s
        unchanged = self._unchanged(study, "sources", contents.fingerprint())
        since = now - contents.newest
        return max(0.0, quiet - max(unchanged, since if since >= 0 else 0.0))

    def _unchanged(self, study: str, aspect: str, value: str) -> float:
        """Seconds for which this worker has seen a study like this."""
        now = self._clock()
        seen, since = self._seen.get((study, aspect), ("", now))
        if seen != value:
            self._seen[study, aspect] = (value, now)
            return 0.0
        return now - since

    def _forget(self, study: str) -> None:
        for aspect in ("state", "sources", "orphan"):
            self._seen.pop((study, aspect), None)

    def _begin(self, study: str, entry: Entry, before: Record | None, contents: Contents, now: float) -> float | None:
        has_result = before is not None and before.state in (State.MADE, State.STORED, State.SENT)
        if not has_result and (wait := self._rate_wait()) > 0:
            return wait
        state = before.state if before is not None and has_result else State.CLAIMED
        claim = first_record(state, contents.fingerprint(), self.name, self._maker.version, now, before)
        worn_out = claim.attempts > self._settings.retries.attempts and not has_result
        try:
            lease = Lease(self._archive, study, claim, entry, self._settings.retries.lease_s, self._board.note)
            if worn_out:  # each attempt ended the worker itself
                lease.end(state=State.FAILED, code="worker-died", ended=now, attempts=self._settings.retries.attempts)
                self._tell("failed", study=study, code="worker-died")
                return None
        except LeaseLost:
            return self._settings.retries.lease_s
        taken = before is not None and bool(before.worker)
        self._tell("taken-over" if taken else "claimed", study=study, attempt=claim.attempts, state=claim.state.value)
        if not has_result:
            self._begun.append(self._clock())
        self._lease = lease
        try:
            return Attempt(self._tools, lease, contents, has_result).carry_out()
        finally:
            self._lease = None

    def _rate_wait(self) -> float:
        """Seconds until another study may be begun."""
        most, now = self._settings.limits.per_hour, self._clock()
        while self._begun and self._begun[0] <= now - _HOUR_S:
            self._begun.popleft()
        return self._begun[0] + _HOUR_S - now if most and len(self._begun) >= most else 0.0

    def _clear_orphans(self, holding: Holding, record: Record | None) -> float | None:
        """Delete results that were stored while their study was deleted, which brought it back without its images.

        Only what this worker's user stored over HTTP is deleted, and only where the study holds nothing else.
        """
        if record is not None or self._settings.answers.orphans != "delete":
            return None
        owned, newest = self._reader.orphans(holding, self._settings.orthanc.username)
        if not owned:
            return None
        age = max(self._archive.now() - newest, self._unchanged(holding.study, "orphan", holding.inventory()))
        wait = self._settings.studies.quiet_s + self._settings.retries.lease_s - age
        if wait > 0:
            return wait
        count = self._archive.delete(owned)
        self._tell("deleted", study=holding.study, instances=count, code="orphan")
        return None

    # What a person may ask for.

    def retry(self, study: str) -> bool:
        """Ask for another attempt at a study that was refused or has failed; returns whether there is one.

        May be called from another thread.
        """
        try:
            entry = self._archive.state(study)
            record = Record.decode(entry.content)
            if record is None or record.state not in (State.REFUSED, State.FAILED):
                return False
            asked = replace(record, state=State.WAITING, again=True, attempts=0, send_attempts=0, due=0.0, worker="")
            self._archive.write_state(study, asked.encode(), entry.tag)
            self._board.note(study, asked)
        except (Conflict, Gone):
            return False
        self._tell("retry-asked", study=study)
        self._agenda.ask(study)
        return True


def check_archive(archive: Archive, settings: Settings) -> dict[str, object]:
    """Whether an Orthanc can be worked with: what ``xray2mri serve --check`` prints.

    Raises:
        UsageError: it lacks what the worker relies on, or a destination.
        Unreachable: it does not answer.
    """
    try:
        system = archive.system()
    except Denied as error:
        raise UsageError(error.what, error.rule, error.found, error.remedy) from error
    if system.get("CheckRevisions") is not True:
        remedy = 'Set "CheckRevisions": true in its configuration: without it two workers would take the same study.'
        raise UsageError("Orthanc", "must check revisions", str(system.get("CheckRevisions")), remedy)
    known = {"dimse": archive.modalities(), "stow": archive.web_servers()}
    for destination in settings.destinations:
        if destination.name not in known[destination.kind]:
            where = {"dimse": "DicomModalities", "stow": "DicomWeb.Servers"}[destination.kind]
            found = ", ".join(known[destination.kind]) or "none"
            raise UsageError(
                f"destination {destination.name}",
                f"must be in Orthanc's {where}",
                found,
                "Add it, or correct the name.",
            )
    return {
        "orthanc": system.get("Version"),
        "title": system.get("DicomAet"),
        "destinations": [destination.name for destination in settings.destinations],
    }
