"""A worker that is killed at any write, before or after Orthanc has done it, loses nothing and doubles nothing."""

from __future__ import annotations

from collections import Counter

import pytest

from monai_xray2mri.hospital.record import State
from monai_xray2mri.hospital.settings import AnswerSettings, Destination
from tests.helpers.hospital_system import film, report
from tests.helpers.tap import Killed
from tests.helpers.ward import QUIET_S, Ward

COMMITTING = (Destination("PACS", commitment=True),)


def begin(ward: Ward, story: str) -> str:
    """Bring a study to the point from which the worker's requests are counted."""
    content = film("one", ImagerPixelSpacing=None) if story == "refusal" else film("one")
    study = ward.orthanc.receive(content)
    if story == "replacement":
        ward.settle(ward.worker(), rounds=2)
        ward.orthanc.receive(report("one"))
    ward.wait(QUIET_S + 1)
    ward.orthanc.requests.clear()
    return study


def a_ward(story: str) -> Ward:
    policy = "delete" if story == "replacement" else "keep"
    return Ward(destinations=COMMITTING, answers=AnswerSettings(refusals="report", replaced=policy))


@pytest.mark.parametrize("story", ["result", "refusal", "replacement", "update"])
def test_a_kill_at_any_write(story):
    calm = a_ward(story)
    begin(calm, story)
    calm.settle(calm.worker(), 11)
    expected, requests = calm.orthanc.metadata, list(calm.orthanc.requests)
    killed_in: Counter[str] = Counter()
    for number, request in enumerate(requests):
        if request.startswith("GET") or "find" in request:
            continue  # nothing was changed: it is as if the worker was killed after the write before it
        for moment in ("before", "after"):
            ward = a_ward(story)
            study = begin(ward, story)
            assert study in expected
            ward.orthanc.kill_at = (number, moment)
            with pytest.raises(Killed):
                ward.settle(ward.worker(), 11)
            state = ward.state(study)
            killed_in[state.value if state else "none"] += 1
            ward.orthanc.kill_at = None
            if story == "update":  # the next worker is of another version, which makes other instances
                ward.maker.version = "2"
            ward.settle(ward.worker(), ward.settings.retries.lease_s + 1, rounds=3)
            where = f"killed {moment} {requests[number]}"
            final = State.REFUSED if story == "refusal" else State.DONE
            assert ward.state(study) is final, where
            manifest = ward.manifest(study)
            stored = {held.header.SOPInstanceUID for held in ward.orthanc.of_study(study)}
            origin = {
                held.header.SOPInstanceUID
                for held in ward.orthanc.of_study(study)
                if held.metadata["Origin"] == "RestApi"
            }
            assert {one.uid for one in manifest.instances} == origin <= stored, where
            assert {one.uid for one in manifest.instances} <= set(ward.taken), where
            if story != "update":
                assert set(ward.taken) <= {one.uid for one in manifest.instances} | set(calm.taken), where
            assert ward.record(study).attempts <= 2, where
    final = "refused" if story == "refusal" else "done"
    assert {"claimed", "made", "stored", "sent", final} <= set(killed_in), killed_in
