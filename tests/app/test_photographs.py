"""The MONAI Deploy app with a bundle that takes photographs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from monai_xray2mri.errors import ExitCode
from monai_xray2mri.systems.registry import load
from monai_xray2mri.types import Side
from tests.helpers.feet import take_photographs_at_their_word, write_photograph, write_small_foot_bundle


@pytest.fixture(scope="module")
def feet_bundle(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_foot_bundle(repository, tmp_path_factory.mktemp("bundles"))


@pytest.fixture(autouse=True)
def _photographs(monkeypatch: pytest.MonkeyPatch) -> None:
    take_photographs_at_their_word(monkeypatch)


def test_a_photograph_of_either_kind_becomes_a_radiograph(
    run_app: Callable[..., int], feet_bundle: Path, tmp_path: Path
) -> None:
    photograph = write_photograph(tmp_path / "study" / "left.dcm", Side.LEFT)
    run = ("-m", feet_bundle, "--samples", 2, "--pixel-mm", 0.5, "--device", "cpu")
    assert run_app("-i", tmp_path / "study", "-o", tmp_path / "out", *run) == ExitCode.DONE
    folder = tmp_path / "out" / "foot_left"
    image = dcmread(folder / "dicom" / "IM_0001.dcm")
    assert image.StudyInstanceUID == dcmread(photograph).StudyInstanceUID and image.Laterality == "L"
    ours = load(feet_bundle, "cpu")(photograph, samples=2, pixel_mm=0.5).save(tmp_path / "python").directory
    for file in sorted(path.relative_to(ours) for path in ours.rglob("*") if path.is_file()):
        if file.name != "report.json":  # seconds differ
            assert (folder / file).read_bytes() == (ours / file).read_bytes(), file
    (tmp_path / "pictures").mkdir()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "pictures" / "both.jpg")
    assert run_app("-i", tmp_path / "pictures", "-o", tmp_path / "both", "-m", feet_bundle) == ExitCode.DONE
    assert sorted(path.name for path in (tmp_path / "both").iterdir()) == ["foot_left", "foot_right"]


def test_what_is_no_usable_photograph_is_refused_and_names_nobody(
    run_app: Callable[..., int], feet_bundle: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_photograph(tmp_path / "blurred" / "blurred.dcm", PatientName="Hidden^Name", ImageComments="HIDDEN place")
    write_photograph(tmp_path / "film" / "film.dcm", Modality="CR", PatientName="Hidden^Name")
    for study, words in (("blurred", "must be sharp"), ("film", "modality XC, PNG or JPEG")):
        code = run_app("-i", tmp_path / study, "-o", tmp_path / "out", "-m", feet_bundle, "-l", "debug")
        assert code == ExitCode.INPUT_REFUSED and words in caplog.text
    assert "hidden" not in caplog.text.lower()
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
    write_photograph(tmp_path / "blurred" / "right.dcm", PatientName="Hidden^Name")
    code = run_app("-i", tmp_path / "blurred", "-o", tmp_path / "out", "-m", feet_bundle)
    assert code == ExitCode.SOME_CASES_FAILED
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["foot_right"]
