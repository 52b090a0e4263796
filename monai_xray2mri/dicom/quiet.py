"""Keeps libraries from saying what they read: warnings and log lines of pydicom and highdicom quote values of patients.

Pillow logs every EXIF value, such as place and owner of a photograph, at the level DEBUG.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_TALKERS = ("pydicom", "highdicom", "highdicom.base", "PIL")
_found: tuple[int, list[logging.Logger]] = (-1, [])
"""Number of all loggers when those of these libraries were last looked for, and what was found."""


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings, and no log lines of these libraries, while the block runs; may be nested."""
    loggers = _talkers()
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


def _talkers() -> list[logging.Logger]:
    """The loggers of these libraries, children included: they speak although their parent is disabled.

    Loggers are made and never removed, so the list is made again only when there are more of them: a program with the
    loggers of many libraries enters :func:`quiet` a hundred times for one DICOM object.
    """
    global _found
    known = logging.root.manager.loggerDict
    if _found[0] != len(known):
        names = {*_TALKERS, *(name for name in list(known) if name.partition(".")[0] in _TALKERS)}
        loggers = [logging.getLogger(name) for name in sorted(names)]
        _found = (len(known), loggers)
    return _found[1]
