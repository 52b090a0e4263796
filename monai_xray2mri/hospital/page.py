"""The status page: what waits, runs, is done, refused or failed; health for hosts, figures for Prometheus.

It serves the files beside this module and fetches nothing. Reading needs no login, so it listens to this machine alone
unless it is told otherwise; asking for another attempt needs the token.
"""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from monai_xray2mri.core.wording import SHORT_DISCLAIMER
from monai_xray2mri.errors import UsageError
from monai_xray2mri.hospital.board import Board
from monai_xray2mri.hospital.events import Events
from monai_xray2mri.hospital.metrics import Metrics
from monai_xray2mri.hospital.settings import PageSettings

_FOLDER: Final = Path(__file__).parent / "static"
_FILES: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_MOST_BYTES: Final = 1000
"""Of a request's body."""
_PATIENCE_S: Final = 10
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Served:
    """What the page shows and does.

    Attributes:
        board: its rows.
        metrics: its figures.
        events: who is told of what people ask for.
        healthy: whether the loop goes on.
        ready: whether Orthanc answered last.
        retry: asks for another attempt at a study; returns whether there is one.
        version: of software and weights.
        title: of the worker.
    """

    board: Board
    metrics: Metrics
    events: Events
    healthy: Callable[[], bool]
    ready: Callable[[], bool]
    retry: Callable[[str], bool]
    version: str
    title: str


class StatusPage:
    """A server in threads of its own; ``port`` is the one it listens on.

    Args:
        settings: where it listens, and the token.
        served: what it shows.

    Raises:
        UsageError: the address is taken, or none of this machine.
    """

    def __init__(self, settings: PageSettings, served: Served) -> None:
        handler = type("Handler", (_Handler,), {"settings": settings, "served": served})
        try:
            self._server = ThreadingHTTPServer((settings.host, settings.port), handler)
        except OSError as error:
            found = f"{settings.host}:{settings.port}, {error.strerror}"
            raise UsageError("setting page.port", "must be free", found, "Choose another port, or 0.") from error
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, name="page", daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    settings: PageSettings
    served: Served
    timeout = _PATIENCE_S
    server_version, sys_version = "xray2mri", ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if not self._is_addressed():
            self._answer(HTTPStatus.MISDIRECTED_REQUEST, b"another host")
        elif path in _FILES:
            name, kind = _FILES[path]
            self._answer(HTTPStatus.OK, (_FOLDER / name).read_bytes(), kind)
        elif path == "/api/board":
            self._json(HTTPStatus.OK, self._board())
        elif path == "/metrics":
            self._answer(HTTPStatus.OK, self.served.metrics.text(), "text/plain; version=0.0.4; charset=utf-8")
        elif path in ("/healthz", "/readyz"):
            well = self.served.healthy() if path == "/healthz" else self.served.ready()
            self._answer(HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE, b"ok\n" if well else b"no\n")
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"no such page")

    def do_POST(self) -> None:
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            length = -1
        if not 0 <= length <= _MOST_BYTES:
            self._json(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": "the request is too long"})
            return
        body = self.rfile.read(length)
        if self.path != "/api/retry" or not self._is_addressed():
            self._json(HTTPStatus.NOT_FOUND, {"error": "no such page"})
        elif not self._is_allowed():
            self.served.events("retry-denied")
            self._json(HTTPStatus.UNAUTHORIZED, {"error": "the token is wrong, or none is set"})
        else:
            self._retry(body)

    def _retry(self, body: bytes) -> None:
        try:
            study = str(json.loads(body)["study"])
        except (ValueError, KeyError, TypeError):
            self._json(HTTPStatus.BAD_REQUEST, {"error": 'must be {"study": "..."}'})
            return
        if study not in {row.study for row in self.served.board.rows()}:  # nothing else reaches Orthanc's address
            self._json(HTTPStatus.NOT_FOUND, {"error": "no such study"})
        elif self.served.retry(study):
            self._json(HTTPStatus.ACCEPTED, {"study": study})
        else:
            self._json(HTTPStatus.CONFLICT, {"error": "it was neither refused nor has it failed"})

    def _is_allowed(self) -> bool:
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        token = self.settings.token
        return bool(token) and hmac.compare_digest(given.encode(), token.encode())

    def _is_addressed(self) -> bool:
        """Whether the request names this machine: a page of a stranger that points its own name here does not."""
        if self.settings.host not in _LOOPBACK:
            return True
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        return host.strip("[]") in _LOOPBACK

    def _board(self) -> dict[str, Any]:
        served = self.served
        return {
            "title": served.title,
            "version": served.version,
            "disclaimer": SHORT_DISCLAIMER,
            "ready": served.ready(),
            "can_retry": bool(self.settings.token),
            "counts": served.board.counts(),
            "rows": [asdict(row) for row in served.board.rows()],
        }

    def _json(self, status: HTTPStatus, content: object) -> None:
        self._answer(status, json.dumps(content, ensure_ascii=False).encode(), "application/json; charset=utf-8")

    def _answer(self, status: HTTPStatus, content: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Type": kind, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *values: object) -> None:
        """Say nothing: who looks is no event, and addresses may hold what somebody typed."""
