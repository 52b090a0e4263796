"""The engine of several machines, on a cluster of this one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from monai_xray2mri.cohort.on_ray import run_on_ray
from monai_xray2mri.cohort.summary import summarize
from monai_xray2mri.errors import UsageError
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


def test_a_cluster_that_does_not_answer_is_refused(negative: Cohort, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", "a")
    negative.plan()
    job = negative.job(run="ray")
    with pytest.raises(UsageError, match="Ray cluster: must answer"):
        run_on_ray(
            job, negative.share(job), 1, Limits(), lambda rows: None, "127.0.0.1:1"
        )  # fmt: skip
