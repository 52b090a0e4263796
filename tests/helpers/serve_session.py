"""``xray2mri serve`` as a hospital starts it, a process that is stopped and killed; for ``test_serve.py``.

It runs in a network namespace of its own, as ``hospital_session.py`` does, and prints what it found as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from monai_xray2mri.hospital.soak.judge import record_of
from monai_xray2mri.runtime.processes import children_of
from tests.helpers.hospital_system import film, install_film_system
from tests.helpers.orthanc_session import raise_loopback
from tests.helpers.real_orthanc import RealOrthanc

SETTINGS = """
[orthanc]
url = "http://127.0.0.1:18042"
[studies]
since = 2020-01-01
quiet_s = 1
poll_s = 0.2
[retries]
lease_s = 3
first_s = 1
[page]
port = 18080
[log]
audit_file = "{folder}/audit.jsonl"
[[destinations]]
name = "PACS"
"""


class Served:
    """A running ``xray2mri serve``."""

    def __init__(self, folder: Path, bundle: Path, *flags: str) -> None:
        file = folder / "settings.toml"
        file.write_text(SETTINGS.format(folder=folder))
        self.log = folder / f"log {time.monotonic()}"
        command = [
            sys.executable,
            "-m",
            "monai_xray2mri.cli",
            "serve",
            "--settings",
            str(file),
            "--bundle",
            bundle,
            *flags,
        ]
        environment = {**os.environ, "XRAY2MRI_PAGE_TOKEN": "t0ken", "TMPDIR": str(folder)}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self.log.open("w"), text=True, env=environment
        )

    def until(self, event: str, patience: float = 120) -> dict[str, object]:
        """Wait for an event in the log."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            for line in self.log.read_text().splitlines():
                if line.startswith("{") and json.loads(line).get("event") == event:
                    return dict(json.loads(line))
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"no event {event}:\n{self.log.read_text()[-2000:]}")

    def end(self, number: int) -> tuple[int, float]:
        """Send a signal; returns the exit code and the seconds until the end."""
        began = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(60)
        return code, time.monotonic() - began


def until(orthanc: RealOrthanc, study: str, *states: str, patience: float = 90) -> str:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found = record_of(orthanc, study)
        if found is not None and found.state in states:
            return found.state.value
        time.sleep(0.1)
    return f"never: {record_of(orthanc, study)}"


def main() -> None:
    raise_loopback()
    found: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        site, bundle = install_film_system(folder)
        os.environ["PYTHONPATH"] = f"{site}:{os.environ['PYTHONPATH']}"
        orthanc = RealOrthanc(folder, "ORTHANC", 18042, 14242, {"PACS": ["PACS", "127.0.0.1", 14243]})
        pacs = RealOrthanc(folder, "PACS", 18043, 14243, {})
        try:
            check = Served(folder, bundle, "--check")
            out, _ = check.process.communicate(timeout=120)
            found["check"] = {"code": check.process.returncode, **json.loads(out)}

            served = Served(folder, bundle)
            served.until("started")
            study = orthanc.receive(film("slow", ImageComments="slow"))
            served.until("read")
            time.sleep(0.5)
            code, seconds = served.end(signal.SIGTERM)
            state = record_of(orthanc, study)
            found["term"] = {"code": code, "in_time": seconds < 10, "state": state.state, "attempts": state.attempts}
            found["given_back"] = served.until("given-back")["study"] == study

            served = Served(folder, bundle)
            served.until("read")
            time.sleep(0.5)
            children = children_of(served.process.pid)
            served.end(signal.SIGKILL)
            time.sleep(0.5)
            alive = [pid for pid in children if Path(f"/proc/{pid}").exists() and _status(pid) != "Z"]
            found["kill"] = {"state": record_of(orthanc, study).state, "alive": len(alive)}
            left = list(folder.glob("xray2mri-hospital-*/source"))
            found["scratch"] = len(left)

            orthanc.client.delete(f"/studies/{study}")
            study = orthanc.receive(film("quick"))
            refused = orthanc.receive(film("refused", ImagerPixelSpacing=None))
            served = Served(folder, bundle)
            served.until("started")
            found["scratch_later"] = sum(place.exists() for place in left)  # it may have begun a folder of its own
            found["states"] = [until(orthanc, one, "done", "refused", "failed") for one in (study, refused)]
            found["equal"] = orthanc.datasets(study) == pacs.datasets(study) != {}
            time.sleep(1)
            found["page"] = _page()
            code, seconds = served.end(signal.SIGTERM)
            found["idle"] = {"code": code, "in_time": seconds < 10}
            texts = "".join(file.read_text() for file in folder.glob("log *"))
            audit = (folder / "audit.jsonl").read_text()
            found["named"] = [word for word in ("Planted", "P-quick", "ACCP") if word in texts or word in audit]
            found["audited"] = sorted({json.loads(line)["audit"]["EventID"]["csd-code"] for line in audit.splitlines()})
            once = Served(folder, bundle, "--once")
            once.process.communicate(timeout=120)
            found["once"] = once.process.returncode
        finally:
            orthanc.kill()
            pacs.kill()
    print(json.dumps(found))


def _status(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def _page() -> dict[str, object]:
    """What the status page answers."""
    with httpx.Client(base_url="http://127.0.0.1:18080", trust_env=False) as client:
        health, ready, metrics = (client.get(path) for path in ("/healthz", "/readyz", "/metrics"))
        return {
            "codes": [health.status_code, ready.status_code, metrics.status_code],
            "done": 'outcome="done"} 1.0' in metrics.text,
        }


if __name__ == "__main__":
    main()
