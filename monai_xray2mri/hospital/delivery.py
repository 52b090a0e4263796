"""Sends a stored result to every destination, instance by instance, until each has acknowledged all of it."""

from __future__ import annotations

from monai_xray2mri.hospital.archive import ArchiveError, Gone, Unreachable
from monai_xray2mri.hospital.lease import Lease
from monai_xray2mri.hospital.maker import MakingFailed, Stopped
from monai_xray2mri.hospital.record import Manifest, State
from monai_xray2mri.hospital.settings import Destination
from monai_xray2mri.hospital.tools import Tools

_COMMITTED = "ok"
_COMMITMENT_POLL_S = 10.0


def deliver(tools: Tools, lease: Lease, manifest: Manifest, fingerprint: str) -> float | None:
    """Send a result; returns seconds until the next look, None if the study is final.

    A destination that fails does not keep the others waiting.

    Args:
        tools: what attempts work with.
        lease: on the study, whose state is ``stored`` or ``sent``.
        manifest: of the result.
        fingerprint: of the sources that the study held when it was claimed.

    Raises:
        Stopped: the worker was told to end.
        LeaseLost: another worker took over.
        MakingFailed: an instance is not in Orthanc any more.
        Unreachable: Orthanc does not answer.
    """
    failures = {}
    for destination in tools.settings.destinations:
        code = _send(tools, lease, manifest, destination)
        if code:
            failures[destination.name] = code
    if failures:
        return _later(tools, lease, failures)
    if lease.record.state is not State.SENT:
        lease.change(state=State.SENT)
        tools.events("sent", study=lease.study)
    pending, failures = _commitments(tools, lease, manifest)
    if failures:
        lease.change(state=State.STORED)
        return _later(tools, lease, failures)
    if pending:
        wait = min(_COMMITMENT_POLL_S, tools.settings.retries.commitment_s)
        lease.end(state=State.SENT, due=tools.archive.now() + wait)
        return wait
    return _finish(tools, lease, manifest, fingerprint)


def _send(tools: Tools, lease: Lease, manifest: Manifest, destination: Destination) -> str:
    """Send what a destination lacks; returns why it stopped, empty if it has everything."""
    begin = done = int(lease.record.sent.get(destination.name, 0))
    total = len(manifest.instances)
    if begin >= total:
        return ""
    tools.events("sending", study=lease.study, destination=destination.name, instances=total - begin)
    code = ""
    try:
        for instance in manifest.instances[begin:]:
            lease.require()
            if tools.stopping():
                raise Stopped("study", "was not finished", "the worker was told to stop")
            tools.archive.send(destination, instance.id)
            done += 1
    except Unreachable:
        raise
    except Gone:
        code = _what_is_gone(tools, manifest)
    except ArchiveError as error:
        code = error.code
    finally:
        if done > begin and not lease.lost:
            lease.change(sent={**lease.record.sent, destination.name: done})
    event = "undelivered" if code else "delivered"
    tools.events(event, study=lease.study, destination=destination.name, instances=done - begin, code=code)
    return code


def _what_is_gone(tools: Tools, manifest: Manifest) -> str:
    """Orthanc answers alike where the destination has no entry and where the instance is missing."""
    try:
        for instance in manifest.instances:
            tools.archive.digest(instance.id)
    except Gone:
        raise MakingFailed("result-gone", "somebody deleted a part of the result from Orthanc") from None
    return "no-such-destination"


def _commitments(tools: Tools, lease: Lease, manifest: Manifest) -> tuple[bool, dict[str, str]]:
    """Ask for storage commitment, or for the answer; returns whether one is outstanding, and what was refused."""
    pending, failures = False, {}
    for destination in tools.settings.destinations:
        known = lease.record.commitments.get(destination.name, "")
        if not destination.commitment or known == _COMMITTED:
            continue
        transaction, _, asked = known.partition("@")
        now = tools.archive.now()
        try:
            status = tools.archive.commitment(transaction) if transaction else "Lost"
        except Gone:  # Orthanc keeps answers in memory only
            status = "Lost"
        if status == "Pending" and not 0 <= now - float(asked or 0) <= tools.settings.retries.commitment_s:
            status = "Lost"
        if status == "Success":
            _note(lease, destination, _COMMITTED)
        elif status == "Pending":
            pending = True
        elif status == "Lost":
            try:
                names = [instance.id for instance in manifest.instances]
                _note(lease, destination, f"{tools.archive.request_commitment(destination, names)}@{now:.0f}")
                pending = True
            except (Unreachable, Gone):
                raise
            except ArchiveError as error:
                failures[destination.name] = error.code
        else:  # it keeps not everything: all of it is sent again
            sent = {**lease.record.sent, destination.name: 0}
            commitments = {**lease.record.commitments, destination.name: ""}
            lease.change(sent=sent, commitments=commitments)
            failures[destination.name] = "not-committed"
    return pending, failures


def _note(lease: Lease, destination: Destination, text: str) -> None:
    lease.change(commitments={**lease.record.commitments, destination.name: text})


def _later(tools: Tools, lease: Lease, failures: dict[str, str]) -> float | None:
    """Count a failed round: it is repeated after a pause, or the study is given up."""
    record, retries, now = lease.record, tools.settings.retries, tools.archive.now()
    attempts = record.send_attempts + 1
    code = ", ".join(f"{name} {code}" for name, code in failures.items())
    if attempts >= retries.send_attempts:
        lease.end(state=State.FAILED, send_attempts=attempts, code="not-sent", trouble=code, ended=now)
        tools.events("failed", study=lease.study, code="not-sent", attempts=attempts)
        return None
    pause = retries.pause(attempts)
    lease.end(state=State.STORED, send_attempts=attempts, due=now + pause, trouble=code)
    tools.events("try-again", study=lease.study, code="not-sent", attempts=attempts, wait=round(pause))
    return pause


def _finish(tools: Tools, lease: Lease, manifest: Manifest, fingerprint: str) -> float | None:
    """Write the final state; a study to which something came meanwhile is looked at again."""
    holding = tools.reader.holding(lease.study)
    unchanged = tools.reader.contents(holding).fingerprint() == fingerprint
    inventory = holding.inventory() if unchanged else ""
    outcome, ended = State(manifest.outcome), tools.archive.now()
    record = lease.end(state=outcome, inventory=inventory, ended=ended, again=False, due=0.0, trouble="")
    seconds = round(record.ended - record.began, 1)
    tools.events(outcome.value, study=lease.study, code=record.code, instances=record.instances, seconds=seconds)
    return None if unchanged else 0.0
