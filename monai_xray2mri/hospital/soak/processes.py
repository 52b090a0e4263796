"""The processes of a soak: an Orthanc and workers that can be killed and started again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.optional import optional_library
from monai_xray2mri.runtime.processes import children_of, resident_gigabytes

_PATIENCE_S: Final = 60.0


class OrthancProcess:
    """An Orthanc of its own, for loopback: run it in a network namespace, for it listens to every address.

    Args:
        folder: for its configuration, log and storage.
        title: its AE title and name.
        http: port of its REST interface.
        dicom: port of its DICOM server.
        modalities: that it may send to: ``{"PACS": ["PACS", "127.0.0.1", 11112]}``.
        storage: folder of its files; None: below ``folder``.
        own_clock: whether it gets a clock that :meth:`set_clock` can set, which Debian's libfaketime makes.
        options: of its configuration, in place of the usual ones.

    Attributes:
        has_own_clock: whether it has such a clock: not where the library is not installed.

    Raises:
        UsageError: the program is not installed, or does not answer.
    """

    def __init__(
        self,
        folder: Path,
        title: str,
        http: int,
        dicom: int,
        modalities: Mapping[str, Sequence[object]],
        storage: Path | None = None,
        own_clock: bool = False,
        options: Mapping[str, object] | None = None,
    ) -> None:
        self.title, self.http, self.dicom = title, http, dicom
        self.url = f"http://127.0.0.1:{http}"
        storage = storage or folder / title
        storage.mkdir(exist_ok=True)
        configuration = {
            "Name": title,
            "StorageDirectory": str(storage),
            "IndexDirectory": str(storage),
            "Plugins": [],
            "HttpPort": http,
            "DicomPort": dicom,
            "DicomAet": title,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "CheckRevisions": True,
            "StableAge": 4,
            "DicomAlwaysAllowStore": True,
            "DicomModalities": {name: list(place) for name, place in modalities.items()},
            "DicomScuTimeout": 5,
            **(options or {}),
        }
        self._configuration, self._log = folder / f"{title}.json", folder / f"{title}.log"
        self._configuration.write_text(json.dumps(configuration))
        self._httpx = optional_library("httpx", "hospital")
        self.client = self._httpx.Client(base_url=self.url, timeout=_PATIENCE_S, trust_env=False)
        self._process: subprocess.Popen[bytes] | None = None
        library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None) if own_clock else None
        self._clock, self._environment = folder / f"{title}.clock", dict(os.environ)
        self.has_own_clock = library is not None
        if library is not None:
            self.set_clock(0)
            self._environment |= {
                "LD_PRELOAD": str(library),
                "FAKETIME_TIMESTAMP_FILE": str(self._clock),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # with it, Orthanc's threads spin after the clock was set back
            }
        self.start()

    def set_clock(self, seconds: float) -> None:
        """Let its clock be wrong by so many seconds from now on, where it has one of its own."""
        if self.has_own_clock:
            self._clock.write_text(f"{seconds:+.0f}\n")

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self._log.open("ab") as log:
            try:
                self._process = subprocess.Popen(
                    ["Orthanc", str(self._configuration)], stdout=log, stderr=log, env=self._environment
                )
            except FileNotFoundError:
                raise UsageError(
                    "Orthanc", "must be installed", "no such program", "apt-get install orthanc."
                ) from None
        end = time.monotonic() + _PATIENCE_S
        while True:
            try:
                self.client.get("/system")
                return
            except self._httpx.HTTPError as error:
                if time.monotonic() > end or self._process.poll() is not None:
                    raise UsageError("Orthanc", "must start", "it does not answer", f"See {self._log.name}.") from error
                time.sleep(0.05)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def ask(self, path: str) -> Any:
        """An answer of the REST interface; None where Orthanc knows nothing of it."""
        answer = self.client.get(path)
        return answer.json() if answer.status_code == 200 else None

    def instances(self, study: str) -> list[dict[str, Any]]:
        """Every instance of a study with its attributes."""
        return list(self.ask(f"/studies/{study}/instances?requestedTags=Modality") or [])


class WorkerProcess:
    """``xray2mri serve`` as a process of its own, which may be killed at a moment of its log.

    Args:
        settings: TOML file.
        log: file that its lines are appended to.
        environment: of the process.
        flags: further arguments.

    Attributes:
        kill_at: events at which it is killed, one after the other, each when the log next has it.
        killed: is told the event and the study.
    """

    def __init__(
        self, settings: Path, log: Path, environment: Mapping[str, str] | None = None, flags: Sequence[str] = ()
    ) -> None:
        self._command = [sys.executable, "-m", "monai_xray2mri.cli", "serve", "--settings", str(settings), *flags]
        self._log, self._environment = log, {**os.environ, **(environment or {})}
        self.kill_at: list[str] = []
        self.killed: Callable[[str, str], object] = lambda event, study: None
        self.process: subprocess.Popen[str] | None = None
        self.start()

    def start(self) -> None:
        """Start it."""
        self.process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=self._environment
        )
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()

    def revive(self) -> bool:
        """Start it again if it has ended; returns whether it had."""
        if self.process is not None and self.process.poll() is None:
            return False
        self.start()
        return True

    def end(self, number: int) -> tuple[int, float]:
        """Send a signal; returns the exit code and the seconds that its end took."""
        assert self.process is not None
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60), time.monotonic() - began

    def memory_mb(self) -> float:
        """Resident memory of the worker and its child in MB."""
        assert self.process is not None
        processes = (self.process.pid, *children_of(self.process.pid))
        return 1000 * sum(resident_gigabytes(one) for one in processes)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            with self._log.open("a") as log:
                log.write(line)
            event = next((one for one in self.kill_at if f'"event": "{one}"' in line), "")
            if event and process.poll() is None:
                self.kill_at.remove(event)
                process.kill()
                process.wait()
                self.killed(event, json.loads(line).get("study", ""))
