"""Keeps pydicom and highdicom from saying what they read: their warnings and log lines quote values of patients."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_TALKERS = ("pydicom", "highdicom", "highdicom.base")


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings, and no log lines of the DICOM libraries, while the block runs; may be nested."""
    known = {*_TALKERS, *logging.root.manager.loggerDict}  # a logger's children speak although it is disabled
    loggers = [logging.getLogger(name) for name in known if name.partition(".")[0] in _TALKERS]
    before = [logger.disabled for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for logger in loggers:
                logger.disabled = True
            yield
        finally:
            for logger, disabled in zip(loggers, before, strict=True):
                logger.disabled = disabled
