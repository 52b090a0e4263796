"""Stores DICOM files in an Orthanc of its own and prints, as JSON, what it holds; for ``test_orthanc.py``.

Orthanc 1.10 listens on every address, so this script is started in a network namespace of its own (``unshare -n``),
whose only interface is loopback.
"""

from __future__ import annotations

import fcntl
import json
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

PORT = 18042
PATIENCE = 60  # seconds


def raise_loopback() -> None:
    """Switch the interface ``lo`` on (SIOCSIFFLAGS with IFF_UP)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8914, struct.pack("16sh14x", b"lo", 1))


def ask(path: str, content: bytes | None = None) -> bytes:
    """An answer of the REST interface."""
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}{path}", content, timeout=PATIENCE) as answer:
        return bytes(answer.read())


def wait_until_up() -> None:
    """Until the REST interface answers."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            ask("/system")
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def session(files: list[Path]) -> dict[str, object]:
    """Store the files; returns the answers and the series with what a viewer asks for."""
    stored = [json.loads(ask("/instances", file.read_bytes()))["Status"] for file in files]
    series = []
    for one in json.loads(ask("/series?expand")):
        modality, first = one["MainDicomTags"]["Modality"], one["Instances"][0]
        entry = {"modality": modality, "description": one["MainDicomTags"]["SeriesDescription"]}
        if modality in ("CR", "MR"):
            entry["preview"] = ask(f"/instances/{first}/preview")[:4].hex()
        if modality == "MR":
            order = json.loads(ask(f"/series/{one['ID']}/ordered-slices"))
            entry["type"] = order["Type"]
            tags = [json.loads(ask(f"/instances/{name}/simplified-tags")) for name, *_ in order["SlicesShort"]]
            entry["order"] = [int(tag["InstanceNumber"]) for tag in tags]
        if modality == "DOC":
            entry["pdf"] = ask(f"/instances/{first}/pdf").rstrip(b"\0").hex()
        series.append(entry)
    return {"stored": stored, "series": series, "patients": len(json.loads(ask("/patients")))}


def main(program: str, folder: str) -> None:
    """Run Orthanc over a session and end it."""
    raise_loopback()
    with tempfile.TemporaryDirectory() as scratch:
        storage = str(Path(scratch) / "storage")
        options = {
            "StorageDirectory": storage,
            "IndexDirectory": storage,
            "Plugins": [],
            "HttpPort": PORT,
            "DicomServerEnabled": False,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
        }
        configuration = Path(scratch) / "orthanc.json"
        configuration.write_text(json.dumps(options))
        server = subprocess.Popen([program, str(configuration)], stdout=sys.stderr, stderr=sys.stderr)
        try:
            wait_until_up()
            print(json.dumps(session(sorted(Path(folder).rglob("*.dcm")))))
        finally:
            server.kill()  # it takes seconds to stop by itself, and nothing of it is kept
            server.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
