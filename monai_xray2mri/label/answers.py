"""Errors of this package as HTTP answers of MONAI Label: a status and the reason, for the person at the viewer."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from monai_xray2mri.errors import InputRefused, OutOfMemory, UsageError, Xray2MRIError, describe_unexpected

logger = logging.getLogger(__name__)

STATUS: tuple[tuple[type[Xray2MRIError], int], ...] = (
    (InputRefused, 422),
    (UsageError, 400),
    (OutOfMemory, 503),
)
"""HTTP status of each kind of error; any other is 500."""


class UnknownName(UsageError):
    """A request names an image or a model that is not there."""


def status_of(error: BaseException) -> int:
    """HTTP status of an error: 400 for what the request says, 404 for what is not there, 422 for a refused image."""
    if isinstance(error, UnknownName):
        return 404
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


@contextmanager
def answered() -> Iterator[None]:
    """Turn errors into HTTP answers inside a MONAI Label server; elsewhere they stay what they are.

    MONAI Label itself answers every error with "Internal Server Error" and no reason.
    """
    if "monailabel" not in sys.modules:
        yield
        return
    from fastapi import HTTPException

    try:
        yield
    except HTTPException:
        raise
    except Xray2MRIError as error:
        logger.warning("Refused: %s", error)
        raise HTTPException(status_of(error), detail=str(error)) from error
    except Exception as error:  # its text may quote the input
        reason = describe_unexpected(error)
        logger.error("Failed: %s", reason)
        raise HTTPException(500, detail=reason) from error
