"""Errors of this package as HTTP answers of MONAI Label: a status and the reason, for the person at the viewer."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from monai_xray2mri.errors import (
    InputRefused,
    OutOfMemory,
    UnknownName,
    UsageError,
    Xray2MRIError,
    describe_unexpected,
)

if TYPE_CHECKING:
    from fastapi import FastAPI, Request
    from fastapi.responses import JSONResponse

logger = logging.getLogger(__name__)

STATUS: tuple[tuple[type[Xray2MRIError], int], ...] = (
    (InputRefused, 422),
    (UnknownName, 404),
    (UsageError, 400),
    (OutOfMemory, 503),
)
"""HTTP status of each kind of error, special kinds first; any other is 500."""


def status_of(error: BaseException) -> int:
    """HTTP status of an error: 400 for what the request says, 404 for what is not there, 422 for a refused image."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def answer_errors(server: FastAPI) -> None:
    """Let a server answer this package's errors with status and reason, in whichever app of MONAI Label they arise.

    MONAI Label itself answers every error with "Internal Server Error" and no reason.

    Args:
        server: before its first request; what handles errors is fixed then.
    """
    server.add_exception_handler(Xray2MRIError, _answer)


def _answer(_: Request, error: Any) -> JSONResponse:
    from fastapi.responses import JSONResponse

    logger.warning("Refused: %s", error)
    return JSONResponse({"detail": str(error)}, status_of(error))


@contextmanager
def hide_texts() -> Iterator[None]:
    """Answer unforeseen errors with kind and place alone: their texts, which a log would show, may quote the input.

    Raises:
        HTTPException: instead of an unforeseen error.
    """
    from fastapi import HTTPException

    try:
        yield
    except (HTTPException, Xray2MRIError):
        raise
    except Exception as error:
        reason = describe_unexpected(error)
        logger.error("Failed: %s", reason)
        raise HTTPException(500, detail=reason) from error
