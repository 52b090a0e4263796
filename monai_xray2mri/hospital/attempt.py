"""One attempt at one study: from the claim to the answer, through states that each survive a killed worker.

What is to be stored is written down before it is stored, so a later attempt finds what an earlier one left, and either
goes on with it or removes it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydicom.uid import KeyObjectSelectionDocumentStorage

from monai_xray2mri.dicom.notes import Referred, refusal_report, rejection_note, replacement_report
from monai_xray2mri.dicom.structured_report import text_value
from monai_xray2mri.errors import Xray2MRIError, describe_unexpected
from monai_xray2mri.hospital.archive import ArchiveError, Entry, Gone, Unreachable
from monai_xray2mri.hospital.delivery import deliver
from monai_xray2mri.hospital.holdings import Contents
from monai_xray2mri.hospital.lease import Lease, LeaseLost
from monai_xray2mri.hospital.maker import Answer, MakingFailed, Stopped
from monai_xray2mri.hospital.record import Instance, Manifest, Record, State
from monai_xray2mri.hospital.results import Result, result_of
from monai_xray2mri.hospital.tools import Tools

_SOON_S = 1.0


class SourcesChanged(Xray2MRIError):
    """The study is not any more what the attempt was begun with."""


class SourcesGone(SourcesChanged):
    """Its images were deleted."""


class Attempt:
    """An attempt at a study that this worker holds.

    Args:
        tools: what it works with.
        lease: on the study.
        contents: of the study, as claimed.
        resumed: whether an earlier attempt at the same sources had come as far as a result.
    """

    def __init__(self, tools: Tools, lease: Lease, contents: Contents, resumed: bool) -> None:
        self._tools, self._lease, self._contents, self._resumed = tools, lease, contents, resumed
        self._archive, self._settings, self._tell = tools.archive, tools.settings, tools.events
        self._stored = list[str]()  # by this attempt, and new to Orthanc

    @property
    def study(self) -> str:
        """Identifier of the study."""
        return self._lease.study

    def carry_out(self) -> float | None:
        """Make, store and send the answer; returns seconds until the next look at the study, None if it is final.

        Raises:
            Unreachable: Orthanc does not answer; the state tells what was reached.
        """
        try:
            with self._lease.kept_alive():
                return self._answer()
        except LeaseLost:
            self._tell("lost-claim", study=self.study)
            self._withdraw()
            return self._settings.retries.lease_s
        except (SourcesGone, Gone):
            self._tell("gone", study=self.study)
            self._withdraw()
            return _SOON_S
        except SourcesChanged:
            self._tell("changed", study=self.study)
            return self._let_go(_SOON_S, attempts=self._lease.record.attempts - 1)
        except Stopped:
            lost = self._lease.lost
            self._tell("lost-claim" if lost else "given-back", study=self.study)
            return self._settings.retries.lease_s if lost else self._give_back()
        except Unreachable:
            raise
        except MakingFailed as failure:
            return self._failed(failure.code, failure.found)
        except ArchiveError as error:
            return self._failed(error.code, str(error))
        except Exception as error:  # a full /tmp, or what nobody foresaw: it must not keep other studies waiting
            return self._failed(f"unexpected-{type(error).__name__}", describe_unexpected(error))

    def _answer(self) -> float | None:
        entry = self._archive.manifest(self.study)
        manifest = Manifest.decode(entry.content)
        if manifest is None or not self._is_reusable(manifest):
            manifest = self._make_and_store(entry, manifest)
        elif not manifest.stored:
            manifest = self._settle(manifest, entry.tag)
        if manifest is None:
            return None
        if self._lease.record.state not in (State.STORED, State.SENT):
            self._lease.change(state=State.STORED, instances=len(manifest.instances))
        return deliver(self._tools, self._lease, manifest, self._contents.fingerprint())

    # What an earlier attempt left.

    def _is_reusable(self, manifest: Manifest) -> bool:
        """Whether the result that is written down is the answer to these sources, and Orthanc holds all of it."""
        record = self._lease.record
        if manifest.fingerprint != record.fingerprint:
            return False
        if manifest.outcome == State.REFUSED and record.again and not self._resumed:
            return False  # somebody asked for another try
        return all(self._holds(instance) for instance in manifest.instances)

    def _holds(self, instance: Instance) -> bool:
        try:
            return self._archive.digest(instance.id) in ("", instance.digest)
        except Gone:
            return False

    def _earlier(self, manifest: Manifest | None) -> tuple[Instance, ...]:
        """Instances of an earlier result that is whole; what is left of one that is not is deleted."""
        if manifest is None:
            return ()
        if manifest.stored:
            return manifest.instances
        kept = {instance.id for instance in manifest.replaces}
        self._delete([instance.id for instance in manifest.instances if instance.id not in kept])
        return manifest.replaces

    # From sources to a stored result.

    def _make_and_store(self, entry: Entry, manifest: Manifest | None) -> Manifest | None:
        """The new answer, stored; None if the study is final without one."""
        record = self._lease.record
        if record.state is not State.CLAIMED:  # what was made is not there any more
            self._lease.change(state=State.CLAIMED, attempts=record.attempts + 1)
        earlier = self._earlier(manifest)
        with tempfile.TemporaryDirectory(prefix=self._tools.scratch) as folder:
            answer = self._made(Path(folder))
            if answer.outcome == "passed":
                self._lease.end(state=State.PASSED, ended=self._archive.now(), inventory=self._inventory())
                self._tell("passed", study=self.study)
                return None
            outcome = State.DONE if answer.outcome == "done" else State.REFUSED
            result, replaced = self._result(answer, earlier)
            self._lease.change(code=answer.code, text=" | ".join(answer.refusals), partial=self._is_partial(answer))
            if not result.instances and not replaced:
                record = self._lease.end(state=State.REFUSED, ended=self._archive.now(), inventory=self._inventory())
                self._tell("refused", study=self.study, code=record.code, seconds=round(record.ended - record.began, 1))
                return None
            self._require_sources()
            written = Manifest(self._lease.record.fingerprint, outcome, result.instances, earlier)
            tag = self._archive.write_manifest(self.study, written.encode(), entry.tag)
            self._lease.change(state=State.MADE, instances=len(result.instances), sent={}, commitments={})
            self._store(result)
        self._require_sources(may_grow=True)
        return self._settle(written, tag)

    @staticmethod
    def _is_partial(answer: Answer) -> bool:
        return answer.outcome == "done" and bool(answer.refusals)

    def _made(self, folder: Path) -> Answer:
        """Download the sources and make the results."""
        limits, source = self._settings.limits, folder / "source"
        if len(self._contents.sources) > limits.instances:
            rule = f"study: must hold at most {limits.instances} objects (found: {len(self._contents.sources)})"
            return Answer("refused", (), (rule,), "too-many-objects")
        source.mkdir()
        room = limits.megabytes * 1_000_000
        for number, one in enumerate(self._contents.sources, start=1):
            self._require_going()
            try:
                room -= self._archive.download(one.instance, source / f"{number:04d}.dcm", room)
            except ArchiveError as error:
                if error.code != "too-large":
                    raise
                rule = f"study: must hold at most {limits.megabytes} MB (found: more)"
                return Answer("refused", (), (rule,), "too-large")
        self._tell("read", study=self.study, instances=len(self._contents.sources))
        answer = self._tools.maker.make(source, folder / "output", limits.study_s, self._must_stop)
        self._tell("made", study=self.study, outcome=answer.outcome, code=answer.code, instances=len(answer.files))
        return answer

    def _result(self, answer: Answer, earlier: Sequence[Instance]) -> tuple[Result, tuple[Instance, ...]]:
        """The instances of an answer with what the worker adds, and the earlier ones that they replace."""
        header = next(source.header for source in self._contents.images if source.header is not None)
        study_uid, choices = text_value(header, "StudyInstanceUID"), self._settings.answers
        documents = []
        if answer.refusals and choices.refusals == "report":
            examined = [
                Referred(text_value(one.header, "SeriesInstanceUID"), text_value(one.header, "SOPClassUID"), one.uid)
                for one in self._contents.images
                if one.header is not None
            ]
            documents.append(refusal_report(header, answer.refusals, examined))
        made = result_of(answer.files, documents, study_uid)
        kept = {instance.id for instance in made.instances}
        replaced = tuple(one for one in earlier if one.id not in kept and one.kind != KeyObjectSelectionDocumentStorage)
        if not replaced:
            return made, ()
        old, new = ([Referred(one.series, one.kind, one.uid) for one in some] for some in (replaced, made.instances))
        documents.append(replacement_report(header, old, new))
        if choices.replaced == "reject":
            documents.append(rejection_note(header, old, "Replaced by a synthesis from newer sources."))
        return result_of(answer.files, documents, study_uid), replaced

    def _store(self, result: Result) -> None:
        for instance in result.instances:
            self._require_going()
            self._lease.require()
            stored = self._archive.store(result.content(instance))
            if stored.new:
                self._stored.append(stored.instance)
            if (stored.study, stored.instance) != (self.study, instance.id):
                self._delete([stored.instance] if stored.new else [])
                raise MakingFailed("other-study", "Orthanc filed a result under another study than its source")
        self._tell("stored", study=self.study, instances=len(result.instances))

    def _settle(self, manifest: Manifest, tag: str) -> Manifest:
        """Note that all of a result is stored, after what it replaces was deleted, where that is wanted."""
        if self._settings.answers.replaced == "delete":
            kept = {instance.id for instance in manifest.instances}
            self._delete([instance.id for instance in manifest.replaces if instance.id not in kept])
        whole = replace(manifest, stored=True)
        self._archive.write_manifest(self.study, whole.encode(), tag)
        return whole

    # What may interrupt.

    def _must_stop(self) -> bool:
        return self._lease.lost or self._tools.stopping()

    def _require_going(self) -> None:
        """Raise what ends an attempt early.

        Raises:
            Stopped: the worker was told to end.
        """
        if self._tools.stopping():
            raise Stopped("study", "was not finished", "the worker was told to stop")

    def _require_sources(self, may_grow: bool = False) -> None:
        """Make sure that the study still holds what the result was made of.

        Args:
            may_grow: whether further sources are no reason to stop: they are the next attempt's.
        """
        try:
            contents = self._tools.reader.contents(self._tools.reader.holding(self.study))
        except Gone:
            raise SourcesGone("study", "must still be there", "none") from None
        if not contents.images:
            raise SourcesGone("study", "must still hold its images", "none")
        if not may_grow and contents.fingerprint() != self._lease.record.fingerprint:
            raise SourcesChanged("study", "must be what it was when it was claimed", "another one")

    def _inventory(self) -> str:
        """Of a study that is final; empty if something came that the answer does not know of."""
        holding = self._tools.reader.holding(self.study)
        same = self._tools.reader.contents(holding).fingerprint() == self._lease.record.fingerprint
        return holding.inventory() if same else ""

    # Ends that are no answer.

    def _delete(self, instances: Sequence[str]) -> None:
        if count := self._archive.delete(instances):
            self._tell("deleted", study=self.study, instances=count)

    def _withdraw(self) -> None:
        """Delete what this attempt has stored and nobody else counts on: a stored instance brings a study back."""
        if not self._stored:
            return
        kept: set[str] = set()
        try:
            if self._tools.reader.contents(self._tools.reader.holding(self.study)).images:
                manifest = Manifest.decode(self._archive.manifest(self.study).content)
                kept = {one.id for one in (*manifest.instances, *manifest.replaces)} if manifest else set()
        except Gone:
            pass
        self._delete([instance for instance in self._stored if instance not in kept])

    def _let_go(self, wait: float, **changes: object) -> float:
        """End the attempt so that anybody may begin the next one."""
        state = self._lease.record.state
        state = state if state in (State.MADE, State.STORED, State.SENT) else State.WAITING
        try:
            self._lease.end(**{"state": state, **changes})
        except LeaseLost:
            self._withdraw()
        return wait

    def _give_back(self) -> float:
        record = self._lease.record
        begun = record.state is State.CLAIMED
        return self._let_go(0.0, attempts=record.attempts - 1 if begun else record.attempts)

    def _failed(self, code: str, text: str) -> float | None:
        """Count a failure: it is tried again after a pause, or final."""
        record, retries, now = self._lease.record, self._settings.retries, self._archive.now()
        words = {"code": code, "text": text}
        try:
            if record.attempts >= retries.attempts:
                self._lease.end(state=State.FAILED, ended=now, inventory=self._inventory(), **words)
                self._tell("failed", study=self.study, code=code, attempts=record.attempts)
                return None
            pause = retries.pause(record.attempts)
            self._let_go(pause, due=now + pause, **words)
        except (LeaseLost, Gone):
            self._withdraw()
            return retries.lease_s
        self._tell("try-again", study=self.study, code=code, attempts=record.attempts, wait=round(pause))
        return pause


def first_record(
    state: State, fingerprint: str, worker: str, version: str, now: float, before: Record | None
) -> Record:
    """The claim of a study.

    Args:
        state: what the attempt begins with.
        fingerprint: of the sources.
        worker: who claims.
        version: of worker and bundle.
        now: by Orthanc's clock.
        before: the state of the same sources that is claimed anew; None: the sources are new.
    """
    if before is None:
        return Record(State.CLAIMED, fingerprint, version=version, worker=worker, attempts=1, began=now)
    if before.is_final:
        return Record(State.CLAIMED, fingerprint, version=version, worker=worker, attempts=1, again=True, began=now)
    own = before.worker == worker or state is not State.CLAIMED
    attempts = before.attempts + (0 if own else 1)
    began = before.began or now
    claim = replace(before, state=state, version=version, worker=worker, attempts=attempts, began=began, due=0.0)
    return replace(claim, inventory="", ended=0.0)
