"""The loop over an Orthanc in memory: where it looks, what it costs, and what must keep no other study waiting."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from monai_xray2mri.hospital.record import State
from monai_xray2mri.hospital.settings import (
    Destination,
    LimitSettings,
)
from monai_xray2mri.hospital.worker import check_archive
from tests.helpers.hospital_system import film
from tests.helpers.orthanc_double import OrthancDouble
from tests.helpers.ward import QUIET_S, Ward, answered, no_scratch_left, studies


def test_a_study_is_answered_once_when_it_has_been_quiet():
    ward = Ward()
    worker = ward.worker()
    study = ward.orthanc.receive(film("one"))
    worker.drain()
    assert ward.state(study) is None and ward.maker.made == 0
    ward.settle(worker, rounds=5)
    ward.check_answered_once(study)
    assert ward.maker.made == 1 and set(ward.taken.values()) == {1}
    assert no_scratch_left()


def test_a_study_that_was_there_before_the_worker_is_found_by_the_sweep_alone():
    ward = Ward()
    study = ward.orthanc.receive(film("one"))
    ward.orthanc.log.clear()  # Orthanc was killed and tells nothing of it
    ward.wait(QUIET_S)
    ward.worker().drain()
    ward.check_answered_once(study)
    assert ward.maker.made == 1


def test_an_unchanged_study_costs_three_requests_and_no_object_is_read_again():
    ward = Ward()
    answered(ward)
    fresh = ward.worker()
    ward.orthanc.requests.clear()
    fresh.drain()
    assert len(ward.orthanc.requests) == 2 + 3  # two searches, then metadata, series and state
    assert not any("/instances/" in request for request in ward.orthanc.requests)


@pytest.mark.parametrize("days, asked", [(1, True), (30, False)])
def test_studies_of_an_old_archive_are_told_apart_without_a_request_for_each(days, asked):
    ward = Ward(studies=studies(since=datetime.fromtimestamp(OrthancDouble().time + days * 86400, UTC)))
    study = ward.orthanc.receive(film("one"))
    ward.wait(QUIET_S)
    ward.worker().drain()
    assert ward.state(study) is None and ward.maker.made == 0
    assert any(f"/studies/{study}" in request for request in ward.orthanc.requests) is asked


def test_a_retry_of_the_pages_thread_waits_for_the_loop():
    ward = Ward()
    study = answered(ward, film("one", ImagerPixelSpacing=None))
    worker = ward.worker()
    worker.drain()
    before = worker.waiting
    assert worker.retry(study)
    assert worker.waiting == before  # the loop may be in the midst of its agenda
    worker.step()
    assert ward.maker.made == 2


def test_the_change_feed_tells_where_to_look_between_sweeps():
    ward = Ward()
    worker = ward.worker()
    worker.step()
    study = ward.orthanc.receive(film("one"))
    for _ in range(30):
        ward.wait(6)
        for _ in range(4):
            worker.step()
    ward.check_answered_once(study)
    sweeps = [request for request in ward.orthanc.requests if "find" in request]
    assert len(sweeps) == 2


def test_a_change_feed_that_begins_anew_makes_the_worker_look_at_everything():
    ward = Ward()
    worker = ward.worker()
    for _ in range(5):
        ward.orthanc.receive(film("old"))
        worker.step()
        ward.wait(6)
    before = len(ward.events("swept"))
    ward.orthanc.log.clear()
    worker.step()
    ward.wait(6)
    worker.step()
    assert len(ward.events("swept")) == before + 1


@pytest.mark.parametrize(
    "limits, code",
    [(LimitSettings(instances=1), "too-many-objects"), (LimitSettings(megabytes=0), "too-large")],
)
def test_a_study_beyond_the_limits_is_refused(limits, code):
    ward = Ward(limits=limits)
    study = ward.orthanc.receive(film("one"))
    ward.orthanc.receive(film("one", "second"))
    ward.settle(ward.worker(), rounds=2)
    assert (ward.state(study), ward.record(study).code) == (State.REFUSED, code) and ward.maker.made == 0


def test_no_more_studies_are_begun_within_an_hour_than_allowed():
    ward = Ward(limits=LimitSettings(per_hour=2))
    for number in range(3):
        ward.orthanc.receive(film(f"study {number}"))
    worker = ward.worker()
    ward.settle(worker)
    assert ward.maker.made == 2
    ward.settle(worker, 3601)
    assert ward.maker.made == 3


def test_what_nobody_foresaw_is_counted_and_keeps_no_other_study_waiting(monkeypatch):
    ward = Ward()
    ward.maker.during = lambda: (_ for _ in ()).throw(OSError("Planted^Secret: no space left on device"))
    study = ward.orthanc.receive(film("one"))
    ward.settle(ward.worker(), rounds=6)
    record = ward.record(study)
    assert (record.state, record.code, record.attempts) == (State.FAILED, "unexpected-OSError", 3)
    assert "Planted" not in ward.log.getvalue() + record.text
    ward.maker.during = lambda: None
    bad, other = ward.orthanc.receive(film("bad")), ward.orthanc.receive(film("other"))
    worker, contents = ward.worker(), type(ward.worker()._reader).contents

    def raises(reader: object, holding: object) -> object:
        if holding.study == bad:
            raise ValueError("Planted^Secret")
        return contents(reader, holding)

    monkeypatch.setattr(type(worker._reader), "contents", raises)
    ward.settle(worker, rounds=2)
    ward.check_answered_once(other)
    assert ward.state(bad) is None and "Planted" not in ward.log.getvalue()


def test_a_worker_that_is_stopped_does_not_begin_the_next_study():
    ward = Ward()
    for number in range(3):
        ward.orthanc.receive(film(f"study {number}"))
    ward.wait(QUIET_S + 1)
    worker = ward.worker()
    ward.maker.during = worker.stop.set
    worker.drain()
    assert ward.maker.made == 1 and not ward.taken


def test_a_corrupt_object_does_not_keep_others_waiting():
    ward = Ward()
    study = ward.orthanc.receive(film("one"))
    other = ward.orthanc.receive(film("two"))
    bad = next(key for key, held in ward.orthanc.instances.items() if held.study == study)
    ward.orthanc.fault = lambda method, path: 500 if bad in path and "tags" in path else 0
    worker = ward.worker()
    ward.settle(worker, rounds=2)
    ward.check_answered_once(other)
    assert ward.state(study) is None and ward.events("not-readable")


def test_an_outage_of_orthanc_at_any_moment_is_survived():
    calm = Ward()
    answered(calm)
    for moment in range(0, len(calm.orthanc.requests), 3):
        ward = Ward()
        study = ward.orthanc.receive(film("one"))
        worker = ward.worker()

        def down(method: str, path: str, ward: Ward = ward, moment: int = moment) -> int:
            return 599 if moment <= len(ward.orthanc.requests) < moment + 3 else 0

        ward.orthanc.fault = down
        for _ in range(12):
            ward.wait(30)
            try:
                worker.step()
            except Exception as error:
                assert type(error).__name__ == "Unreachable", error
        ward.settle(worker)
        ward.check_answered_once(study)


def test_an_orthanc_that_does_not_check_revisions_is_refused(monkeypatch):
    from monai_xray2mri.errors import UsageError
    from monai_xray2mri.hospital.archive import Archive

    ward = Ward()
    archive = Archive(ward.settings.orthanc, ward.orthanc)
    assert check_archive(archive, ward.settings)["destinations"] == ["PACS"]
    with pytest.raises(UsageError, match="DicomModalities"):
        check_archive(archive, replace(ward.settings, destinations=(Destination("NOWHERE"),)))
    monkeypatch.setattr(Archive, "system", lambda self: {"CheckRevisions": False})
    with pytest.raises(UsageError, match="CheckRevisions"):
        check_archive(archive, ward.settings)
