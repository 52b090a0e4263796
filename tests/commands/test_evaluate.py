"""``xray2mri evaluate``, in this process, with a tiny network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from monai_xray2mri.cli import main
from monai_xray2mri.errors import ExitCode
from monai_xray2mri.simulation.knee.people.seeds import TEST
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies.comparison import METRICS
from tests.helpers.bundles import make_tiny_bundle

SEED = 1
FIRST = TEST.start + 1000 * SEED


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("evaluate") / "tiny", bundle)


def evaluate(bundle: Path, output: Path, *options: object) -> int:
    return main(["evaluate", "--bundle", str(bundle), "--output", str(output), "--device", "cpu", *map(str, options)])


def measured(output: Path) -> dict[str, Any]:
    """The results without what belongs to the run."""
    found: dict[str, Any] = json.loads((output / "metrics.json").read_text())
    return {name: value for name, value in found.items() if name not in ("seconds", "settings")}


def test_two_knees_end_to_end(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A part, the whole, and a method added later, at its own cost; a knee without its volume is skipped for all."""
    theirs, output = tmp_path / "theirs", tmp_path / "out"
    theirs.mkdir()
    np.save(theirs / f"{FIRST}.npy", np.full((50, 256, 256), 0.2, np.float32))
    options = ["--knees", 2, "--seed", SEED, "--training-knees", 1]
    assert evaluate(tiny, output, *options, "--part", "1/2") == ExitCode.DONE
    assert capsys.readouterr().out == f"{output / 'records'}\n" and not (output / "metrics.json").exists()
    apart = tmp_path / "apart"
    assert evaluate(tiny, apart, *options, "--workers", 2) == ExitCode.DONE
    capsys.readouterr()
    assert evaluate(tiny, output, *options) == ExitCode.DONE
    said = capsys.readouterr()
    assert said.out == f"{output / 'metrics.json'}\n"
    assert measured(apart) == measured(output)
    assert "2 test knees" in said.err and "about" in said.err and "minutes" in said.err
    alone: dict[str, Any] = json.loads((output / "metrics.json").read_text())
    assert list(alone["methods"]) == ["tiny", "mean slice", "nearest neighbour"] and not alone["skipped"]
    assert alone["methods"]["tiny"]["psnr"]["n"] == 2
    lines = (output / "records" / "comparison.jsonl").read_text()
    picture = (output / "figures" / "slices.png").read_bytes()

    added = [*options, "--method", f"theirs={theirs}"]
    assert evaluate(tiny, output, *added) == ExitCode.SOME_CASES_FAILED
    said = capsys.readouterr()
    assert f"knee {FIRST + 1} skipped: theirs:" in said.err and "no such file" in said.err
    assert "volumes of 50 slices" not in said.err  # no network has anything left to do
    records = (output / "records" / "comparison.jsonl").read_text()
    parts = "".join(path.read_text() for path in sorted((output / "records").glob("comparison*")))
    assert records.startswith(lines)
    asked = [row["method"] for line in parts.splitlines() for row in json.loads(line)["rows"]]
    assert asked.count("tiny") == asked.count("theirs") == 2
    assert (output / "figures" / "slices.png").read_bytes() != picture

    written: dict[str, Any] = json.loads((output / "metrics.json").read_text())
    assert list(written["methods"]) == ["tiny", "mean slice", "nearest neighbour", "theirs"]
    for measures in written["methods"].values():
        assert list(measures) == list(METRICS)
        assert set(measures["psnr"]) == {"median", "mean", "ci95", "n"} and measures["psnr"]["n"] == 1
    assert written["methods"]["theirs"]["adjacent_slice_correlation"]["median"] == pytest.approx(0, abs=1e-6)
    assert written["skipped"] == {"comparison": {str(FIRST + 1): written["skipped"]["comparison"][str(FIRST + 1)]}}
    settings = written["settings"]
    assert settings["seed"] == SEED and len(settings["methods"]["tiny"]["weights_sha256"]) == 64
    for name in ("tables/comparison.csv", "tables/comparison.md", "figures/comparison.png", "figures/comparison.svg",
                 "report.html"):  # fmt: skip
        assert (output / name).stat().st_size > 100, name
    report = (output / "report.html").read_text()
    assert "data:image/png;base64," in report and "<script" not in report and str(FIRST + 1) in report

    assert evaluate(tiny, output, *added, "-q") == ExitCode.SOME_CASES_FAILED
    said = capsys.readouterr()
    assert said.out == f"{output / 'metrics.json'}\n" and not said.err
    assert (output / "records" / "comparison.jsonl").read_text() == records  # nothing was left to do
    assert json.loads((output / "metrics.json").read_text())["methods"] == written["methods"]
    assert evaluate(tiny, output, *options, "-q") == ExitCode.DONE  # without it, both knees can be used again
    assert json.loads((output / "metrics.json").read_text())["methods"] == alone["methods"]

    changed = tmp_path / "tiny"
    shutil.copytree(tiny, changed)
    weights = torch.load(changed / "models" / "model.pt", weights_only=True)
    torch.save(weights | {"latent_scale": weights["latent_scale"] + 1}, changed / "models" / "model.pt")
    capsys.readouterr()
    assert evaluate(changed, output, *options) == ExitCode.USAGE
    assert "others: method tiny" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--knees", 0], "option knees"),
        (["--seed", 1000], "knees of the test range"),
        (["--studies", "strange"], "strange"),
        (["--studies", "real_films"], "--films"),
        (["--method", "nothing"], "NAME=SOURCE"),
        (["--method", "mine=nowhere:Nothing"], "package.module:Class"),
        (["--method", "mean slice=nowhere"], "a name of its own"),
        (["--data", "nowhere"], "nowhere"),
    ],
)
def test_usage_errors(
    tiny: Path, tmp_path: Path, options: list[object], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(tiny, tmp_path / "out", *options) == ExitCode.USAGE
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out" / "metrics.json").exists()


def test_missing_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(tmp_path, tmp_path / "out") == ExitCode.WEIGHTS
    assert "metadata.json" in capsys.readouterr().err
