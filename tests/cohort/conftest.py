from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from monai_xray2mri.cohort.engine import Share, run_here, share_of
from monai_xray2mri.cohort.planning import MANIFEST, Manifest, Planning, plan_cohort
from monai_xray2mri.cohort.tables import rows_of
from monai_xray2mri.cohort.work import Job
from monai_xray2mri.core.shards import Shard
from monai_xray2mri.runtime.worker import Limits
from tests.helpers.misbehaving_system import install_misbehaving_system


@dataclass
class Cohort:
    """A cohort of pictures, run in this process."""

    bundle: Path
    source: str
    output: Path
    options: dict[str, Any] = field(default_factory=dict)

    def plan(self, limits: Limits | None = None) -> Manifest:
        plan_cohort(Planning(self.source, self.bundle, self.options), self.output, 1, limits)
        return Manifest.open(self.output / MANIFEST)

    def job(self, **values: Any) -> Job:
        return Job(self.source, self.output, self.bundle, values.pop("run", "test"), **values)

    def share(self, job: Job, shard: Shard | None = None) -> Share:
        return share_of(Manifest.open(self.output / MANIFEST), shard or Shard(), job)

    def run(self, shard: Shard | None = None, limits: Limits | None = None, **values: Any) -> list[dict[str, Any]]:
        """The rows that were told, of a run with one worker."""
        job, told = self.job(**values), list[dict[str, Any]]()
        run_here(job, self.share(job, shard), 1, limits or Limits(), told.extend)
        return told


def plan_rows(cohort: Cohort) -> dict[str, dict[str, object]]:
    return {row["source"]: row for row in rows_of(cohort.output / MANIFEST)}


def results_of(output: Path) -> dict[str, str]:
    """Path and hash of every result file."""
    files = [path for path in (output / "results").rglob("*") if path.is_file()]
    return {path.relative_to(output).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def negative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cohort:
    """A cohort of the folder ``in``, still empty, with the system that can misbehave."""
    site, bundle = install_misbehaving_system(tmp_path)
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))
    (tmp_path / "in").mkdir()
    return Cohort(bundle, str(tmp_path / "in"), tmp_path / "out")
