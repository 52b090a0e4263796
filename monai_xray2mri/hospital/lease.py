"""The right to work on a study: taken by compare-and-swap, renewed while its worker lives, lost to who takes over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from monai_xray2mri.errors import Xray2MRIError
from monai_xray2mri.hospital.archive import Archive, Conflict, Entry, Gone
from monai_xray2mri.hospital.record import Record


class LeaseLost(Xray2MRIError):
    """Another worker took the study over, or it was deleted."""


class Lease:
    """A study that this worker has claimed.

    Args:
        archive: that holds it.
        study: its identifier.
        record: the state to be written as the claim.
        entry: what the state was when it was read.
        seconds: for which the claim holds without renewal.
        told: called with every state that was written.

    Raises:
        LeaseLost: another worker was faster.
    """

    def __init__(
        self,
        archive: Archive,
        study: str,
        record: Record,
        entry: Entry,
        seconds: float,
        told: Callable[[str, Record], object] = lambda study, record: None,
    ) -> None:
        self._archive, self._study, self._seconds = archive, study, seconds
        self._lock, self._told = threading.RLock(), told
        self._tag, self._unsure = entry.tag, list[bytes]()
        self._renewed = time.monotonic()
        self.record = record
        self.lost = False
        self.change()

    @property
    def study(self) -> str:
        """Identifier of the study."""
        return self._study

    def change(self, **changes: Any) -> Record:
        """Write another state, and hold the study for another while.

        Args:
            **changes: fields of the record.

        Raises:
            LeaseLost: the state is not what this worker wrote last, or the study was deleted.
            ArchiveError: Orthanc does not answer; whether the state was written is found out at the next change.
        """
        with self._lock:
            if self.lost:
                raise self._loss()
            record = replace(self.record, **{"lease": self._archive.now() + self._seconds, **changes})
            content = record.encode()
            try:
                if self._unsure:
                    self._find_out()
                self._unsure.append(content)
                self._tag = self._archive.write_state(self._study, content, self._tag)
            except (Conflict, Gone) as error:
                self.lost = True
                raise self._loss() from error
            self.record, self._unsure, self._renewed = record, [], time.monotonic()
            self._told(self._study, record)
            return record

    def end(self, **changes: Any) -> Record:
        """Write a last state and let the study go."""
        record = self.change(**{"worker": "", "lease": 0.0, **changes})
        self.lost = True
        return record

    def require(self) -> None:
        """Make sure that nobody else can have taken the study over.

        Raises:
            LeaseLost: somebody has, or could not be kept from it.
        """
        if self.lost or time.monotonic() - self._renewed > self._seconds:
            self.lost = True
            raise self._loss()

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Renew the claim while the block runs."""
        ended = threading.Event()

        def renew() -> None:
            while not ended.wait(self._seconds / 3) and not self.lost:
                try:
                    self.change()
                except LeaseLost:
                    return
                except Xray2MRIError:  # Orthanc does not answer: the next beat tries again
                    continue

        beat = threading.Thread(target=renew, name="lease", daemon=True)
        beat.start()
        try:
            yield
        finally:
            ended.set()
            beat.join()

    def _find_out(self) -> None:
        """Whether a change that got no answer was written after all."""
        entry = self._archive.state(self._study)
        if entry.content in self._unsure:
            self._tag = entry.tag

    def _loss(self) -> LeaseLost:
        return LeaseLost("study", "must be held by this worker", "another worker, or no study")
