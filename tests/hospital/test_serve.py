"""``xray2mri serve`` as a process beside a real Orthanc (``helpers/serve_session.py``), and its usage errors."""

from __future__ import annotations

import pytest

from monai_xray2mri.cli import main
from tests.helpers.dicom_objects import played_with_orthanc


@pytest.fixture(scope="module")
def found() -> dict[str, object]:
    return played_with_orthanc("serve_session.py", timeout=600)


def test_a_check_tells_what_it_would_work_with(found):
    check = found["check"]
    assert (check["code"], check["title"], check["destinations"], check["system"]) == (0, "ORTHANC", ["PACS"], "film")


def test_sigterm_gives_the_study_back_within_ten_seconds(found):
    assert found["term"] == {"code": 0, "in_time": True, "state": "waiting", "attempts": 0} and found["given_back"]
    assert found["idle"] == {"code": 0, "in_time": True}


def test_a_killed_worker_leaves_a_claim_no_process_and_a_folder_that_the_next_one_removes(found):
    assert found["kill"] == {"state": "claimed", "alive": 0}
    assert (found["scratch"], found["scratch_later"]) == (1, 0)


def test_the_next_worker_answers_everything(found):
    assert found["states"] == ["done", "refused"] and found["equal"] and found["once"] == 0
    assert found["page"] == {"codes": [200, 200, 200], "done": True}


def test_log_and_audit_trail_name_nobody(found):
    assert found["named"] == [] and {"110100", "110103", "110104"} <= set(found["audited"])


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["serve"], "studies.since"),
        (["serve", "--since", "2026-12-01"], "orthanc.url"),
        (["serve", "--orthanc", "ftp://x", "--since", "2026-12-01"], "orthanc.url"),
        (["serve", "--settings", "/nowhere.toml"], "settings file"),
        (["serve", "--settings", "AUDIT", "--check"], "log.audit_file"),
    ],
)
def test_what_is_missing_is_named_at_once(arguments, said, capsys, tmp_path):
    audit = tmp_path / "audit.toml"
    audit.write_text(
        '[orthanc]\nurl = "http://127.0.0.1:9"\n[studies]\nsince = 2026-12-01\n[log]\naudit_file = "/no/where"\n'
    )
    assert main([str(audit) if argument == "AUDIT" else argument for argument in arguments]) == 2
    assert said in capsys.readouterr().err
