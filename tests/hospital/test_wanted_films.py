"""Which films are worked on, and what is no source: copies, own results, the same film again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from monai_xray2mri.hospital.record import State
from monai_xray2mri.hospital.settings import (
    AnswerSettings,
)
from tests.helpers.hospital_system import film, report
from tests.helpers.ward import Ward, answered, studies


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
