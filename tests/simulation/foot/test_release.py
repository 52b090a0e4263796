"""Folders of simulated feet."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_xray2mri.cli import main
from monai_xray2mri.errors import ExitCode
from monai_xray2mri.simulation.foot.foot import simulate_foot
from monai_xray2mri.simulation.foot.people import VALIDATION

ARGUMENTS = ["simulate-feet", "--quiet", "--feet", "2", "--split", "validation"]


@pytest.fixture(scope="module")
def feet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release") / "feet"
    assert main([*ARGUMENTS, "--output", str(folder)]) == ExitCode.DONE
    return folder


def test_a_foot_is_a_folder_of_two_pictures_and_the_truth(feet: Path) -> None:
    folders = sorted(path for path in feet.iterdir() if path.is_dir())
    assert [folder.name for folder in folders] == [f"{seed:07d}" for seed in VALIDATION[:2]]
    foot = simulate_foot(VALIDATION[0])
    with Image.open(folders[0] / "original.png") as picture:
        shown = np.asarray(picture).transpose(2, 0, 1) / 255
    assert np.abs(shown - foot.cut_out).max() <= 0.5 / 255 + 1e-6
    with Image.open(folders[0] / "xray.png") as picture:
        assert np.abs(np.asarray(picture) / 65535 - foot.radiograph).max() <= 1e-5
    truth = json.loads((folders[0] / "truth.json").read_text())
    assert truth["hallux_valgus_deg"] == pytest.approx(foot.hallux_valgus, abs=1e-3)
    assert np.allclose(list(truth["keypoints"].values()), foot.keypoints, atol=1e-3)
    with np.load(folders[0] / "bones.npz") as bones:
        assert sorted(bones) == sorted(foot.bones)
        assert np.array_equal(bones["cuboid"], foot.bones["cuboid"])


def test_the_table_lists_every_foot(feet: Path) -> None:
    lines = (feet / "angles.csv").read_text().splitlines()
    assert lines[0] == "seed,hallux_valgus_deg,intermetatarsal_deg,pixel_mm"
    assert [int(line.split(",")[0]) for line in lines[1:]] == list(VALIDATION[:2])


def test_what_is_missing_is_made_again_and_nothing_else(feet: Path) -> None:
    first, second = sorted(path for path in feet.iterdir() if path.is_dir())
    before, whole = (first / "xray.png").stat().st_mtime_ns, (second / "xray.png").read_bytes()
    for file in second.iterdir():
        file.unlink()
    second.rmdir()
    assert main([*ARGUMENTS, "--output", str(feet)]) == ExitCode.DONE
    assert (first / "xray.png").stat().st_mtime_ns == before
    assert (second / "xray.png").read_bytes() == whole


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--visibility", "0.25"], "same settings"),
        (["--split", "nobody"], "split of feet"),
        (["--feet", "0"], "number of feet"),
    ],
)
def test_what_does_not_fit_is_refused(
    feet: Path, more: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*ARGUMENTS, "--output", str(feet), *more]) == ExitCode.USAGE
    assert words in capsys.readouterr().err
