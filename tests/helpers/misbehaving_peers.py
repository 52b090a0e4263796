"""What a real Orthanc talks to and misbehaves: a DICOMweb server, and a worker that is killed after a write.

The storage SCP that misbehaves is the soak's (``hospital/soak/peer.py``).
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import httpx
from pydicom import dcmread

from tests.helpers.tap import Killed

WEB_PEER_PORT = 11113


class KillingTransport(httpx.HTTPTransport):
    """Kills the worker after a write."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.left = number

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        self.left -= request.method != "GET" and "find" not in str(request.url)
        if self.left < 0:
            answer.read()
            raise Killed
        return answer


class WebPeer(ThreadingHTTPServer):
    """A DICOMweb server that answers each STOW-RS request as it is told: an HTTP status, or a failure reason."""

    def __init__(self, answers: list[int]) -> None:
        self.answers, self.asked = answers, 0
        super().__init__(("127.0.0.1", WEB_PEER_PORT), WebPeerHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class WebPeerHandler(BaseHTTPRequestHandler):
    server: WebPeer
    protocol_version = "HTTP/1.1"  # Orthanc sends in chunks

    def do_POST(self) -> None:
        body = self._body()
        answer = self.server.answers[self.server.asked] if self.server.asked < len(self.server.answers) else 0
        self.server.asked += 1
        header = dcmread(BytesIO(body[body.index(b"\r\n\r\n") + 4 :]), stop_before_pixels=True)
        item = {
            "00081150": {"vr": "UI", "Value": [str(header.SOPClassUID)]},
            "00081155": {"vr": "UI", "Value": [str(header.SOPInstanceUID)]},
        }
        if answer and answer < 600:
            self.send_error(answer)
            self.close_connection = True
            return
        failed = {"00081198": {"vr": "SQ", "Value": [{**item, "00081197": {"vr": "US", "Value": [answer]}}]}}
        taken = {"00081199": {"vr": "SQ", "Value": [item]}}
        content = json.dumps(failed if answer else taken).encode()
        self.send_response(202 if answer else 200)
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _body(self) -> bytes:
        if "Content-Length" in self.headers:
            return self.rfile.read(int(self.headers["Content-Length"]))
        parts = list[bytes]()
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def log_message(self, *arguments: object) -> None:
        pass
