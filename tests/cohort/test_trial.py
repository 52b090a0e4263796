"""``xray2mri benchmark cohort``: all runs make the same files, and the comparison sees what does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monai_xray2mri.cli import main
from monai_xray2mri.cohort import trial as trials
from monai_xray2mri.cohort.trial import Ran, Trial, digests, ratios, run_trial
from monai_xray2mri.errors import ExitCode
from tests.cohort.conftest import Cohort
from tests.helpers.misbehaving_system import write_pictures


def test_the_command_compares_runs(negative: Cohort, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pictures(tmp_path / "in", "a", "b", "c")
    code = main(
        ["benchmark", "cohort", "--input", str(tmp_path / "in"), "--bundle", str(negative.bundle), "--steps", "0",
         "--slices", "0", "--runs", "bare", "processes", "local_1", "--output", str(tmp_path / "trial")]
    )  # fmt: skip
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert code == ExitCode.DONE, printed.err
    assert {name: run["results"] for name, run in found["runs"].items()} == dict.fromkeys(found["runs"], 3)
    assert set(found["ratios"]) == {"overhead of the local engine", "separate processes"}
    assert "overhead of the local engine, CPU" in printed.err
    assert json.loads((tmp_path / "trial" / "trial.json").read_text()) == found


def test_killed_workers_and_jobs_change_nothing(negative: Cohort, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", *(f"picture_{number}" for number in range(8)))
    trial = Trial(str(tmp_path / "in"), tmp_path / "trial", negative.bundle, {"seconds": 2.0}, kills=2)
    found = run_trial(trial, ("bare", "killed"))
    assert found["clean"] and found["runs"]["killed"]["results"] == 8
    kills = found["runs"]["killed"]["kills"]
    assert (kills["jobs killed"], kills["workers killed"]) == (1, 2)


def test_a_run_that_makes_other_files_is_seen(
    negative: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pictures(tmp_path / "in", "a", "b")
    done = trials._RUN["local_1"]

    def careless(trial: Trial, studies: object) -> Ran:
        ran = done(trial, studies)  # type: ignore[arg-type]
        first, second = sorted(trial.output("local_1").glob("results/*/*/*"))
        (first / "preview.png").write_bytes(b"another")
        for file in second.iterdir():
            file.unlink()
        second.rmdir()
        return ran

    monkeypatch.setitem(trials._RUN, "local_1", careless)  # type: ignore[arg-type]
    found = run_trial(Trial(str(tmp_path / "in"), tmp_path / "trial", negative.bundle), ("bare", "local_1"))
    ran = found["runs"]["local_1"]
    assert not found["clean"] and ran["lost"] == 1 and len(ran["differ"]) == 3


def test_times_in_a_report_do_not_count(tmp_path: Path) -> None:
    for name, seconds, mean in (("a", 1, 2), ("b", 9, 2), ("c", 1, 3)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text(json.dumps({"run": {"seconds": seconds}, "mean": mean}))
    a, b, c = (digests(tmp_path / name) for name in "abc")
    assert a == b != c


def test_ratios_follow_from_the_runs_that_were_made() -> None:
    found = ratios({"bare": 100.0, "local_1": 102.0, "local_n": 60.0, "ray_n": 50.0})
    assert found == {"overhead of the local engine": 0.02, "local engine": 1.7}
