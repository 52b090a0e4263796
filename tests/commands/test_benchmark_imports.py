"""What commands load at their start stays within limits; this test fails above a number, not above a time."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from monai_xray2mri.cli import main
from monai_xray2mri.commands import benchmark_imports
from monai_xray2mri.commands.benchmark_imports import STARTS, Loaded, Start, loaded
from monai_xray2mri.errors import ExitCode, Xray2MRIError
from tests.helpers.films import simulated_crop, write_film


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of one film."""
    return write_film(tmp_path_factory.mktemp("imports") / "study" / "film.dcm", simulated_crop()).parent


@pytest.mark.parametrize("name", [name for name in STARTS if name != "reference"])
def test_a_start_stays_within_its_limits(name: str, study: Path, tmp_path: Path) -> None:
    found = loaded(STARTS[name], study, tmp_path / "out")
    assert not found.refused
    assert found.modules <= STARTS[name].modules
    assert found.packages["monai_xray2mri"] > 20  # it did start


def test_too_many_modules_and_a_refused_package_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], study: Path
) -> None:
    starts = {
        "help": STARTS["help"],
        "few": replace(STARTS["help"], modules=1),
        "refused": Start("json", absent=("json", "torch"), code="import json"),
    }
    monkeypatch.setattr(benchmark_imports, "STARTS", starts)
    monkeypatch.setattr(benchmark_imports, "example_study", lambda _: study)
    assert main(["benchmark", "imports", "--only", "help"]) == ExitCode.DONE
    capsys.readouterr()
    assert main(["benchmark", "imports"]) == ExitCode.UNEXPECTED
    said = capsys.readouterr()
    answer = json.loads(said.out)
    assert answer["refused"]["must_not_be_loaded"] == ["json"]
    assert answer["few"]["limit"] == 1 < answer["few"]["modules"] == answer["help"]["modules"]
    assert "too many modules" in said.err and "FAILS: json" in said.err


def test_seconds_are_held_against_bars_and_fail_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], study: Path
) -> None:
    spent = {"check": 3.0, "first_step": 5.0, "reference": 4.0}
    monkeypatch.setattr(benchmark_imports, "example_study", lambda _: study)
    monkeypatch.setattr(
        benchmark_imports, "loaded",
        lambda start, *_: Loaded(1, next(spent[name] for name, one in STARTS.items() if one is start), {}, 2, ()),
    )  # fmt: skip
    assert main(["benchmark", "imports", "--only", *spent]) == ExitCode.DONE
    said = capsys.readouterr()
    found = [(bar["value"], bar["verdict"]) for bar in json.loads(said.out)["bars"]]
    assert found == [(3.0, "missed"), (1.25, "holds")]
    assert "check of a film, CPU s: 3.00, at most 2.5: missed" in said.err
    assert main(["benchmark", "imports", "--only", "first_step"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["bars"] == []  # nothing to compare it with


def test_a_start_that_fails_is_an_error(study: Path, tmp_path: Path) -> None:
    with pytest.raises(Xray2MRIError, match="start of a missing study: must succeed"):
        loaded(Start("a missing study", ["check", "{study}/missing"]), study, tmp_path)
