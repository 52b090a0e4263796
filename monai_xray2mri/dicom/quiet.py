"""Keeps libraries from saying what they read: warnings and log lines of pydicom and highdicom quote values of patients.

Pillow logs every EXIF value, such as place and owner of a photograph, at the level DEBUG.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_TALKERS = ("pydicom", "highdicom", "highdicom.base", "PIL")


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings, and no log lines of these libraries, while the block runs; may be nested."""
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
