"""`xray2mri benchmark speed`: the table, the bars and the JSON, on a tiny network; refusals before anything is run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monai_xray2mri.cli import main
from monai_xray2mri.errors import ExitCode
from monai_xray2mri.runtime import devices
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion
from monai_xray2mri.systems.knee_xray2mri.speed import ladder, run
from monai_xray2mri.systems.knee_xray2mri.speed.ladder import Case

COMMAND = ["benchmark", "speed", "--device", "cpu"]


@pytest.fixture
def scene(tiny_network: SliceDiffusion, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny network in place of the bundle's, measured in this process, and nothing that takes seconds."""
    film = np.random.default_rng(0).uniform(-1, 1, (64, 64)).astype(np.float32)  # an even one would amplify rounding
    case = Case(film, np.zeros(61, np.float32), None)
    monkeypatch.setattr(ladder, "load_slice_diffusion", lambda bundle: tiny_network)
    monkeypatch.setattr(ladder, "simulated_case", lambda seed: case)
    film = {"rows": 3000, "first_cpu_seconds": 1.4, "later_cpu_seconds": 1.2}
    monkeypatch.setattr(run, "apart", lambda work, job: work(job))
    monkeypatch.setattr(run.around, "measure_around", lambda job: film)
    monkeypatch.setattr(run, "matrix_rates", lambda device: {"float32": 50.0, "bfloat16": 100.0})
    monkeypatch.setattr(run, "paper_work", lambda bundle: {"slices": 50, "steps": 50, "rungs": {}})


@pytest.mark.usefixtures("scene")
def test_table_bars_and_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new" / "speed.json"
    only = ["--only", "R3", "before", "R3-graphs", "R5", "--threads", "1", "--repeats", "1", "--slices", "3"]
    assert main([*COMMAND, *only, "--json", str(file)]) == ExitCode.DONE
    said = capsys.readouterr()
    answer = json.loads(said.out)
    assert json.loads(file.read_text()) == answer
    assert [row["rung"] for row in answer["rungs"]] == ["R0", "R3", "before"]
    assert all(row["picture"]["within"] and row["tolerance"]["units"] == 1 for row in answer["rungs"])
    assert "yes: at most 1 stored unit a voxel" in said.err
    assert answer["not_measured"]["R3-graphs"] == "needs CUDA" and "few steps" in answer["not_measured"]["R5"]
    bars = {bar["title"]: bar for bar in answer["bars"]}
    assert bars["float32, over the time of `before`"]["verdict"] in ("holds", "missed")
    assert bars["time of R3 over that of MONAI's loop"]["verdict"] == "not measured"
    assert "time of R3 over that of MONAI's loop: at most 1: not measured (no row of monai)" in said.err
    assert answer["film"]["later_cpu_seconds"] == 1.2 and "1.40 CPU s in a new process, then 1.20" in said.err
    shapes = answer["layers"]["shapes"]
    assert shapes[0]["share_of_limit"] == pytest.approx(shapes[0]["gflop_a_second"] / 50)
    assert "start, in no row above" in said.err and answer["rungs"][0]["start_cpu_seconds"] > 0


@pytest.mark.usefixtures("scene")
def test_what_compiles_says_when_it_pays(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Compiled by a backend that builds nothing."""
    rung = ladder.RUNGS["R3-compiled"]
    draws: list[Any] = []

    def draw(task: Any) -> Any:
        draws.append(task)
        return ladder.RUNGS["R3"].draw(task)

    changed = {**ladder.RUNGS, "R3-compiled": ladder.replace(rung, draw=draw)}
    for module in (ladder, run):
        monkeypatch.setattr(module, "RUNGS", changed)
    monkeypatch.setattr(run.shutil, "which", lambda name: "/usr/bin/g++")
    monkeypatch.setattr(run, "pays_after", lambda compiled, plain, device: 12)
    only = ["--only", "R3", "R3-compiled", "--threads", "1", "2", "--repeats", "1", "--slices", "3"]
    assert main([*COMMAND, *only]) == ExitCode.DONE
    said = capsys.readouterr()
    rows = json.loads(said.out)["rungs"]
    assert [(row["rung"], row["threads"]) for row in rows] == [("R0", 1), ("R3", 1), ("R3", 2), ("R3-compiled", 1)]
    assert rows[-1]["pays"] == {"than": "R3", "after_volumes": 12} and "pays after 12 volumes" in said.err
    assert len(draws) == 2 and all("pays" not in row for row in rows[:-1])


@pytest.mark.usefixtures("scene")
def test_the_papers_size_is_counted_on_a_cpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "measure_ladder", None)  # calling it would fail
    assert main([*COMMAND, "--size", "paper"]) == ExitCode.DONE
    said = capsys.readouterr()
    answer = json.loads(said.out)
    assert answer["size"] == "paper" and answer["paper"]["steps"] == 50 and "rungs" not in answer
    assert "measured on CUDA alone" in said.err


def test_rungs_that_are_not_here_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "computes_bfloat16", lambda device: False)
    found = run.not_here(list(ladder.RUNGS), devices.torch.device("cpu"), run.FasterParts())
    assert found["R3-half"] == "this hardware does not compute bfloat16" and found["R4-graphs"] == "needs CUDA"
    assert {"R0", "R3", "R4-dpm", "diffusers"}.isdisjoint(found)


@pytest.mark.parametrize(
    ("names", "compiler", "said"),
    [(None, "/usr/bin/g++", "name it by --only"), (["R3-compiled"], None, "no C++ compiler"),
     (["R3-compiled"], "/usr/bin/g++", None)],
)  # fmt: skip
def test_what_compiles_is_asked_for_by_name_and_needs_a_compiler(
    names: list[str] | None, compiler: str | None, said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run.shutil, "which", lambda name: compiler)
    found = run.not_here(names, devices.torch.device("cpu"), run.FasterParts()).get("R3-compiled")
    assert found is None if said is None else said in str(found)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--only", "R9"], "option only: must be among: R0"),
        (["--threads", "1", "0"], "option threads: must be at least 1"),
        (["--slices", "1"], "option slices: must be at least 2"),
        (["--json", "{file}/speed.json"], "must be a folder that can be made"),
    ],
)
def test_refusals(options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.write_text("")
    given = [option.replace("{file}", str(file)) for option in options]
    assert main([*COMMAND, *given]) == ExitCode.USAGE
    assert said in capsys.readouterr().err
