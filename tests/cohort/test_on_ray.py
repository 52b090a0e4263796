"""The engine of several machines, on a cluster of this one."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from monai_xray2mri.cohort.on_ray import run_on_ray
from monai_xray2mri.cohort.summary import summarize
from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.processes import children_of
from monai_xray2mri.runtime.worker import Limits
from tests.cohort.conftest import Cohort, results_of
from tests.helpers.misbehaving_system import write_pictures

pytest.importorskip("ray")


def test_ray_makes_the_same_files_and_outlives_the_death_of_workers_and_actors(
    negative: Cohort, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "in", *(f"picture_{number}" for number in range(8)), "crash", "odd")
    negative.plan()
    told: list[dict[str, object]] = []
    killed: list[int] = []

    def tell(rows: list[dict[str, object]]) -> None:
        told.extend(rows)
        if not killed:  # rows come while others are still worked on
            killed.extend(actors()[:1])
            os.kill(killed[0], signal.SIGKILL)

    job = negative.job(run="ray", sampling={"seconds": 0.5})
    run_on_ray(job, negative.share(job), 2, Limits(seconds=60), tell)
    assert summarize(negative.output, "folders").status == {"done": 8, "failed": 1, "set aside": 1}
    assert {str(row["status"]) for row in told} == {"done", "failed", "set aside"} and killed
    done = [(row["study"], row["case"]) for row in told]
    assert len(done) == len(set(done)) >= 9  # the row of the study in hand may have gone with the actor
    assert not [path for path in (negative.output / ".drafts").rglob("*") if path.is_file()]
    by_ray = results_of(negative.output)
    shutil.rmtree(negative.output / "results")
    negative.run()
    assert results_of(negative.output) == by_ray


def actors() -> list[int]:
    """Processes of this process's Ray actors."""
    found, todo = [], children_of(os.getpid())
    while todo:
        process = todo.pop()
        todo += children_of(process)
        with suppress(OSError):
            if b"MapWorker" in Path(f"/proc/{process}/cmdline").read_bytes():
                found.append(process)
    return found


def test_a_cluster_that_does_not_answer_is_refused(negative: Cohort, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", "a")
    negative.plan()
    job = negative.job(run="ray")
    with pytest.raises(UsageError, match="Ray cluster: must answer"):
        run_on_ray(
            job, negative.share(job), 1, Limits(), lambda rows: None, "127.0.0.1:1"
        )  # fmt: skip
