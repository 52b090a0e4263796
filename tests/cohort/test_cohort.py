"""A cohort is run in any shape, interrupted anywhere, and never done twice."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from monai_xray2mri.cli import main
from monai_xray2mri.cohort import work
from monai_xray2mri.cohort.deaths import Deaths
from monai_xray2mri.cohort.engine import Share, run_here, running
from monai_xray2mri.cohort.sharing import divide
from monai_xray2mri.cohort.summary import summarize
from monai_xray2mri.cohort.tables import lines_of
from monai_xray2mri.commands import cohort as commands
from monai_xray2mri.core.shards import Shard
from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.processes import workers_of
from monai_xray2mri.runtime.worker import Limits
from tests.cohort.conftest import Cohort, plan_rows, results_of
from tests.helpers.misbehaving_system import write_pictures


def test_each_misfortune_is_named_and_stops_nothing(negative: Cohort, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", "a", "b_crash", "d_eat", "e_odd", "f_refused", "g")
    negative.plan()
    told = {row["study"]: row for row in negative.run(limits=Limits(gigabytes=1.5))}
    rows = plan_rows(negative)
    found = {source: told[str(row["study"])] for source, row in rows.items() if row["status"] == "planned"}
    assert {source: row["status"] for source, row in found.items()} == {
        "a.png": "done", "b_crash.png": "set aside", "d_eat.png": "set aside", "e_odd.png": "failed", "g.png": "done",
    }  # fmt: skip
    assert "killed by signal 11" in found["b_crash.png"]["reason"]
    assert "took more than 1.5 GB" in found["d_eat.png"]["reason"]
    assert "Mustermann" not in found["e_odd.png"]["reason"] and found["e_odd.png"]["reason"]
    assert found["a.png"]["remarks"] == ["a remark"]
    counts = summarize(negative.output, "folders")
    assert counts.status == {"done": 2, "failed": 1, "refused": 1, "set aside": 2}
    assert counts.rules == {"must not be called refused": 1}

    again = {row["study"]: row["status"] for row in negative.run()}
    assert sorted(again.values()) == ["failed", "set aside", "set aside"]  # and nothing is tried again
    Deaths(negative.output).forget([str(rows["b_crash.png"]["study"])])
    assert "set aside" in {row["status"] for row in negative.run() if row["study"] == rows["b_crash.png"]["study"]}


def test_a_study_that_hangs_is_set_aside(negative: Cohort, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", "a", "hang")
    negative.plan()
    found = {row["status"]: row["reason"] for row in negative.run(limits=Limits(seconds=1))}
    assert found.keys() == {"done", "set aside"} and "took longer than 1 s" in found["set aside"]


def test_files_are_equal_whatever_the_shards_and_their_order(negative: Cohort, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", *(f"picture_{number}" for number in range(12)))
    negative.plan()
    negative.run()
    whole = results_of(negative.output)
    assert len(whole) == 24
    for shards in (3, 7):
        shutil.rmtree(negative.output / "results")
        seen = [{row["study"] for row in negative.run(Shard(number, shards))} for number in range(1, shards + 1)]
        assert sum(map(len, seen)) == 12
        assert results_of(negative.output) == whole
    shutil.rmtree(negative.output / "results")
    job = negative.job()
    left = negative.share(job).left
    run_here(job, Share(len(left), left[::-1]), 1, Limits(), lambda rows: None)
    assert results_of(negative.output) == whole


def test_work_is_divided_by_cost() -> None:
    cost = np.array([8.0, 1, 1, 1, 1, 1, 1, 2])
    shard = divide(cost, 2)
    assert {cost[shard == number].sum() for number in (1, 2)} == {8.0}
    assert set(divide(np.ones(100), 7)) == set(range(1, 8))


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0"])
def test_shards_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="option shard"):
        Shard.parse(text, "shard")


def test_results_that_are_there_are_not_made_again(negative: Cohort, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", "a", "b", "c")
    negative.plan()
    negative.run()
    (first, *_) = sorted((negative.output / "results").rglob("report.json"))
    before = first.stat().st_mtime_ns
    shutil.rmtree(sorted((negative.output / "results").rglob("picture_0"))[-1])
    assert len(negative.run()) == 1
    assert first.stat().st_mtime_ns == before
    assert negative.run() == []


def test_a_changed_study_is_refused_and_drafts_are_removed(negative: Cohort, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in" / "study", "a")
    (tmp_path / "in" / "table.csv").write_text("path\nstudy\n")
    negative.source = str(tmp_path / "in" / "table.csv")
    negative.plan()
    (tmp_path / "in" / "study" / "a.png").rename(tmp_path / "in" / "study" / "refused.png")
    stale = negative.job().drafts / "old"
    stale.mkdir(parents=True)
    (row,) = negative.run()
    assert row["status"] == "refused" and "must not be called refused" in row["reason"]
    assert not stale.exists()


def test_two_runs_of_one_shard_are_refused(negative: Cohort, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", "a")
    negative.plan()
    with running(negative.job()), pytest.raises(UsageError, match="must be used by one run at a time"):
        negative.run()
    with running(negative.job(run="other")):
        assert len(negative.run()) == 1


def test_a_run_ends_when_nothing_can_be_written(
    negative: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pictures(tmp_path / "in", *"abcdef")
    negative.plan()
    job = negative.job()
    share = negative.share(job)
    (negative.output / "results").write_text("a file where the folder should be")
    told: list[dict[str, object]] = []
    with pytest.raises(UsageError, match="Run again: what is done is kept"):
        run_here(job, share, 1, Limits(), told.extend)
    assert [row["status"] for row in told] == ["failed"] * 3
    assert not list(negative.job().drafts.iterdir())


def test_a_full_disk_fails_the_case_by_name(negative: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pictures(tmp_path / "in", "a")
    negative.plan()
    job = negative.job()
    (study,) = negative.share(job).left

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(work.shutil, "rmtree", lambda *_, **__: None)
    monkeypatch.setattr(Path, "replace", full)
    (row,) = work.synthesize(job, study)
    assert row["status"] == "failed" and "No space left on device" in row["reason"]


def test_an_error_while_a_result_is_made_is_not_blamed_on_the_output(
    negative: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pictures(tmp_path / "in", "a")
    negative.plan()
    job = negative.job()
    (study,) = negative.share(job).left

    def unreadable(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(type(work._loaded(job.bundle, job.device)), "predict", unreadable)
    (row,) = work.synthesize(job, study)
    assert row["status"] == "failed" and row["rule"] == "" and "OSError" in row["reason"]


def test_progress_without_a_terminal_is_a_json_line_a_minute(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(commands.time, "monotonic", lambda: clock[0])
    told = commands._Told(left=5, studies=8, quiet=False)
    for seconds in (30.0, 59.0, 61.0, 90.0):
        clock[0] = seconds
        told([{"status": "done"}, {"status": "refused"}])
    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert line["studies"] == 3 and line["left"] == 2 and line["cases"] == {"done": 3, "refused": 3}
    assert line["a_minute"] == pytest.approx(2.95, abs=0.06) and line["minutes_left"] == pytest.approx(0.7, abs=0.03)
    told.close()
    assert json.loads(capsys.readouterr().err)["studies"] == 4  # the last line says how it ended
    quiet = commands._Told(left=1, studies=1, quiet=True)
    clock[0] = 200.0
    quiet([{"status": "done"}])
    quiet.close()
    assert not capsys.readouterr().err


def test_unknown_ends_count_half(tmp_path: Path) -> None:
    deaths = Deaths(tmp_path)
    for _ in range(3):
        deaths.begin("abc")
    assert not deaths.why_set_aside("abc")
    deaths.begin("abc")
    assert deaths.why_set_aside("abc") == "4 runs ended within it"
    deaths.end("abc")
    deaths.begin("abc")
    deaths.died("abc", "was killed by signal 11")
    assert not deaths.why_set_aside("abc")
    deaths.begin("abc")
    deaths.died("abc", "was killed by signal 11")
    assert deaths.why_set_aside("abc") == "the process was killed by signal 11"


def test_command_line(negative: Cohort, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pictures(tmp_path / "in", "a", "b", "refused")
    (tmp_path / "in" / "table.csv").write_text("path,ward\na.png,7\nb.png,7\nrefused.png,7\n")
    common = [str(tmp_path / "in" / "table.csv"), str(negative.output), "--bundle", str(negative.bundle)]
    assert main(["cohort", *common, "--shard", "1/2"]) == 2
    assert "Run xray2mri cohort-plan once before" in capsys.readouterr().err
    assert main(["cohort-plan", *common]) == 0
    shown = capsys.readouterr()
    assert "columns of the table passed over: ward" in shown.err
    assert json.loads(shown.out.rpartition("}\n")[0] + "}")["cases"] == {"refused": 1, "to do": 2}
    assert main(["cohort", *common, "--shard", "1/2"]) == 0
    assert main(["cohort", *common, "--allow-partial"]) == 0
    shown = capsys.readouterr()
    assert main(["cohort", *common]) == 8
    assert "1 refused" in capsys.readouterr().err
    assert main(["cohort-summary", str(negative.output)]) == 0
    assert json.loads(capsys.readouterr().out)["cases"] == {"done": 2, "refused": 1}
    assert main(["cohort", *common, "--least", "3"]) == 2
    assert "plan of this output: options" in capsys.readouterr().err


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_is_ended_loses_nothing(negative: Cohort, tmp_path: Path, ending: signal.Signals) -> None:
    write_pictures(tmp_path / "in", *(f"picture_{number}" for number in range(8)))
    command = [
        sys.executable, "-m", "monai_xray2mri.cli", "-q", "cohort", negative.source, str(negative.output),
        "--bundle", str(negative.bundle), "--seconds", "0.5",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    begun = subprocess.Popen(command, env=environment)
    results = negative.output / "results"
    while len(list(results.rglob("report.json"))) < 2:
        time.sleep(0.05)
        assert begun.poll() is None
    begun.send_signal(ending)
    assert begun.wait(30) == (-9 if ending == signal.SIGKILL else 143)
    done = results_of(negative.output)
    assert 0 < len(done) < 16 and len(done) % 2 == 0  # whole results only
    subprocess.run(command, env=environment, check=True)
    after = results_of(negative.output)
    assert len(after) == 16 and done.items() <= after.items()
    assert not [path for path in (negative.output / ".drafts").rglob("*") if path.is_file()]
    finished = [row["study"] for log in (negative.output / "log").iterdir() for row in lines_of(log)]
    assert len(set(finished)) >= 7  # a kill may fall between a result and its line
    assert summarize(negative.output, "folders").status == {"done": 8}


def test_a_slurm_array_does_one_shard_a_task(negative: Cohort, tmp_path: Path, repository: Path) -> None:
    write_pictures(tmp_path / "in", *"abcde")
    negative.plan()
    command = tmp_path / "bin" / "xray2mri"  # as an installation has it
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m monai_xray2mri.cli "$@"\n')
    command.chmod(0o755)
    for task in (3, 4):  # an array need not begin at 0
        environment = {
            **os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "SLURM_ARRAY_TASK_ID": str(task),
            "SLURM_ARRAY_TASK_MIN": "3", "SLURM_ARRAY_TASK_COUNT": "2", "SLURM_CPUS_PER_TASK": "1",
            "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}",
        }  # fmt: skip
        script = repository / "docs" / "cohort" / "slurm.sh"
        arguments = [script, negative.source, negative.output, "--bundle", negative.bundle]
        done = subprocess.run(arguments, env=environment, check=True, capture_output=True, text=True)
        assert json.loads(done.stdout)["shard"] == f"{task - 2}/2"
    assert summarize(negative.output, "folders").status == {"done": 5}


def test_workers_that_are_killed_lose_nothing(negative: Cohort, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", *(f"picture_{number}" for number in range(40)))
    command = [
        sys.executable, "-m", "monai_xray2mri.cli", "-q", "cohort", negative.source, str(negative.output),
        "--bundle", str(negative.bundle), "--seconds", "0.2", "--workers", "2",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    negative.plan()
    begun, killed = subprocess.Popen(command, env=environment), 0
    results = negative.output / "results"
    while begun.poll() is None and killed < 5:
        done = len(list(results.rglob("report.json")))
        workers = workers_of(begun.pid)
        if done > 5 * killed and workers:  # in the midst of the work, each time
            os.kill(workers[killed % len(workers)], signal.SIGKILL)
            killed += 1
        time.sleep(0.05)
    assert begun.wait(120) == 0
    assert killed == 5
    assert summarize(negative.output, "folders").status == {"done": 40}
    assert not [path for path in (negative.output / ".drafts").rglob("*") if path.is_file()]
    rows = [row for log in (negative.output / "log").iterdir() for row in lines_of(log)]
    assert len(rows) == len({row["study"] for row in rows}) == 40
