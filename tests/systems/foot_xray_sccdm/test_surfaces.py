"""From a photograph's file to results with nothing replaced: neither the room of photographs nor the detector."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.uid import generate_uid

from monai_xray2mri.cli import main
from monai_xray2mri.errors import ExitCode, InputRefused
from monai_xray2mri.systems.registry import Loaded
from monai_xray2mri.types import Side
from tests.helpers.feet import foot_picture, jpeg_with_secrets, write_photograph

SECRET = "HIDDEN"


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


def test_only_the_foot_of_a_photograph_gets_out(
    loaded: Loaded, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """EXIF texts and place stay behind; of a DICOM header patient and study alone go on, to DICOM objects."""
    (tmp_path / "in").mkdir()
    photo = jpeg_with_secrets(tmp_path / "in" / "photo.jpg")
    header = {"ImageComments": SECRET, "DeviceSerialNumber": SECRET, "InstitutionAddress": SECRET}
    names = {"PatientName": f"{SECRET}^Name", "PatientID": f"{SECRET}-ID"}
    study = write_photograph(tmp_path / "in" / "photo.dcm", **header, **names)
    with caplog.at_level(logging.DEBUG):
        caplog.clear()
        assert run(photo, tmp_path / "jpeg", loaded.bundle, "--side", "R") == ExitCode.DONE
        assert run(study, tmp_path / "dicom", loaded.bundle, "--side", "R") == ExitCode.DONE
    said = "".join(capfd.readouterr()) + caplog.text
    assert SECRET not in said.upper() and str(dcmread(study).SOPInstanceUID) not in said
    for file in (path for path in (tmp_path / "jpeg").rglob("*") if path.is_file()):
        assert SECRET.encode() not in file.read_bytes(), file
    for file in (path for path in (tmp_path / "dicom").rglob("*") if path.suffix in (".png", ".json")):
        assert SECRET.encode() not in file.read_bytes(), file
    for file in (tmp_path / "dicom").rglob("*.dcm"):
        written = dcmread(file)
        assert written.PatientName == names["PatientName"]
        for keyword in header:
            assert SECRET not in str(written.get(keyword, "")), keyword
    for file in tmp_path.rglob("radiograph.png"):
        with Image.open(file) as picture:
            assert not picture.getexif() and set(picture.info) == {"Description"}


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
