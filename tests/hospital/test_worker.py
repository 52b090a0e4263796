"""The worker over an Orthanc in memory: every transition of a study's state."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from monai_xray2mri.hospital.record import MOST_BYTES, Record, State
from monai_xray2mri.hospital.settings import (
    AnswerSettings,
    Destination,
    LimitSettings,
    OrthancSettings,
    RetrySettings,
    StudySettings,
)
from monai_xray2mri.hospital.worker import check_archive
from tests.helpers.hospital_system import InlineMaker, film, rejection, report
from tests.helpers.ward import QUIET_S, Ward, no_scratch_left

SINCE = datetime(2020, 1, 1, tzinfo=UTC)


def studies(**choices: object) -> StudySettings:
    return StudySettings(**{"since": SINCE, "quiet_s": QUIET_S, **choices})  # type: ignore[arg-type]


def answered(ward: Ward, content: bytes | None = None) -> str:
    """A study that has been answered."""
    study = ward.orthanc.receive(content or film("one"))
    ward.settle(ward.worker(), rounds=2)
    return study


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


def test_an_unchanged_study_costs_three_requests_and_no_object_is_read_again():
    ward = Ward()
    answered(ward)
    fresh = ward.worker()
    ward.orthanc.requests.clear()
    fresh.drain()
    assert len(ward.orthanc.requests) == 2 + 3  # two searches, then metadata, series and state
    assert not any("/instances/" in request for request in ward.orthanc.requests)


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


def test_a_reception_in_the_future_counts_as_the_moment_at_which_it_was_seen():
    ward = Ward()
    worker = ward.worker()
    study = ward.orthanc.receive(film("one"))
    ward.orthanc.time -= 365 * 86400  # the clock is set back
    ward.settle(worker, rounds=2)
    ward.check_answered_once(study)


@pytest.mark.parametrize("choice", ["since", "called_aets", "body_parts", "chest"])
def test_films_that_are_not_wanted_leave_no_trace(choice):
    chosen = {
        "since": studies(since=datetime(2090, 1, 1, tzinfo=UTC)),
        "called_aets": studies(called_aets=("KNEES",)),
        "body_parts": studies(body_parts=("FOOT",)),
        "chest": studies(body_parts=("KNEE",)),
    }
    ward = Ward(studies=chosen[choice])
    content = film("one", BodyPartExamined="CHEST") if choice == "chest" else film("one")
    study = ward.orthanc.receive(content, called="OTHER")
    ward.settle(ward.worker(), rounds=2)
    assert ward.state(study) is None and ward.maker.made == 0 and len(ward.orthanc.of_study(study)) == 1


def test_a_film_that_only_its_picture_tells_is_of_a_chest_is_passed_over_without_a_report():
    ward = Ward(answers=AnswerSettings(refusals="report"))
    study = answered(ward, film("one", BodyPartExamined="CHEST"))
    assert ward.state(study) is State.PASSED and len(ward.orthanc.of_study(study)) == 1
    ward.settle(ward.worker(), rounds=3)
    assert ward.maker.made == 1


def test_the_called_title_and_the_body_part_let_through_what_they_name():
    ward = Ward(studies=studies(called_aets=("KNEES",), body_parts=("knee",)))
    study = ward.orthanc.receive(film("one"), called="KNEES")
    ward.settle(ward.worker(), rounds=2)
    ward.check_answered_once(study)


@pytest.mark.parametrize("copies", [False, True])
def test_copies_that_orthanc_made_are_passed_over_unless_they_are_wanted(copies):
    ward = Ward(studies=studies(copies=copies))
    study = ward.orthanc.receive(film("one"))
    ward.orthanc.metadata[study] = {"AnonymizedFrom": "another"}
    ward.settle(ward.worker(), rounds=2)
    assert (ward.state(study) is State.DONE) is copies


@pytest.mark.parametrize("late", [film("one", "second"), report("one")], ids=["film", "report"])
def test_what_comes_late_makes_a_new_attempt(late):
    ward = Ward()
    study = answered(ward)
    first = ward.results(study)
    ward.orthanc.receive(late)
    worker = ward.worker()
    worker.drain()
    assert ward.maker.made == 1  # not quiet yet
    ward.settle(worker, rounds=2)
    assert ward.maker.made == 2 and ward.state(study) is State.DONE
    assert set(first) < set(ward.results(study)) or not set(first) & set(ward.results(study)) - set(first)
    assert set(ward.results(study)) <= set(ward.taken)


def test_the_same_film_again_changes_nothing():
    ward = Ward()
    study = answered(ward)
    ward.orthanc.receive(film("one"))
    ward.settle(ward.worker(), rounds=2)
    assert ward.maker.made == 1
    ward.check_answered_once(study)


def test_an_own_result_that_comes_back_changed_is_no_source():
    from io import BytesIO

    from pydicom import dcmread

    ward = Ward()
    study = answered(ward)
    own = next(held for held in ward.orthanc.of_study(study) if held.header.Modality == "MR")
    changed = dcmread(BytesIO(own.content))
    changed.SOPInstanceUID = changed.file_meta.MediaStorageSOPInstanceUID = "2.25.4711"
    changed.Modality, changed.SeriesInstanceUID = "DX", "2.25.4712"
    buffer = BytesIO()
    changed.save_as(buffer, enforce_file_format=True)
    assert ward.orthanc.receive(buffer.getvalue()) == study
    worker = ward.worker()
    ward.settle(worker, rounds=2)
    assert ward.maker.made == 1 and ward.state(study) is State.DONE
    ward.orthanc.requests.clear()
    ward.worker().drain()  # what came is remembered as no source
    assert not any("/tags" in request for request in ward.orthanc.requests)


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


def test_a_study_that_was_deleted_while_its_result_was_made_stays_deleted():
    ward = Ward()
    study = ward.orthanc.receive(film("one"))
    ward.maker.during = lambda: ward.orthanc.delete_study(study)
    ward.settle(ward.worker(), rounds=3)
    assert not ward.orthanc.instances and not ward.taken


def test_a_study_that_was_deleted_while_its_result_was_stored_is_not_brought_back():
    ward = Ward()
    study = ward.orthanc.receive(film("one"))

    def deletes(method: str, path: str) -> None:
        if (method, path) == ("POST", "/instances") and len(ward.orthanc.instances) == 2:
            ward.orthanc.delete_study(study)

    ward.orthanc.before = deletes
    ward.settle(ward.worker(), rounds=3)
    assert not ward.orthanc.instances and not ward.taken


@pytest.mark.parametrize("orphans", ["delete", "keep"])
def test_a_result_that_brought_a_study_back_after_a_kill_is_cleared_away(orphans):
    ward = Ward(answers=AnswerSettings(orphans=orphans))
    study = answered(ward)
    images = [held.content for held in ward.orthanc.of_study(study) if held.header.Modality == "MR"]
    ward.orthanc.delete_study(study)
    ward.orthanc._store(images[0], "RestApi", "")
    ward.orthanc._store(images[1], "RestApi", "")
    ward.settle(ward.worker(), rounds=4)
    assert len(ward.orthanc.instances) == (0 if orphans == "delete" else 2)


def test_synthetic_images_that_somebody_sent_without_their_film_are_left_alone():
    ward = Ward()
    study = answered(ward)
    images = [held.content for held in ward.orthanc.of_study(study) if held.header.Modality == "MR"]
    ward.orthanc.delete_study(study)
    for image in images:
        ward.orthanc.receive(image)
    ward.settle(ward.worker(), rounds=4)
    assert len(ward.orthanc.instances) == 2


def test_a_film_that_comes_while_the_result_is_made_makes_a_result_of_both():
    ward = Ward()
    study = ward.orthanc.receive(film("one"))
    ward.wait(QUIET_S + 1)

    def comes() -> None:
        ward.maker.during = lambda: None
        ward.orthanc.receive(film("one", "second"))

    ward.maker.during = comes
    ward.settle(ward.worker(), rounds=3)
    ward.check_answered_once(study, films=2)
    assert set(ward.results(study)) == set(ward.taken)  # nothing of the first attempt was sent


def test_a_film_that_comes_while_the_result_is_sent_is_not_lost():
    ward = Ward()
    study = ward.orthanc.receive(film("one"))

    def comes(method: str, path: str) -> None:
        if path.endswith("/store"):
            ward.orthanc.before = lambda method, path: None
            ward.orthanc.receive(film("one", "second"))

    ward.orthanc.before = comes
    ward.settle(ward.worker(), rounds=3)
    ward.check_answered_once(study, films=2)


# Refusals and failures.


def test_a_refusal_is_final_until_a_report_comes():
    ward = Ward()
    study = answered(ward, film("one", ImagerPixelSpacing=None))
    record = ward.record(study)
    assert (record.state, record.code) == (State.REFUSED, "needs-a-pixel-spacing")
    assert "needs a pixel spacing" in record.text
    worker = ward.worker()
    ward.settle(worker, rounds=3)
    assert ward.maker.made == 1
    ward.orthanc.receive(report("one"))
    ward.settle(worker, rounds=2)
    ward.check_answered_once(study)


def test_a_refusal_is_answered_by_a_report_where_that_is_wanted():
    ward = Ward(answers=AnswerSettings(refusals="report"))
    study = answered(ward, film("one", ImagerPixelSpacing=None))
    assert ward.state(study) is State.REFUSED
    (document,) = [held.header for held in ward.orthanc.of_study(study) if held.header.Modality == "SR"]
    texts = [item.TextValue for item in document.ContentSequence if item.ValueType == "TEXT"]
    assert any("needs a pixel spacing" in text for text in texts)
    assert list(ward.taken) == [document.SOPInstanceUID]
    ward.settle(ward.worker(), rounds=3)
    assert ward.maker.made == 1  # the report is no source


def test_the_report_of_a_refusal_says_that_it_is_replaced_when_there_is_a_result():
    ward = Ward(answers=AnswerSettings(refusals="report"))
    study = answered(ward, film("one", ImagerPixelSpacing=None))
    (refusal,) = [held.header for held in ward.orthanc.of_study(study) if held.header.Modality == "SR"]
    ward.orthanc.receive(report("one"))
    ward.settle(ward.worker(), rounds=2)
    ward.check_answered_once(study)
    replacing = [
        held.header for held in ward.orthanc.of_study(study) if "replaced" in held.header.get("SeriesDescription", "")
    ]
    references = [item.ReferencedSOPSequence[0] for item in replacing[0].ContentSequence if item.ValueType != "TEXT"]
    assert refusal.SOPInstanceUID in [one.ReferencedSOPInstanceUID for one in references]


@pytest.mark.parametrize("version, made", [("1", 1), ("2", 2)])
def test_refusals_are_tried_again_by_another_version_only(version, made):
    ward = Ward(answers=AnswerSettings(refusals="report"))
    study = answered(ward, film("one", ImagerPixelSpacing=None))
    ward.maker.version = version
    ward.settle(ward.worker(retry_refused=True), rounds=3)
    assert ward.maker.made == made and ward.state(study) is State.REFUSED
    assert len([held for held in ward.orthanc.of_study(study) if held.header.Modality == "SR"]) == 1


def test_a_retry_by_hand_tries_a_refusal_again():
    ward = Ward()
    study = answered(ward, film("one", ImagerPixelSpacing=None))
    worker = ward.worker()
    assert worker.retry(study) and not worker.retry(study)
    worker.drain()
    assert ward.maker.made == 2 and ward.state(study) is State.REFUSED
    assert not worker.retry("no such study")


@pytest.mark.parametrize("partial", [True, False])
def test_what_could_be_made_of_a_study_is_stored_where_parts_are_allowed(partial):
    ward = Ward(answers=AnswerSettings(partial=partial))
    study = ward.orthanc.receive(film("one"))
    ward.orthanc.receive(film("one", "second", ImagerPixelSpacing=None))
    ward.settle(ward.worker(), rounds=2)
    assert ward.state(study) is (State.DONE if partial else State.REFUSED)
    assert len(ward.results(study)) == (2 if partial else 0) and ward.record(study).partial is partial


def test_a_failure_is_tried_again_with_growing_pauses_and_then_final():
    ward = Ward()
    study = ward.orthanc.receive(film("one", ImageComments="fail"))
    worker = ward.worker()
    ward.settle(worker, rounds=8)
    record = ward.record(study)
    assert (record.state, record.code, record.attempts) == (State.FAILED, "unexpected-RuntimeError", 3)
    assert [event["wait"] for event in ward.events("try-again")] == [60, 120]
    assert worker.retry(study)
    worker.drain()
    assert ward.state(study) is State.WAITING and ward.record(study).attempts == 1


def test_a_study_that_kills_its_worker_each_time_is_given_up():
    ward = Ward(retries=RetrySettings(attempts=2, lease_s=10))
    study = ward.orthanc.receive(film("one"))
    ward.wait(QUIET_S + 1)
    ward.maker.during = lambda: (_ for _ in ()).throw(SystemExit)
    for _ in range(2):
        with pytest.raises(SystemExit):
            ward.worker().drain()
        ward.wait(11)
    ward.worker().drain()
    assert (ward.state(study), ward.record(study).code) == (State.FAILED, "worker-died")


def test_an_archive_that_is_full_gets_the_result_when_it_has_room():
    ward = Ward()
    study = ward.orthanc.receive(film("one"))
    ward.orthanc.fault = lambda method, path: 507 if (method, path) == ("POST", "/instances") else 0
    worker = ward.worker()
    ward.settle(worker)
    assert ward.record(study).code == "archive-full" and not ward.results(study)
    ward.orthanc.fault = lambda method, path: 0
    ward.settle(worker, 700)
    ward.check_answered_once(study)


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


# What a new result does with the one before.


@pytest.mark.parametrize("policy", ["keep", "reject", "delete"])
def test_a_new_result_says_which_one_it_replaces(policy):
    ward = Ward(answers=AnswerSettings(replaced=policy))
    study = answered(ward)
    first = ward.results(study)
    ward.orthanc.receive(report("one"))
    ward.settle(ward.worker(), rounds=2)
    now = ward.results(study)
    assert ward.state(study) is State.DONE and len(set(now) - set(first)) == 2
    assert (set(first) <= set(now)) is (policy != "delete")
    notes = [held.header for held in ward.orthanc.of_study(study) if held.header.Modality == "KO"]
    assert len(notes) == (1 if policy == "reject" else 0)
    if notes:
        named = [item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in notes[0].ContentSequence[1:]]
        assert sorted(named) == first and notes[0].SOPInstanceUID in ward.taken
    ward.settle(ward.worker(), rounds=2)
    assert ward.maker.made == 2  # neither the note nor the report is a source


@pytest.mark.parametrize("policy", ["keep", "reject", "delete"])
def test_a_result_whose_film_is_rejected_is_replaced_by_a_refusal(policy):
    ward = Ward(answers=AnswerSettings(replaced=policy))
    study = answered(ward)
    ward.orthanc.receive(rejection("one"))
    ward.settle(ward.worker(), rounds=2)
    assert ward.state(study) is State.REFUSED
    assert len(ward.results(study)) == (0 if policy == "delete" else 2)


# Orthanc itself.


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
    archive = Archive(ward.settings.orthanc, ward.orthanc.transport)
    assert check_archive(archive, ward.settings)["destinations"] == ["PACS"]
    with pytest.raises(UsageError, match="DicomModalities"):
        check_archive(archive, replace(ward.settings, destinations=(Destination("NOWHERE"),)))
    monkeypatch.setattr(Archive, "system", lambda self: {"CheckRevisions": False})
    with pytest.raises(UsageError, match="CheckRevisions"):
        check_archive(archive, ward.settings)


def test_a_state_stays_below_a_kilobyte_and_holds_no_patient():
    ward = Ward(destinations=tuple(Destination(f"DESTINATION_NUMBER_{n}_LONG") for n in range(6)))
    study = answered(ward)
    written = ward.orthanc.metadata[study]["4001"]
    assert len(written.encode()) <= MOST_BYTES
    for planted in ("Planted", "P-one", "ACCP-one"):
        assert planted not in written and planted not in ward.log.getvalue()
    assert planted not in json.dumps(list(ward.orthanc.attachments.values()), default=bytes.decode)
    long = Record(State.STORED, "f" * 32, "i" * 16, "v" * 120, "w" * 40, 1.8e9, 3, 3, 1.8e9, True, "c" * 48, "ä" * 3000)
    full = replace(
        long, trouble="t" * 80, sent={f"DESTINATION_NUMBER_{n}_LO": 9999 for n in range(6)}, began=1.8e9, ended=1.8e9
    )
    assert len(full.encode()) <= MOST_BYTES and Record.decode(full.encode()).state is State.STORED


def test_the_log_and_the_audit_trail_name_no_patient_even_where_everything_fails():
    ward = Ward(answers=AnswerSettings(refusals="report"), orthanc=OrthancSettings(url="http://orthanc"))
    ward.orthanc.receive(film("one", ImageComments="fail"))
    ward.orthanc.receive(film("two", ImagerPixelSpacing=None))
    ward.settle(ward.worker(), rounds=8)
    text = ward.log.getvalue()
    assert "unexpected-RuntimeError" in text and '"audit"' in text
    assert "Planted" not in text and "P-one" not in text and "P-two" not in text
