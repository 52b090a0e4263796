"""Refusals, and what a new answer does with the one before."""

from __future__ import annotations

import pytest

from monai_xray2mri.hospital.record import State
from monai_xray2mri.hospital.settings import (
    AnswerSettings,
)
from tests.helpers.hospital_system import film, rejection, report
from tests.helpers.ward import Ward, answered


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
