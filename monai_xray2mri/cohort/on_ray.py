"""The engine of several machines: Ray Data over the manifest, one actor per model, the log as Parquet.

An actor gives each study to a process of its own, as :mod:`.engine` does: a study that hangs, crashes or eats the
memory ends that process, not the actor, and costs Ray nothing. When an actor or its machine goes, Ray gives its studies
to another one, and what has a result is not done again.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from monai_xray2mri.cohort.deaths import Deaths
from monai_xray2mri.cohort.engine import Share, Tell, log_name, running, set_aside, tried
from monai_xray2mri.cohort.layouts import LAYOUTS
from monai_xray2mri.cohort.tables import MANIFEST_COLUMNS, OUTCOME_COLUMNS, arrow, rows_of, schema
from monai_xray2mri.cohort.work import Job, Study, outcome, synthesize
from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.optional import optional_library
from monai_xray2mri.runtime.worker import Died, Limits, Worker

_BLOCKS_PER_ACTOR: Final = 64
_MOST_STUDIES: Final = 32
"""Of a block; Ray needs some milliseconds for each."""
_LITTLE: Final = 0.1
"""Processors for writing the log: the actors may take all there are, and wait for it."""
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
        self.worker: Worker[Study, list[dict[str, Any]]] = Worker(partial(synthesize, job), limits)

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


def run_on_ray(
    job: Job, share: Share, manifest: Path, actors: int, limits: Limits, tell: Tell, address: str | None = None
) -> None:
    """Do what is left with actors of a Ray cluster, which sees output, bundle and input under the same paths.

    Args:
        job: of the run.
        share: what is left.
        manifest: the file.
        actors: how many; each takes one processor (and with the device ``cuda`` one GPU).
        limits: of one study.
        tell: called with what came of each study, at the end.
        address: of a cluster that runs; None starts one on this machine for the time.

    Raises:
        UsageError: Ray is not installed, or the cluster cannot be reached; the output cannot be written.
    """
    ray = optional_library("ray", "ray")
    data = optional_library("ray.data", "ray")
    todo = {study.study for study in tried(share, Deaths(job.output), tell)}
    if not todo:
        return
    with running(job) as folder:
        log = folder / f"{log_name(job)}.parquet"
        _connect(ray, address, actors)
        try:
            data.DataContext.get_current().enable_progress_bars = False
            rows = [row for row in rows_of(manifest, _COLUMNS) if row["study"] in todo]
            done = data.from_arrow(list(_blocks(rows, actors))).map_batches(
                Synthesize,
                batch_size=1,
                compute=data.ActorPoolStrategy(size=actors),
                fn_constructor_args=(job, limits),
                num_cpus=1,
                num_gpus=1 if job.device == "cuda" else 0,
            )
            done.write_parquet(str(log), arrow_parquet_args_fn=_log_schema, ray_remote_args={"num_cpus": _LITTLE})
        finally:
            ray.shutdown()
        for part in sorted(log.glob("*.parquet")):
            by_study: dict[str, list[dict[str, Any]]] = {}
            for row in rows_of(part):
                by_study.setdefault(row["study"], []).append(row)
            for rows in by_study.values():
                tell(rows)


def _blocks(rows: Sequence[dict[str, Any]], actors: int) -> Iterator[Any]:
    """Ray's blocks, each the work of one actor for a while: few studies, so that none is left with many at the end."""
    pa, columns = arrow(), schema({name: MANIFEST_COLUMNS[name] for name in _COLUMNS})
    size = min(max(1, len(rows) // (_BLOCKS_PER_ACTOR * actors)), _MOST_STUDIES)
    for start in range(0, len(rows), size):
        yield pa.Table.from_pylist(rows[start : start + size], columns)


def _log_schema() -> dict[str, Any]:
    return {"schema": schema(OUTCOME_COLUMNS)}


def _connect(ray: Any, address: str | None, actors: int) -> None:
    try:
        if address is None:
            ray.init(num_cpus=actors + 1, include_dashboard=False, configure_logging=False, log_to_driver=False)
            return
        host, _, port = address.removeprefix("ray://").rpartition(":")
        if host:  # Ray itself tries for minutes
            socket.create_connection((host, int(port)), _ANSWER_SECONDS).close()
        ray.init(address=address, log_to_driver=False)
    except Exception as error:
        raise UsageError(
            "Ray cluster", "must answer", type(error).__name__, "Check its address, or leave it out for this machine."
        ) from error
