"""Sending: destinations that are down, refuse, lose and commit."""

from __future__ import annotations

import pytest

from monai_xray2mri.hospital.record import State
from monai_xray2mri.hospital.settings import (
    Destination,
    RetrySettings,
)
from tests.helpers.hospital_system import film
from tests.helpers.ward import Ward


def test_a_destination_that_is_down_gets_everything_when_it_is_back():
    ward = Ward(destinations=(Destination("PACS"), Destination("ARCHIVE")))
    study = ward.orthanc.receive(film("one"))
    ward.orthanc.peers["PACS"].answer = lambda uid: "TCP Initialization Error: Connection refused"
    worker = ward.worker()
    ward.settle(worker)
    record = ward.record(study)
    assert (record.state, record.trouble) == (State.STORED, "PACS peer-unreachable")
    assert len(ward.orthanc.peers["ARCHIVE"].taken) == 2  # the other one does not wait for it
    ward.orthanc.peers["PACS"].answer = lambda uid: ""
    ward.settle(worker, 700)
    ward.check_answered_once(study)
    assert ward.record(study).trouble == "" and ward.maker.made == 1


@pytest.mark.parametrize("status", ["DIMSE status 0xA700", "DIMSE status 0x0124"])
def test_a_single_instance_that_a_destination_refuses_is_sent_again_and_the_others_are_not(status):
    ward = Ward()
    study = ward.orthanc.receive(film("one"))
    refused: list[str] = []

    def once(uid: str) -> str:
        if len(ward.taken) == 1 and not refused:
            refused.append(uid)
            return status
        return ""

    ward.orthanc.peers["PACS"].answer = once
    ward.settle(ward.worker(), rounds=3)
    ward.check_answered_once(study)
    assert refused and set(ward.taken.values()) == {1}
    assert [event["code"] for event in ward.events("undelivered")] == [f"dimse-{status[-4:]}"]


def test_a_destination_that_never_takes_anything_ends_as_failed_and_a_retry_sends_the_same_result():
    ward = Ward(retries=RetrySettings(send_attempts=3, first_s=1, longest_s=2))
    study = ward.orthanc.receive(film("one"))
    ward.orthanc.peers["PACS"].answer = lambda uid: "DIMSE status 0xA700"
    worker = ward.worker()
    ward.settle(worker, rounds=4)
    record = ward.record(study)
    assert (record.state, record.code, record.trouble) == (State.FAILED, "not-sent", "PACS dimse-A700")
    ward.orthanc.peers["PACS"].answer = lambda uid: ""
    assert worker.retry(study)
    worker.drain()
    ward.check_answered_once(study)
    assert ward.maker.made == 1


def test_a_destination_that_left_orthancs_configuration_is_named():
    ward = Ward()
    study = ward.orthanc.receive(film("one"))
    del ward.orthanc.peers["PACS"]
    ward.settle(ward.worker())
    assert ward.record(study).trouble == "PACS no-such-destination"


def test_a_result_that_somebody_deleted_while_it_was_sent_is_made_again():
    ward = Ward()
    study = ward.orthanc.receive(film("one"))

    def deletes(method: str, path: str) -> None:
        if path.endswith("/store"):
            ward.orthanc.before = lambda method, path: None
            name = next(key for key, held in ward.orthanc.instances.items() if held.header.Modality == "MR")
            ward.orthanc._delete(name)

    ward.orthanc.before = deletes
    ward.settle(ward.worker(), 700, rounds=2)
    ward.check_answered_once(study)
    assert ward.maker.made == 2


def test_done_only_after_the_destination_has_committed():
    ward = Ward(destinations=(Destination("PACS", commitment=True),))
    ward.orthanc.peers["PACS"].commits = lambda uids: "Pending"
    study = ward.orthanc.receive(film("one"))
    worker = ward.worker()
    ward.settle(worker, rounds=2)
    assert ward.state(study) is State.SENT
    ward.orthanc.transactions = dict.fromkeys(ward.orthanc.transactions, "Success")
    ward.settle(worker, 11)
    ward.check_answered_once(study)


def test_commitment_is_asked_for_again_when_orthanc_has_lost_the_answer():
    ward = Ward(destinations=(Destination("PACS", commitment=True),))
    ward.orthanc.peers["PACS"].commits = lambda uids: "Pending"
    study = ward.orthanc.receive(film("one"))
    worker = ward.worker()
    ward.settle(worker)
    ward.orthanc.transactions.clear()  # it was started again
    ward.orthanc.peers["PACS"].commits = lambda uids: "Success"
    ward.settle(worker, 11, rounds=2)
    ward.check_answered_once(study)


def test_what_a_destination_did_not_commit_to_is_sent_again():
    ward = Ward(destinations=(Destination("PACS", commitment=True),))
    answers = iter(["Failure", "Success"])
    ward.orthanc.peers["PACS"].commits = lambda uids: next(answers)
    study = ward.orthanc.receive(film("one"))
    ward.settle(ward.worker(), 61, rounds=5)
    ward.check_answered_once(study)
    assert set(ward.taken.values()) == {2}
