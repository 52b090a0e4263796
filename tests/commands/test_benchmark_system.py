"""``xray2mri benchmark`` of systems: parts, bars and JSON; times are not judged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monai_xray2mri.cli import main
from monai_xray2mri.commands.benchmark_system import SYSTEMS
from monai_xray2mri.errors import ExitCode
from monai_xray2mri.evaluation.speed import HOLDS, MISSED, Bar, Part, _measure
from monai_xray2mri.systems.foot_xray_sccdm.speed import PARTS as OF_SCCDM
from monai_xray2mri.systems.mri_xdiffusion.speed import PARTS


def ten_times(bundle: Path, device: str) -> object:
    """A job of a known answer."""
    return lambda: 10 * len(bundle.name)


def test_bars() -> None:
    assert [Bar(4.0).verdict(value) for value in (4.0, 4.1)] == [HOLDS, MISSED]
    assert [Bar(25.0, "at least").verdict(value) for value in (24.0, 25.0)] == [MISSED, HOLDS]
    assert [Bar(176.3, "is").verdict(value) for value in (176.34, 180.0, 170.0)] == [HOLDS, MISSED, MISSED]


def test_one_missed_bar_misses_the_part() -> None:
    part = Part("ten times", "GFLOP", ten_times, Bar(40.0, "is"), memory_mb=1.0)
    figure = _measure(part, "ten", Path("four"), "cpu", 1)
    assert figure.value == 40 and figure.verdict == MISSED  # a process of Python is larger than 1 MB
    assert figure.bar == "is 40 GFLOP, at most 1 MB"
    free = _measure(Part("time", "s", ten_times), "time", Path("four"), "cpu", 1)
    assert 0 <= free.value < 1 and free.verdict is None and free.bar is None


@pytest.mark.parametrize(("name", "gflop"), [("xdiffusion", 176.3), ("sccdm", 479.0)])
def test_the_papers_call_is_counted(name: str, gflop: float, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", name, "--only", "paper_call"]) == ExitCode.DONE
    said = capsys.readouterr()
    answer = json.loads(said.out)
    (figure,) = answer["figures"]
    assert answer["system"] == SYSTEMS[name] and figure["part"] == "paper_call" and figure["threads"] == 1
    assert figure["value"] == pytest.approx(gflop, rel=2e-3) and figure["verdict"] == HOLDS
    assert "one call of the paper's" in said.err and "holds" in said.err


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [(["--only", "nothing"], "must be among: cone_view"), (["--threads", "0"], "at least 1")],
    ids=["part", "threads"],
)
def test_what_cannot_be_measured_is_refused(
    arguments: list[str], rule: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", "xdiffusion", *arguments]) == ExitCode.USAGE
    assert rule in capsys.readouterr().err


def test_every_part_of_the_issue_is_there() -> None:
    """Bars of time, memory and arithmetic."""
    assert SYSTEMS["xdiffusion"] == "mri_xdiffusion"
    bars = {name: part.bar.value for name, part in PARTS.items() if part.bar}
    assert bars == {
        "cone_view": 4.0, "knee_view": 15.0, "knee_5_views": 75.0, "cone_training": 25.0, "knee_training": 25.0,
        "paper_call": 176.3, "paper_view": 55.0,
    }  # fmt: skip
    assert {part.memory_mb for name, part in PARTS.items() if "view" in name and part.timed} == {1500.0}
    bars = {name: part.bar.value for name, part in OF_SCCDM.items() if part.bar}
    assert bars == {
        "radiograph": 3.0, "ancestral": 45.0, "photograph": 1.0, "paper_call": 479.0, "paper_guided": 958.0
    }  # fmt: skip
    assert {OF_SCCDM[name].memory_mb for name in ("radiograph", "ancestral")} == {1000.0}
