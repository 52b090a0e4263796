"""MONAI Label servers of the tests: real ones, on loopback, with tiny networks."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.helpers.bundles import tiny_configuration, write_bundle

PATIENCE = 900  # seconds; a start imports much, and CI machines are slow and shared
STUBS = Path(__file__).parent / "stubs"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RunningServer:
    """A server process: where it answers and what it has logged."""

    def __init__(self, port: int, log: Path) -> None:
        self.url, self.log = f"http://127.0.0.1:{port}", log

    def get(self, path: str) -> Any:
        """JSON of an answer."""
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return json.load(answer)


@contextmanager
def running(app: Path, studies: Path, folder: Path, conf: Sequence[str], stub: bool = False) -> Iterator[RunningServer]:
    """A started server; it is stopped at the end. ``stub``: with an empty torchvision, where there is none."""
    port = free_port()
    server = RunningServer(port, folder / "server.log")
    paths = [str(STUBS)] if stub else []
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")]).strip(os.pathsep),
        "MONAI_LABEL_SESSION_PATH": str(folder / "sessions"),
        "PYTHONUNBUFFERED": "1",
    }
    pairs = [word for name, value in zip(conf[::2], conf[1::2], strict=True) for word in ("--conf", name, value)]
    command = [sys.executable, "-m", "monailabel.main", "start_server", "--app", app, "--studies", studies]
    with server.log.open("w") as log:
        process = subprocess.Popen(
            [*map(str, command), "--host", "127.0.0.1", "--port", str(port), *pairs],
            stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=folder,
        )  # fmt: skip
    try:
        _wait(server, process)
        yield server
    finally:
        process.terminate()
        process.wait(60)


def _wait(server: RunningServer, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        try:
            server.get("/info/")
            return
        except OSError:
            time.sleep(1)
    raise AssertionError(f"the server did not start:\n{server.log.read_text()[-3000:]}")


def tiny_copy(bundle: Path, folder: Path) -> Path:
    """A shipped bundle with a tiny network: 5 slices of 64 x 64 pixels, random weights."""
    config = tiny_configuration(bundle, five_slices=True)
    config["preprocessing"]["transforms"][1]["image_size"] = 64
    config["displayable_configs"]["slices"] = 5
    return write_bundle(folder, config, bundle)
