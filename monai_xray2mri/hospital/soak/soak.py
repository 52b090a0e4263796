"""The hour itself: sends studies, lets things break, heals everything, waits, judges."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Final

from monai_xray2mri.hospital.soak.faults import Faults
from monai_xray2mri.hospital.soak.findings import Soaked, medians
from monai_xray2mri.hospital.soak.judge import end_of, judge
from monai_xray2mri.hospital.soak.later import has_later, let_happen
from monai_xray2mri.hospital.soak.site import Site, SoakOptions
from monai_xray2mri.hospital.soak.studies import CHANGED, SoakStudy, draw_studies

_BACKLOG: Final = 12
"""Studies that may wait before the next one is sent."""
_FINAL: Final = ("done", "refused", "failed", "passed over", "deleted")


class Soak:
    """A soak; :meth:`run` is the whole of it."""

    def __init__(self, options: SoakOptions) -> None:
        self._options = options
        self._site = Site(options)
        self._faults = Faults(self._site, options)
        self._memory = list[float]()
        self._over = set[int]()

    def run(self) -> Soaked:
        """Send, break, heal, wait, judge."""
        options, site, began, sent = self._options, self._site, time.monotonic(), list[SoakStudy]()
        try:
            for number, study in enumerate(draw_studies(options.studies, options.templates, options.seed)):
                if time.monotonic() - began > options.seconds:
                    options.told(f"no more is sent: {round(options.seconds / 60)} minutes are over")
                    break
                self._admit(study)
                sent.append(study)
                if number % options.incidents == options.incidents - 1:
                    self._faults.break_next()
                if number % 100 == 99:
                    options.told(f"{number + 1} studies sent, {round(time.monotonic() - began)} s")
                while len(self._look_after(sent, 0.1)) > _BACKLOG:
                    time.sleep(1)
            self._faults.heal()
            self._wait(sent)
            site.restart_orthanc()
            verdict = judge(site.orthanc, site.peer, sent, site.logs)
        finally:
            site.close()
        seconds = round(time.monotonic() - began, 1)
        return Soaked(verdict, self._faults.happened, self._faults.kills, medians(self._memory), seconds)

    def _admit(self, study: SoakStudy) -> None:
        for content in study.films * (2 if study.kind == "sent twice" else 1):
            self._site.send(content)
        found = self._site.orthanc.client.post("/tools/lookup", content=study.uid).json()
        study.orthanc = next(one["ID"] for one in found if one["Type"] == "Study")
        study.sent = time.monotonic()

    def _is_over(self, study: SoakStudy) -> bool:
        """Whether it is at its end, and what comes later to its kind was answered, too."""
        try:
            end = end_of(self._site.orthanc, study)
        except Exception:  # Orthanc is down at the moment
            return False
        if end not in _FINAL or end not in study.expected or (has_later(study) and not study.acted):
            return False
        return study.kind not in CHANGED or self._fingerprint(study) != study.before

    def _look_after(self, studies: Sequence[SoakStudy], pause: float = 1.0) -> list[SoakStudy]:
        """Let happen what comes later to a study; restart workers; measure memory; wait.

        Returns:
            Studies that are not at their end, or whose later events are outstanding. One that was over is not asked
            for again: the judge sees what became of it.
        """
        left = list[SoakStudy]()
        for study in studies:
            if study.number in self._over:
                continue
            if self._is_over(study):
                self._over.add(study.number)
                study.ended = time.monotonic()
                continue
            left.append(study)
            if study.acted or not has_later(study):
                continue
            try:
                before = self._fingerprint(study)
                if let_happen(self._site, study):
                    study.acted, study.before = True, before
            except Exception:  # Orthanc is down at the moment: the next look tries again
                continue
        self._faults.revive_workers()
        self._memory.append(max(worker.memory_mb() for worker in self._site.workers))
        time.sleep(pause)
        return left

    def _wait(self, studies: Sequence[SoakStudy]) -> None:
        """Until every study is at its end, or nothing has moved for as long as patience lasts."""
        open_before, since = -1, time.monotonic()
        while (left := len(self._look_after(studies))) and time.monotonic() - since < self._options.patience_s:
            if left != open_before:
                open_before, since = left, time.monotonic()
                self._options.told(f"{left} studies to come")
        time.sleep(4)  # who takes copies and own results for work, begins now

    def _fingerprint(self, study: SoakStudy) -> str:
        """Of the sources that its state is about."""
        record = self._site.record(study)
        return "" if record is None else record.fingerprint


def run_soak(options: SoakOptions) -> Soaked:
    """Run a soak in the namespaces of this process and write ``soak.json``; see ``xray2mri benchmark soak``."""
    found = Soak(options).run()
    (options.folder / "soak.json").write_text(json.dumps(found.record(), indent=2) + "\n")
    return found
