"""The worker between real Orthancs, and with a peer that misbehaves (``helpers/hospital_session.py``)."""

from __future__ import annotations

import pytest

from tests.helpers.dicom_objects import played_with_orthanc


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, object]]:
    """What each scene found; all of them are played once, which takes some minutes."""
    return played_with_orthanc("hospital_session.py")


def test_twenty_workers_that_claim_at_once_are_one(found):
    assert found["parallel_claims"] == {"won": 1, "conflicts": 19, "chain": True}
    assert found["check"] == {"orthanc": found["check"]["orthanc"], "title": "ORTHANC", "destinations": ["PACS"]}


def test_a_film_comes_back_to_the_pacs_as_slices_byte_by_byte(found):
    assert found["round_trip"] == {"state": "done", "slices": 2, "equal": True}


def test_films_of_all_kinds_are_read_alike_and_come_back(found):
    kinds = found["films_of_all_kinds"]
    assert len(kinds["kinds"]) == 9 and kinds["not done"] == [] and kinds["equal"]
    assert kinds["pixels"] == [9, 1]  # nine films that show the same


def test_a_study_that_never_became_an_event_is_answered(found):
    assert found["killed_orthanc"] == {"state": "done", "sent": 2}


def test_a_study_is_answered_although_orthanc_was_killed_while_it_was_made(found):
    assert found["orthanc_is_killed_while_the_worker_works"] == {"state": "done", "sent": 2}


def test_three_workers_make_each_result_once(found):
    assert found["two_workers"] == {"states": ["done"] * 6, "made": 6}


def test_refusals_aborts_and_slowness_of_a_peer_end_with_every_instance_there(found):
    answer = found["misbehaving_peer"]
    assert (answer["state"], answer["taken"], answer["twice"]) == ("done", 2, 0)
    assert answer["codes"][:2] == ["dimse-A700", "dimse-0124"] and len(answer["codes"]) == 4


def test_a_dead_peer_is_named_and_gets_everything_when_it_lives(found):
    assert found["dead_peer"] == {"state": "done", "taken": 2, "trouble": "PEER peer-unreachable"}


@pytest.fixture
def web(found: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    if "missing" in found["dicomweb"]:
        pytest.skip("orthanc-dicomweb (Debian package) is not installed")
    return found


def test_films_come_and_results_go_by_dicomweb(web):
    assert web["dicomweb"] == {"checked": ["WEB PACS"], "state": "done", "equal": True, "slices": 2}


def test_a_dicomweb_server_that_is_away_or_refuses_gets_every_instance_later(web):
    answer = web["misbehaving_web_peer"]
    assert (answer["state"], answer["asked"]) == ("done", 4)  # 503, a refusal, then two slices
    assert len(answer["codes"]) >= 3 and set(answer["codes"]) == {"web-server-failed"}  # away at least once


def test_the_pacs_commits_to_keep_the_result(found):
    assert found["commitment"] == {"state": "done", "commitments": {"PACS": "ok"}}


def test_a_refusal_a_report_and_a_late_film_each_get_their_answer(found):
    answer = found["refusal_and_report"]
    assert answer["states"] == ["refused", "done", "done"]
    assert (answer["reports"], answer["slices"], answer["notes"]) == (1, 2, 2)


def test_a_deleted_study_stays_deleted(found):
    assert found["deletion"] == {"deleted": [200], "there": 404}


def test_copies_and_own_results_are_no_work(found):
    assert found["copies_and_own_results"] == {"made": 0, "state": "done"}


def test_a_worker_killed_at_any_write_loses_and_doubles_nothing(found):
    assert found["killed_worker"]["wrong"] == [] and found["killed_worker"]["kills"] >= 10
