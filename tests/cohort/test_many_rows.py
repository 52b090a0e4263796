"""A manifest of a million rows is planned, resumed and summarized in under 2 GB: what each row adds is bounded here."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from monai_xray2mri.cohort import planning as plans
from monai_xray2mri.cohort.deaths import Deaths
from monai_xray2mri.cohort.engine import LOG, share_of, tried
from monai_xray2mri.cohort.planning import JOURNAL, MANIFEST, Manifest, Planning, plan_cohort
from monai_xray2mri.cohort.sources import find_studies, fingerprint
from monai_xray2mri.cohort.summary import summarize
from monai_xray2mri.cohort.work import outcome
from monai_xray2mri.core.shards import Shard
from tests.cohort.conftest import Cohort

FEW, MANY = 4_500, 9_000
MOST_BYTES = 1_500
"""Of a row; 2 GB for a million, less what Python and its libraries take themselves."""


def planned(cohort: Cohort, rows: int) -> Manifest:
    """A plan whose checks were all done by an earlier run, of studies with two cases each."""
    table = Path(cohort.source) / f"table_{rows}.csv"
    table.write_text("path\n" + "".join(f"region/department/film_{row:07d}.dcm\n" for row in range(rows)))
    planning = Planning(str(table), cohort.bundle)
    cohort.output.mkdir(exist_ok=True)
    cases = [(f"knee_{side}", f"{side} knee", {"side": side}) for side in ("right", "left")]
    with (cohort.output / JOURNAL).open("w") as journal:
        journal.write(json.dumps({"plan": planning.record()}) + "\n")
        for found in find_studies(planning.source, ()):
            row = plans._row(found, [], planning, cases=cases)
            journal.write(json.dumps({**row, "fingerprint": fingerprint(found, planning.source)}) + "\n")
    plan_cohort(planning, cohort.output)
    return Manifest.open(cohort.output / MANIFEST)


def logged(cohort: Cohort, manifest: Manifest) -> None:
    """A log in which every case has failed."""
    (cohort.output / LOG).mkdir(exist_ok=True)
    reason = "output: must be writable (found: No space left on device). Make room and run again."
    with (cohort.output / LOG / "all.jsonl").open("w") as log:
        for study in share_of(manifest, Shard(), cohort.job()).left:
            for case in study.cases:
                log.write(json.dumps(outcome(study.study, case, "failed", reason, "must be writable", 1.5)) + "\n")


def bytes_a_row(prepare: Callable[[int], Callable[[], object]]) -> float:
    """What each further row adds to the peak of memory."""
    peaks = []
    for rows in (FEW, MANY):
        work = prepare(rows)
        tracemalloc.start()
        try:
            work()
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    return (peaks[1] - peaks[0]) / (MANY - FEW)


def test_a_row_adds_little_to_plan_share_and_summary(negative: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "_check", lambda planning, task: pytest.fail("all was checked before"))

    def resumed(rows: int) -> Callable[[], object]:
        manifest = planned(negative, rows)
        return lambda: plan_cohort(Planning(manifest.source, negative.bundle), negative.output)

    def shared(rows: int) -> Callable[[], object]:
        manifest = planned(negative, rows)
        deaths = Deaths(negative.output)
        return lambda: tried(share_of(manifest, Shard(), negative.job()), deaths, lambda told: None)

    def summarized(rows: int) -> Callable[[], object]:
        logged(negative, planned(negative, rows))
        return lambda: summarize(negative.output, "folders")

    found = {work.__name__: bytes_a_row(work) for work in (resumed, shared, summarized)}
    assert all(size < MOST_BYTES for size in found.values()), found
