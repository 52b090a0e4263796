"""The local server of a reading study: this machine alone can reach it, and it names no case."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from monai_xray2mri.errors import UsageError
from monai_xray2mri.systems.mri_xdiffusion.evaluation.read_test.page import STEPS, end_page, pair_page
from monai_xray2mri.systems.mri_xdiffusion.evaluation.read_test.pairs import PLANES, SIDES, Pair, section_png
from monai_xray2mri.systems.mri_xdiffusion.evaluation.read_test.scores import Answer, ScoreFile
from monai_xray2mri.types import Volume

HOST: Final = "127.0.0.1"
_LONGEST: Final = 16_384
"""Bytes of an answer at most."""


class ReadTestServer(HTTPServer):
    """Asks a reader one pair after the other, and ends with the last answer.

    Args:
        pairs: in the reader's order.
        reader: who reads.
        scores: where answers go; pairs that it has of this reader are not asked again.
        port: 0: any that is free.

    Raises:
        UsageError: the port is taken.
    """

    def __init__(self, pairs: Sequence[Pair], reader: str, scores: ScoreFile, port: int = 0) -> None:
        self.pairs, self.reader, self.scores = list(pairs), reader, scores
        self.token, self.since = secrets.token_urlsafe(16), time.monotonic()
        self.volume = lru_cache(maxsize=4)(self._volume)
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise UsageError("option port", "must be free", str(port)) from error

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.server_port}/"

    @property
    def next_pair(self) -> int | None:
        """Number of the first pair that is not answered; None: all are."""
        answered = self.scores.answered(self.reader)
        return next((number for number, pair in enumerate(self.pairs) if pair.case not in answered), None)

    def ask_all(self) -> None:
        """Serve until the last pair is answered and the reader has seen the end."""
        while self.next_pair is not None:
            self.handle_request()
        self.timeout = 5
        self.handle_request()  # the page that the last answer leads to

    def _volume(self, number: int, side: str) -> Volume:
        return self.pairs[number].volume(side)


class _Handler(BaseHTTPRequestHandler):
    server: ReadTestServer
    timeout = 10  # a browser may open a connection ahead and say nothing

    def do_GET(self) -> None:
        """The page of the next pair, or a picture."""
        parts = urlsplit(self.path)
        if not self._is_local() or parts.path not in ("/", "/picture"):
            self.send_error(HTTPStatus.NOT_FOUND)
        elif parts.path == "/":
            self._show()
        else:
            self._picture({name: values[0] for name, values in parse_qs(parts.query).items()})

    def do_POST(self) -> None:
        """An answer."""
        server, told = self.server, self.headers.get("Content-Length") or ""
        length = int(told) if told.isdecimal() else 0
        if not self._is_local() or self.path != "/answer" or not 0 < length <= _LONGEST:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        form = {name: values[0] for name, values in parse_qs(self.rfile.read(length).decode(errors="replace")).items()}
        number = server.next_pair
        if form.get("token") != server.token:
            self.send_error(HTTPStatus.FORBIDDEN)
        elif number is None or form.get("pair") != str(number):  # sent twice
            self._go_on()
        else:
            try:
                answer = Answer.parse(form, time.monotonic() - server.since)
            except UsageError as error:
                self._show(str(error))
                return
            server.scores.add(server.reader, server.pairs[number], answer)
            server.since = time.monotonic()
            self._go_on()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: requests tell where a reader looks."""

    def _is_local(self) -> bool:
        """Whether the browser asked for this very machine: a page elsewhere may have its name point here."""
        name = (self.headers.get("Host") or "").rpartition(":")[0]
        return name in (HOST, "localhost")

    def _show(self, message: str = "") -> None:
        server, number = self.server, self.server.next_pair
        total = len(server.pairs)
        text = end_page(total) if number is None else pair_page(number, total, server.reader, server.token, message)
        self._send(text.encode(), "text/html; charset=utf-8")

    def _picture(self, query: dict[str, str]) -> None:
        number, side, plane, at = (query.get(name, "") for name in ("pair", "side", "plane", "at"))
        known = number.isdecimal() and int(number) < len(self.server.pairs) and at.isdecimal() and int(at) < STEPS
        if not known or side not in SIDES or plane not in PLANES:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        volume = self.server.volume(int(number), side)
        self._send(section_png(volume, plane, (int(at) + 0.5) / STEPS), "image/png")

    def _go_on(self) -> None:
        self.send_response(HTTPStatus.SEE_OTHER)
        self.send_header("Location", "/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, content: bytes, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)
