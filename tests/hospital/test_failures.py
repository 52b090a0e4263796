"""Attempts that fail: pauses, the last one, and a full archive."""

from __future__ import annotations

import hashlib
from io import BytesIO

import pytest
from pydicom import dcmread

from monai_xray2mri.hospital.record import State
from monai_xray2mri.hospital.settings import AnswerSettings, RetrySettings
from tests.helpers.hospital_system import film
from tests.helpers.ward import QUIET_S, Ward


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


def test_a_full_disk_that_takes_small_files_for_stored_loses_no_answer():
    ward = Ward(answers=AnswerSettings(refusals="report"))
    study = ward.orthanc.receive(film("one", ImagerPixelSpacing=None))
    ward.orthanc.is_full = True
    worker = ward.worker()
    ward.settle(worker)
    assert ward.record(study).code == "archive-full" and not ward.results(study, "SR")
    ward.orthanc.is_full = False
    ward.settle(worker, 700)
    ward.orthanc.restart()
    (instance,) = ward.manifest(study).instances
    (stored,) = (held.content for held in ward.orthanc.of_study(study) if held.metadata["Origin"] == "RestApi")
    assert ward.state(study) is State.REFUSED and hashlib.md5(stored).hexdigest() == instance.digest
    assert dcmread(BytesIO(stored)).SOPInstanceUID == instance.uid
