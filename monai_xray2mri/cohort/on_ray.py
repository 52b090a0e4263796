"""The engine of several machines: Ray Data over the manifest, one actor per model.

An actor gives each study to a process of its own, as :mod:`.engine` does: a study that hangs, crashes or eats the
memory ends that process, not the actor, and costs Ray nothing. When an actor or its machine goes, Ray gives its studies
to another one, and what has a result is not done again.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import numpy as np

from monai_xray2mri.cohort.deaths import Deaths
from monai_xray2mri.cohort.engine import CohortLog, Share, Tell, running, set_aside, tried
from monai_xray2mri.cohort.layouts import LAYOUTS
from monai_xray2mri.cohort.tables import MANIFEST_COLUMNS, OUTCOME_COLUMNS, arrow, schema
from monai_xray2mri.cohort.work import Job, Study, load, outcome, synthesize
from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.optional import optional_library
from monai_xray2mri.runtime.worker import Died, Limits, Worker

_BLOCKS_PER_ACTOR: Final = 64
_MOST_STUDIES: Final = 32
"""Of a block; Ray needs some milliseconds for each."""
_BLOCKS_AT_ONCE: Final = 2
"""That an actor has: one that it works on, one that waits. More would leave an actor with work that others could do."""
_COLUMNS: Final = ("study", "source", "files", "options", "cases")
_ANSWER_SECONDS: Final = 10


class Synthesize:
    """The actor: rows of the manifest to rows of the log. It never raises.

    Args:
        job: of the run.
        limits: of one study.
    """

    def __init__(self, job: Job, limits: Limits) -> None:
        self.job, self.deaths = job, Deaths(job.output)
        self.worker: Worker[Study, list[dict[str, Any]]] = Worker(
            partial(synthesize, job), limits, prepare=partial(load, job), with_main=False
        )
        self.worker.start()

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list[Any]]:
        """Do the studies of a batch: columns of the manifest to columns of the log."""
        rows = []
        for place in range(len(batch["study"])):
            rows += self._done(Study.of({name: values[place] for name, values in batch.items()}))
        return {name: [row[name] for row in rows] for name in OUTCOME_COLUMNS}

    def _done(self, study: Study) -> list[dict[str, Any]]:
        if not study.missing(self.job.output, LAYOUTS[self.job.layout]):
            return []  # an actor that went away had done it
        try:
            while True:
                aside = set_aside(study, self.deaths)
                if aside:
                    return aside
                self.deaths.begin(study.study)
                found = self.worker(study)
                if not isinstance(found, Died):
                    self.deaths.end(study.study)
                    return found
                self.deaths.died(study.study, found.why)
        except Exception as error:  # of the output: another study may fare better
            reason = f"{type(error).__name__} around the study"
            return [outcome(study.study, case, "failed", reason) for case in study.cases]


def run_on_ray(job: Job, share: Share, actors: int, limits: Limits, tell: Tell, address: str | None = None) -> None:
    """Do what is left with actors of a Ray cluster, which sees output, bundle and input under the same paths.

    Args:
        job: of the run.
        share: what is left.
        actors: how many; each takes one processor (and with the device ``cuda`` one GPU).
        limits: of one study.
        tell: called with what came of each study, as its block ends.
        address: of a cluster that runs; None starts one on this machine for the time.

    Raises:
        UsageError: Ray is not installed, or the cluster cannot be reached; the output cannot be written.
    """
    ray = optional_library("ray", "ray")
    data = optional_library("ray.data", "ray")
    todo = tried(share, Deaths(job.output), tell)
    if not todo:
        return
    with running(job) as folder:
        log = CohortLog(job, folder, tell)
        _connect(ray, address, actors)
        try:
            context = data.DataContext.get_current()
            context.enable_progress_bars = context.print_on_execution_start = False
            done = data.from_arrow(list(_blocks(todo, actors))).map_batches(
                Synthesize,
                batch_size=1,
                compute=data.ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=_BLOCKS_AT_ONCE),
                fn_constructor_args=(job, limits),
                num_cpus=1,
                num_gpus=1 if job.device == "cuda" else 0,
            )
            for block in done.iter_batches(batch_size=None, batch_format="pyarrow"):
                for _, rows in groupby(block.to_pylist(), itemgetter("study")):
                    log(list(rows))
        finally:
            ray.shutdown()


def _blocks(studies: Sequence[Study], actors: int) -> Iterator[Any]:
    """Ray's blocks, each the work of one actor for a while: few studies, so that none is left with many at the end."""
    pa, columns = arrow(), schema({name: MANIFEST_COLUMNS[name] for name in _COLUMNS})
    size = min(max(1, len(studies) // (_BLOCKS_PER_ACTOR * actors)), _MOST_STUDIES)
    for start in range(0, len(studies), size):
        yield pa.Table.from_pylist([study.row() for study in studies[start : start + size]], columns)


def _connect(ray: Any, address: str | None, actors: int) -> None:
    try:
        if address is None:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing of this package reports to anybody
            ray.init(num_cpus=actors + 1, include_dashboard=False, configure_logging=False, log_to_driver=False)
            return
        host, _, port = address.removeprefix("ray://").rpartition(":")
        if host:  # Ray itself tries for minutes
            socket.create_connection((host, int(port)), _ANSWER_SECONDS).close()
        ray.init(address=address, log_to_driver=False)
    except Exception as error:
        ray.shutdown()  # a cluster that started in part would live on until this process ends
        raise UsageError(
            "Ray cluster", "must answer", type(error).__name__, "Check its address, or leave it out for this machine."
        ) from error
