"""From a photograph's file to results with nothing replaced: neither the room of photographs nor the detector."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from pydicom.uid import generate_uid

from monai_xray2mri.cli import main
from monai_xray2mri.errors import ExitCode, InputRefused
from monai_xray2mri.systems.registry import Loaded
from monai_xray2mri.types import Side
from tests.helpers.feet import foot_picture, write_photograph


def run(source: Path, output: Path, bundle: Path, *options: str) -> int:
    return main(["synthesize", str(source), str(output), "--bundle", str(bundle), "--device", "cpu", *options])


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("photos") / "photo.png"
    foot_picture(Side.LEFT, 768).save(file)
    return file


def test_a_left_foot_is_found_turned_and_given_back(left: Path, loaded: Loaded, tmp_path: Path) -> None:
    result = loaded(left, side="L", samples=2)
    assert result.case.name == "foot_left"
    first = result.save(tmp_path / "python").directory
    assert run(left, tmp_path / "cli", loaded.bundle, "--side", "L", "--samples", "2", "--quiet") == ExitCode.DONE
    for file in sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file()):
        if file.name != "report.json":  # seconds differ
            assert (tmp_path / "cli" / "foot_left" / file).read_bytes() == (first / file).read_bytes(), file
    report = json.loads((first / "report.json").read_text())
    assert report["angles"]["interval"] == "range of the samples" and len(report["keypoints"]) == 10


BAD = ("black", "small", "cut off", "text")


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_foot_is_refused_and_nothing_is_written(kind: str, loaded: Loaded, tmp_path: Path) -> None:
    file = tmp_path / "photo.png"
    if kind == "black":
        Image.new("RGB", (600, 600)).save(file)
    elif kind == "small":
        foot_picture(size=100).save(file)
    elif kind == "cut off":
        foot_picture().save(file)
        file.write_bytes(file.read_bytes()[:20_000])
    else:
        file.write_text("no picture")
    assert run(file, tmp_path / "out", loaded.bundle, "--quiet") == ExitCode.INPUT_REFUSED
    with pytest.raises(InputRefused):
        loaded(file)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_two_studies_are_not_mixed(loaded: Loaded, tmp_path: Path) -> None:
    write_photograph(tmp_path / "a.dcm")
    write_photograph(tmp_path / "b.dcm", Side.LEFT, StudyInstanceUID=generate_uid())
    with pytest.raises(InputRefused, match="one study"):
        loaded(tmp_path)
