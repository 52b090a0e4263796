"""Keeps libraries from saying what they read: warnings and log lines of pydicom and highdicom quote values of patients.

Pillow logs every EXIF value, such as place and owner of a photograph, at the level DEBUG.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

_TALKERS: Final = ("pydicom", "highdicom", "highdicom.base", "PIL")
_IGNORE_ALL: Final = ("ignore", None, Warning, None, 0)


class _Silence:
    """The blocks of all threads that are quiet now: the first one silences the loggers, the last one restores them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks, self._known = 0, -1
        self._before: dict[logging.Logger, bool] = {}

    def enter(self) -> None:
        """Silence what is not silent yet; a logger that was made since is found by their number."""
        with self._lock:
            self._blocks += 1
            if len(logging.root.manager.loggerDict) == self._known:
                return
            for name in {*_TALKERS, *logging.root.manager.loggerDict}:  # children speak although a logger is disabled
                if name.partition(".")[0] in _TALKERS:
                    logger = logging.getLogger(name)
                    self._before.setdefault(logger, logger.disabled)
                    logger.disabled = True
            self._known = len(logging.root.manager.loggerDict)

    def leave(self) -> None:
        """Restore the loggers, if no other block is left."""
        with self._lock:
            self._blocks -= 1
            if not self._blocks:
                for logger, disabled in self._before.items():
                    logger.disabled = disabled
                self._before, self._known = {}, -1


_SILENCE: Final = _Silence()


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings, and no log lines of these libraries, while the block runs; may be nested, which costs little."""
    with ExitStack() as left:
        if warnings.filters[:1] != [_IGNORE_ALL]:
            left.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
        _SILENCE.enter()
        left.callback(_SILENCE.leave)
        yield
