"""Who works on a study: claims, leases, what dead, sleeping and stopped workers leave."""

from __future__ import annotations

import pytest

from monai_xray2mri.hospital.record import State
from tests.helpers.hospital_system import InlineMaker, film
from tests.helpers.ward import QUIET_S, Ward


def test_two_workers_do_not_take_the_same_study():
    ward = Ward()
    study = ward.orthanc.receive(film("one"))
    first, second = ward.worker(), ward.worker()
    ward.wait(QUIET_S + 1)
    ward.maker.during = lambda: second.drain()
    first.drain()
    assert ward.maker.made == 1
    ward.check_answered_once(study)


def test_a_claim_between_reading_and_writing_is_noticed():
    ward = Ward()
    study = ward.orthanc.receive(film("one"))
    ward.wait(QUIET_S + 1)
    first, second = ward.worker(), ward.worker()

    def claimed_first(method: str, path: str) -> None:
        if method == "PUT" and "/metadata/" in path:
            ward.orthanc.before = lambda method, path: None
            second.drain()

    ward.orthanc.before = claimed_first
    first.drain()
    assert ward.maker.made == 1
    ward.check_answered_once(study)


def test_the_study_of_a_dead_worker_is_taken_over_when_its_lease_is_over():
    ward = Ward()
    study = ward.orthanc.receive(film("one"))
    ward.wait(QUIET_S + 1)
    dead = ward.worker()

    def dies() -> None:
        raise SystemExit

    ward.maker.during = dies
    with pytest.raises(SystemExit):
        dead.drain()
    assert ward.state(study) is State.CLAIMED
    ward.maker.during = lambda: None
    next_one = ward.worker()
    next_one.drain()
    assert ward.state(study) is State.CLAIMED  # it may still live
    ward.settle(next_one, ward.settings.retries.lease_s + 1)
    ward.check_answered_once(study)
    assert ward.record(study).attempts == 2 and ward.events("taken-over")


def test_a_lease_in_the_far_future_of_a_clock_that_was_set_back_ends_when_nobody_renews_it():
    ward = Ward()
    study = ward.orthanc.receive(film("one"))
    ward.wait(QUIET_S + 1)
    ward.maker.during = lambda: (_ for _ in ()).throw(SystemExit)
    with pytest.raises(SystemExit):
        ward.worker().drain()
    ward.maker.during = lambda: None
    ward.orthanc.time -= 365 * 86400
    ward.settle(ward.worker(), ward.settings.retries.lease_s + 1, rounds=2)
    ward.check_answered_once(study)


def test_a_worker_that_was_asleep_while_another_took_over_withdraws_what_it_stored():
    ward = Ward()
    study = ward.orthanc.receive(film("one"))
    ward.wait(QUIET_S + 1)
    asleep, other = ward.worker(InlineMaker(version="1")), ward.worker(InlineMaker(version="2"))

    def sleeps(method: str, path: str) -> None:
        if (method, path) == ("POST", "/instances"):
            ward.orthanc.before = lambda method, path: None
            ward.wait(1000)
            other.drain()

    ward.orthanc.before = sleeps
    asleep.drain()
    ward.check_answered_once(study)
    assert {one.uid for one in ward.manifest(study).instances} == set(ward.results(study))


def test_a_study_that_is_given_back_keeps_its_number_of_attempts_and_is_taken_at_once():
    ward = Ward()
    study = ward.orthanc.receive(film("one"))
    ward.wait(QUIET_S + 1)
    worker = ward.worker()
    ward.maker.during = worker.stop.set
    worker.sweep()
    worker.attend(study)
    record = ward.record(study)
    assert (record.state, record.attempts, record.worker) == (State.WAITING, 0, "")
    ward.maker.during = lambda: None
    ward.worker().drain()
    ward.check_answered_once(study)
    assert ward.record(study).attempts == 1


def test_a_worker_that_is_stopped_while_it_sends_goes_on_where_it_was():
    ward = Ward()
    study = ward.orthanc.receive(film("one"))
    ward.wait(QUIET_S + 1)
    worker = ward.worker()

    def stops(method: str, path: str) -> None:
        if path.endswith("/store"):
            worker.stop.set()

    ward.orthanc.before = stops
    worker.sweep()
    worker.attend(study)
    assert ward.state(study) is State.STORED and ward.record(study).sent == {"PACS": 1}
    ward.orthanc.before = lambda method, path: None
    ward.worker().drain()
    ward.check_answered_once(study)
    assert set(ward.taken.values()) == {1} and ward.maker.made == 1
