"""Studies that are deleted or grow while they are worked on."""

from __future__ import annotations

import pytest

from monai_xray2mri.hospital.settings import (
    AnswerSettings,
)
from tests.helpers.hospital_system import film
from tests.helpers.ward import QUIET_S, Ward, answered


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
