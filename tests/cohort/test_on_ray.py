"""The engine of several machines, on a cluster of this one."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from monai_xray2mri.cohort.on_ray import run_on_ray
from monai_xray2mri.cohort.summary import summarize
from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.processes import children_of
from monai_xray2mri.runtime.worker import Limits
from tests.cohort.conftest import Cohort
from tests.cohort.test_cohort import results_of
from tests.helpers.misbehaving_system import write_pictures

pytest.importorskip("ray")


def test_ray_makes_the_same_files_and_outlives_what_kills_a_worker(negative: Cohort, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", *(f"picture_{number}" for number in range(6)), "crash", "odd")
    negative.plan()
    told: list[dict[str, object]] = []
    job = negative.job(run="ray")
    run_on_ray(job, negative.share(job), 2, Limits(seconds=60), told.extend)
    assert sorted(str(row["status"]) for row in told) == ["done"] * 6 + ["failed", "set aside"]
    assert summarize(negative.output, "folders").status == {"done": 6, "failed": 1, "set aside": 1}
    by_ray = results_of(negative.output)
    shutil.rmtree(negative.output / "results")
    negative.run()
    assert results_of(negative.output) == by_ray


def descendants(process: int) -> list[int]:
    children = children_of(process)
    return [*children, *(below for child in children for below in descendants(child))]


def actors_of(process: int) -> list[int]:
    """Actors of the cluster that a process has started; Ray names their processes."""
    names = {one: Path(f"/proc/{one}/cmdline").read_bytes() for one in descendants(process)}
    return [one for one, name in names.items() if b"ray::" in name and b"Synthesize" in name]


def test_an_actor_that_dies_is_replaced_and_nothing_is_lost_or_done_twice(negative: Cohort, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", *(f"picture_{number}" for number in range(8)))
    negative.plan()
    told: list[dict[str, object]] = []
    killed: list[int] = []

    def kill_once(rows: list[dict[str, object]]) -> None:
        told.extend(rows)
        if not killed:
            killed.extend(actors_of(os.getpid()))
            assert len(killed) == 1
            os.kill(killed[0], signal.SIGKILL)

    job = negative.job(run="ray", sampling={"seconds": 0.5})
    run_on_ray(job, negative.share(job), 1, Limits(seconds=60), kill_once)
    assert killed and summarize(negative.output, "folders").status == {"done": 8}
    done = [row["study"] for row in told]
    assert len(done) == len(set(done)) >= 7  # the row of the study in hand may have gone with the actor
    assert not [path for path in (negative.output / ".drafts").rglob("*") if path.is_file()]


def test_a_cluster_that_does_not_answer_is_refused(negative: Cohort, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", "a")
    negative.plan()
    job = negative.job(run="ray")
    with pytest.raises(UsageError, match="Ray cluster: must answer"):
        run_on_ray(
            job, negative.share(job), 1, Limits(), lambda rows: None, "127.0.0.1:1"
        )  # fmt: skip
