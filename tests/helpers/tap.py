"""What carries a worker's requests to an Orthanc, real or in memory, with faults on demand."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import httpx

DOWN = 599
"""A fault: nobody answers."""


class Killed(BaseException):
    """The worker was killed at this very request; nothing of it runs on."""


class Tap(httpx.BaseTransport):
    """Carries requests.

    Attributes:
        requests: method and path of each so far.
        kill_at: number of a request, and whether the worker is killed before or after it.
        before: called before each.
        fault: status that is answered in place of Orthanc; 0: Orthanc answers.
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.kill_at: tuple[int, str] | None = None
        self.before: Callable[[str, str], None] = lambda method, path: None
        self.fault: Callable[[str, str], int] = lambda method, path: 0

    @abstractmethod
    def carry(self, request: httpx.Request) -> httpx.Response:
        """Orthanc's answer."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        path = request.url.raw_path.decode()
        number = len(self.requests)
        self.requests.append(f"{request.method} {path}")
        if self.kill_at == (number, "before"):
            raise Killed
        self.before(request.method, path)
        if status := self.fault(request.method, path):
            if status == DOWN:
                raise httpx.ConnectError("down", request=request)
            return httpx.Response(status, json={"Details": "disk full" if status == 507 else "fault"})
        answer = self.carry(request)
        if self.kill_at == (number, "after"):
            answer.read()
            raise Killed
        return answer
