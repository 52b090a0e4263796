"""The worker between real Orthancs, and with a peer that misbehaves (``helpers/hospital_session.py``)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.dicom_objects import program


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, object]]:
    """What each scene found; all of them are played once, which takes some minutes."""
    program("Orthanc", "orthanc")
    namespace = [program("unshare", "util-linux"), "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no network namespace, without which Orthanc would listen to everyone")
    root = Path(__file__).parents[2]
    command = [*namespace, sys.executable, str(root / "tests" / "helpers" / "hospital_session.py")]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=900, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, dict[str, object]] = json.loads(done.stdout)
    return answer


def test_twenty_workers_that_claim_at_once_are_one(found):
    assert found["parallel_claims"] == {"won": 1, "conflicts": 19, "chain": True}
    assert found["check"] == {"orthanc": found["check"]["orthanc"], "title": "ORTHANC", "destinations": ["PACS"]}


def test_a_film_comes_back_to_the_pacs_as_slices_byte_by_byte(found):
    assert found["round_trip"] == {"state": "done", "slices": 2, "equal": True}


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
    assert found["deletion"] == {"there": 404}


def test_copies_and_own_results_are_no_work(found):
    assert found["copies_and_own_results"] == {"made": 0, "state": "done"}


def test_a_worker_killed_at_any_write_loses_and_doubles_nothing(found):
    assert found["killed_worker"]["wrong"] == [] and found["killed_worker"]["kills"] >= 10
