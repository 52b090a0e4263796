"""The status page, its figures and its health, and that a retry needs the token."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from monai_xray2mri.hospital.board import Board
from monai_xray2mri.hospital.events import Events
from monai_xray2mri.hospital.metrics import Metrics
from monai_xray2mri.hospital.page import Served, StatusPage
from monai_xray2mri.hospital.record import State
from monai_xray2mri.hospital.settings import PageSettings
from tests.helpers.browser import browser
from tests.helpers.dicom_objects import program
from tests.helpers.hospital_system import film
from tests.helpers.ward import Ward


class Shown:
    """A ward with its page."""

    def __init__(self) -> None:
        self.ward = Ward()
        self.board = Board(lambda study, uid: f"http://viewer/{uid}")
        self.worker = self.ward.worker(board=self.board)
        self.events = Events()
        metrics = Metrics("1.0 film", lambda: 3.0, lambda: self.board.oldest_wait(self.ward.orthanc.time), lambda: True)
        self.worker._tell.add(metrics)
        self.healthy = True
        served = Served(
            self.board, metrics, self.worker._tell, lambda: self.healthy, lambda: True, self.worker.retry, "1.0", "w"
        )
        self.page = StatusPage(PageSettings(port=0, token="t0ken"), served)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.page.port}", trust_env=False)

    def retry(self, study: str, token: str = "t0ken", **headers: str) -> httpx.Response:
        return self.client.post(
            "/api/retry", json={"study": study}, headers={"Authorization": f"Bearer {token}", **headers}
        )


@pytest.fixture
def shown() -> Iterator[Shown]:
    shown = Shown()
    yield shown
    shown.client.close()
    shown.page.close()


def test_each_study_has_a_row_with_its_state_and_a_chest_has_none(shown):
    ward = shown.ward
    done = ward.orthanc.receive(film("done"))
    refused = ward.orthanc.receive(film("refused", ImagerPixelSpacing=None))
    ward.orthanc.receive(film("chest", BodyPartExamined="CHEST"))
    failing = ward.orthanc.receive(film("failing", ImageComments="fail"))
    ward.settle(shown.worker, rounds=2)
    waiting = ward.orthanc.receive(film("waiting"))
    shown.worker.drain()
    board = shown.client.get("/api/board").json()
    rows = {row["study"]: row for row in board["rows"]}
    assert {study: row["group"] for study, row in rows.items()} == {
        done: "done", refused: "refused", failing: "waiting", waiting: "waiting",
    }  # fmt: skip
    assert rows[refused]["code"] == "needs-a-pixel-spacing" and rows[failing]["attempts"] == 2
    assert rows[done]["instances"] == 2 and rows[done]["sent"] == [["PACS", 2]]
    assert rows[done]["link"].startswith("http://viewer/2.25.")
    assert board["counts"] == {"done": 1, "refused": 1, "waiting": 2}
    assert "Planted" not in json.dumps(board) and "P-done" not in json.dumps(board)


def test_a_retry_needs_the_token_and_a_study_that_ended_badly(shown):
    study = shown.ward.orthanc.receive(film("one", ImagerPixelSpacing=None))
    shown.ward.settle(shown.worker, rounds=2)
    assert shown.retry(study, "wrong").status_code == 401 and shown.retry(study, "x").status_code == 401
    assert shown.retry("../../instances").status_code == 404
    assert shown.client.post("/api/retry", content=b"x" * 2000).status_code == 413
    assert shown.ward.state(study) is State.REFUSED
    assert shown.retry(study).status_code == 202
    assert shown.ward.state(study) is State.WAITING
    assert shown.retry(study).status_code == 409
    assert shown.ward.events("retry-denied") and shown.ward.events("retry-asked")


def test_without_a_token_nobody_may_ask():
    board = Board()
    served = Served(board, None, Events(), bool, bool, lambda study: True, "", "")  # type: ignore[arg-type]
    page = StatusPage(PageSettings(port=0), served)
    answer = httpx.post(
        f"http://127.0.0.1:{page.port}/api/retry",
        json={"study": "x"},
        headers={"Authorization": "Bearer x"},
        trust_env=False,
    )
    page.close()
    assert answer.status_code == 401


def test_health_and_figures(shown):
    shown.ward.orthanc.receive(film("one"))
    shown.ward.settle(shown.worker, rounds=2)
    text = shown.client.get("/metrics").text
    for line in (
        'xray2mri_studies_total{outcome="done"} 1.0',
        "xray2mri_study_seconds_count 1.0",
        'xray2mri_deliveries_total{destination="PACS",outcome="delivered"} 1.0',
        "xray2mri_instances_stored_total 2.0",
        "xray2mri_waiting 3.0",
        'xray2mri_model_info{version="1.0 film"} 1.0',
    ):
        assert line in text
    assert [shown.client.get(path).status_code for path in ("/healthz", "/readyz", "/nothing")] == [200, 200, 404]
    shown.healthy = False
    assert shown.client.get("/healthz").status_code == 503


def test_the_page_fetches_nothing_and_a_strange_name_for_this_machine_is_refused(shown):
    answer = shown.client.get("/")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for path in ("/", "/page.js", "/page.css"):
        text = shown.client.get(path).text
        assert "http://" not in text and "https://" not in text
    assert shown.client.get("/api/board", headers={"Host": "evil.example"}).status_code == 421
    assert shown.client.get("/../settings.py").status_code == 404


def test_the_oldest_wait_grows_until_the_study_ends(shown):
    shown.ward.orthanc.receive(film("one"))
    shown.worker.drain()
    shown.ward.wait(30)
    assert 29 <= shown.board.oldest_wait(shown.ward.orthanc.time) <= 31
    shown.ward.settle(shown.worker, rounds=1)
    assert shown.board.oldest_wait(shown.ward.orthanc.time) == 0


def test_a_browser_shows_the_rows_with_reasons_and_buttons(shown, tmp_path):
    browser = program("chromium", "chromium")
    study = shown.ward.orthanc.receive(film("one", ImagerPixelSpacing=None))
    shown.ward.settle(shown.worker, rounds=2)
    command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"]
    command += ["--virtual-time-budget=4000", "--dump-dom", f"http://127.0.0.1:{shown.page.port}/"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert 'class="state refused">refused</td>' in done.stdout
    assert study[:8] in done.stdout and "needs a pixel spacing" in done.stdout
    assert done.stdout.count("<button>Try again</button>") == 1 and "refused 1" in done.stdout
    assert "Research only, not for clinical use" in done.stdout and "Orthanc answers" in done.stdout


def test_the_button_asks_for_the_token_and_tries_again(shown, tmp_path):
    study = shown.ward.orthanc.receive(film("one", ImagerPixelSpacing=None))
    shown.ward.settle(shown.worker, rounds=2)
    with browser(tmp_path / "profile") as window:
        window.open(f"http://127.0.0.1:{shown.page.port}/")
        window.until("td.state", "refused")
        window.click("#rows button")
        window.picture(tmp_path / "dialog.png")
        window.type("#token", "wrong")
        window.click("#send")
        window.until("#message", "token")
        assert shown.ward.state(study) is State.REFUSED
        window.picture(tmp_path / "denied.png")
        window.click("#rows button")
        window.type("#token", "t0ken")
        window.click("#send")
        window.until("td.state", "waiting")
        assert shown.ward.state(study) is State.WAITING and window.texts("#message") == [""]
        assert not window.texts("#rows button")  # a study that is on its way has none
        window.picture(tmp_path / "waiting.png")
    assert shown.ward.events("retry-denied") and shown.ward.events("retry-asked")
