"""What a cluster would do: a small model of nodes that fail, stragglers, starts and a shared storage.

Fed with times that were measured (``seconds_a_study`` of a summary), it plays a run study by study. It says how long a
cohort takes, what it costs, how much work is lost, and what holds it up first.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from monai_xray2mri.cohort.cluster import Cluster
from monai_xray2mri.errors import UsageError

_P95: Final = 1.6449
"""95th percentile of the standard normal distribution."""
_LATE: Final = 0.1
"""Share of the run by which a cause must lengthen it to be named."""


@dataclass(frozen=True)
class Run:
    """What the model found.

    Attributes:
        studies: that were done; all of them.
        hours: of the clock.
        cost: of all nodes until the last study ended.
        lost: share of the computing that failures threw away.
        busy: share of the workers' time that went into studies that were finished.
        storage_busy: share of the time in which the storage was writing.
        limit: what holds the run up first.
    """

    studies: int
    hours: float
    cost: float
    lost: float
    busy: float
    storage_busy: float
    limit: str


def play(cluster: Cluster, studies: int, seed: int = 0) -> Run:
    """Play a run.

    Args:
        cluster: what is assumed.
        studies: how many there are.
        seed: of durations, slow nodes and failures.

    Raises:
        UsageError: no study.
    """
    if studies < 1:
        raise UsageError("option studies", "must be at least 1", str(studies))
    rng = np.random.default_rng(seed)
    spread = np.log(cluster.late_seconds / cluster.median_seconds) / _P95
    seconds = cluster.median_seconds * np.exp(spread * rng.standard_normal(studies))
    slow = np.where(rng.random(cluster.nodes) < cluster.slow_share, cluster.slow_factor, 1.0)
    write = max(cluster.megabytes / cluster.storage_megabytes, cluster.files / cluster.storage_files)
    shares = _shares(cluster, seconds)
    failures = [_Failures(cluster.failure_hours * 3600, rng) for _ in range(cluster.nodes)]
    # (time, computed seconds of the study that is to be written, node, worker); 0 seconds: the worker is free
    places = [(node, worker) for node in range(cluster.nodes) for worker in range(cluster.workers)]
    events = [(cluster.start_seconds, 0.0, node, worker) for node, worker in places]
    heapq.heapify(events)
    storage, written, computed, lost, done = 0.0, 0.0, 0.0, 0.0, 0
    while done < studies:
        now, finished, node, worker = heapq.heappop(events)
        if finished:
            storage = max(storage, now) + write
            written, computed, done = written + write, computed + finished, done + 1
            heapq.heappush(events, (storage, 0.0, node, worker))
            continue
        share = shares[0 if cluster.shared_queue else node]
        if not share:
            continue  # nothing is left for this worker
        takes = float(seconds[share[-1]]) * float(slow[node])
        failure = failures[node].after(now)
        if now + takes > failure:
            lost += failure - now
            back = failure + cluster.return_seconds + cluster.start_seconds
            heapq.heappush(events, (back, 0.0, node, worker))
        else:
            share.pop()
            heapq.heappush(events, (now + takes, takes, node, worker))
    end = storage
    workers = cluster.nodes * cluster.workers
    return Run(
        studies, end / 3600, end / 3600 * cluster.nodes * cluster.price, lost / (lost + computed),
        computed / (end * workers), written / end, _limit(cluster, seconds, end, written, lost, computed),
    )  # fmt: skip


def _shares(cluster: Cluster, seconds: np.ndarray) -> list[list[int]]:
    """The studies of the queue, or of each node; the last of a list is taken first."""
    if cluster.shared_queue:
        return [list(range(len(seconds)))]
    return [list(range(node, len(seconds), cluster.nodes)) for node in range(cluster.nodes)]


class _Failures:
    """The times at which a node fails."""

    def __init__(self, mean: float, rng: np.random.Generator) -> None:
        self._mean, self._rng = mean, rng
        self._next = float(rng.exponential(mean))

    def after(self, now: float) -> float:
        """The first failure after a time; times are asked for in order."""
        while self._next <= now:
            self._next += float(self._rng.exponential(self._mean))
        return self._next


def _limit(cluster: Cluster, seconds: np.ndarray, end: float, written: float, lost: float, computed: float) -> str:
    """What lengthens the run most, over the time that its computing would take if it were spread evenly."""
    workers = cluster.nodes * cluster.workers
    even = float(seconds.sum()) / workers
    causes = {
        "storage": written - even,
        "start of the workers": cluster.start_seconds,
        "failures": lost / workers,
        "fewer studies than workers": float(np.median(seconds)) - even if len(seconds) < workers else 0.0,
        "last studies, slow nodes": end - max(even, written) - cluster.start_seconds - lost / workers,
    }
    cause = max(causes, key=lambda name: causes[name])
    return cause if causes[cause] > _LATE * end else "computing"


def table(cluster: Cluster, studies: Sequence[int], nodes: Sequence[int], seed: int = 0) -> Iterator[dict[str, Any]]:
    """Rows of runs for every number of studies and nodes."""
    for count in studies:
        for machines in nodes:
            run = play(replace(cluster, nodes=machines), count, seed)
            yield {
                "studies": count, "nodes": machines, "hours": round(run.hours, 3), "cost": round(run.cost, 2),
                "lost_percent": round(100 * run.lost, 2), "busy_percent": round(100 * run.busy, 1),
                "storage_busy_percent": round(100 * run.storage_busy, 1), "held_up_by": run.limit,
            }  # fmt: skip
