"""The model of a cluster: known answers, and what each assumption does."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from monai_xray2mri.cli import main
from monai_xray2mri.cohort.cluster import Cluster
from monai_xray2mri.cohort.scale import play
from monai_xray2mri.errors import UsageError

CALM = Cluster(
    nodes=10, workers=4, median_seconds=10, late_seconds=10, start_seconds=0, failure_hours=1e9, slow_share=0,
    megabytes=0, files=0,
)  # fmt: skip


def test_work_without_trouble_is_shared_evenly() -> None:
    run = play(CALM, 4000)
    assert run.hours * 3600 == pytest.approx(1000)
    assert run.cost == pytest.approx(run.hours * 10 * CALM.price)
    assert (run.lost, run.limit) == (0, "computing")
    assert run.busy == pytest.approx(1)


def test_failures_lose_work_and_the_run_still_ends() -> None:
    run = play(replace(CALM, failure_hours=0.1, median_seconds=60, late_seconds=60), 4000)
    assert run.studies == 4000
    assert 0.02 < run.lost < 0.25
    assert run.hours > play(replace(CALM, median_seconds=60, late_seconds=60), 4000).hours


def test_a_shared_queue_outlives_slow_nodes_better_than_shares() -> None:
    slow = replace(CALM, nodes=100, slow_share=0.3, slow_factor=4)
    shares, queue = play(slow, 8000), play(replace(slow, shared_queue=True), 8000)
    assert queue.hours < 0.5 * shares.hours
    assert shares.limit == "last studies, slow nodes"


def test_what_holds_a_run_up_is_named() -> None:
    assert play(replace(CALM, files=56, storage_files=100), 4000).limit == "storage"
    assert play(replace(CALM, start_seconds=900), 4000).limit == "start of the workers"
    assert play(CALM, 30).limit == "fewer studies than workers"


def test_the_storage_is_a_limit_of_all_nodes_together() -> None:
    run = play(replace(CALM, megabytes=10, storage_megabytes=10), 4000)
    assert run.hours * 3600 == pytest.approx(4000, rel=0.01)
    assert run.storage_busy == pytest.approx(1, rel=0.01)


def test_equal_seeds_give_equal_runs() -> None:
    cluster = Cluster(nodes=20, failure_hours=1)
    assert play(cluster, 1000, 3) == play(cluster, 1000, 3) != play(cluster, 1000, 4)


def test_assumptions_that_mean_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match="option nodes"):
        Cluster(nodes=0)
    with pytest.raises(UsageError, match="seconds of a study"):
        Cluster(median_seconds=10, late_seconds=5)
    with pytest.raises(UsageError, match="option studies"):
        play(CALM, 0)


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cohort-scale", "--studies", "100", "1000", "--on-nodes", "1", "5", "--shared-queue"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["studies"], row["nodes"]) for row in rows] == [(100, 1), (100, 5), (1000, 1), (1000, 5)]
    assert rows[3]["hours"] < rows[2]["hours"]
