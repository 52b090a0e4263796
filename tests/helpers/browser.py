"""A browser that a test clicks in: Chromium by its WebDriver (https://www.w3.org/TR/webdriver2/)."""

from __future__ import annotations

import base64
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.helpers.dicom_objects import program

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
_PATIENCE_S = 60.0


class Browser:
    """One window."""

    def __init__(self, client: httpx.Client, session: str) -> None:
        self._client, self._path = client, f"/session/{session}"

    def open(self, address: str) -> None:
        self._do("POST", "/url", url=address)

    def texts(self, selector: str) -> list[str]:
        """What the elements of a CSS selector show, all at one moment: the page draws its rows again and again."""
        script = "return Array.from(document.querySelectorAll(arguments[0])).map((element) => element.innerText)"
        return [str(text) for text in self._do("POST", "/execute/sync", script=script, args=[selector])]

    def click(self, selector: str) -> None:
        end = time.monotonic() + _PATIENCE_S
        while True:
            try:
                self._do("POST", f"/element/{self._find(selector)}/click")
                return
            except AssertionError as error:
                if "stale" not in str(error) or time.monotonic() > end:
                    raise

    def type(self, selector: str, text: str) -> None:
        self._do("POST", f"/element/{self._find(selector)}/clear")
        self._do("POST", f"/element/{self._find(selector)}/value", text=text)

    def until(self, selector: str, wanted: str) -> None:
        """Wait until an element shows a text."""
        end = time.monotonic() + _PATIENCE_S
        while not any(wanted in text for text in self.texts(selector)):
            assert time.monotonic() < end, (selector, wanted, self.texts(selector))
            time.sleep(0.1)

    def picture(self, file: Path) -> None:
        file.write_bytes(base64.b64decode(self._do("GET", "/screenshot")))

    def close(self) -> None:
        self._client.delete(self._path)

    def _find(self, selector: str) -> str:
        return str(self._do("POST", "/element", using="css selector", value=selector)[_ELEMENT])

    def _do(self, method: str, path: str, **content: object) -> Any:
        answer = self._client.request(method, self._path + path, json=content if method == "POST" else None).json()
        assert not (isinstance(answer["value"], dict) and "error" in answer["value"]), answer["value"]
        return answer["value"]


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A window of 1200 x 700 pixels.

    Args:
        folder: for the browser's profile.
    """
    program("chromium", "chromium")
    driver = program("chromedriver", "chromium-driver")
    process = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = next(line.rpartition(" ")[2].strip(" .\n") for line in process.stdout if "successfully on port" in line)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=_PATIENCE_S) as client:
            arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,700"]
            options = {"args": [*arguments, f"--user-data-dir={folder}"]}
            wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
            session = client.post("/session", json=wanted).json()["value"]
            window = Browser(client, session["sessionId"])
            try:
                yield window
            finally:
                window.close()
    finally:
        process.kill()
        process.wait()
