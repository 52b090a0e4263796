"""The command line, in this process."""

from __future__ import annotations

import argparse
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image
from pydicom import dcmread

from monai_xray2mri import load
from monai_xray2mri.cli import _parser, main
from monai_xray2mri.core.system import Outputs
from monai_xray2mri.errors import ExitCode
from monai_xray2mri.knee.grading.record import Grading
from monai_xray2mri.knee.grading.report_writer import write_grading_report
from monai_xray2mri.systems.knee_xray2mri.example_study import write_example_study
from monai_xray2mri.types import Side
from tests.helpers.films import simulated_crop, write_film


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write_film(tmp_path / "study" / "film.dcm", simulated_crop())


def test_synthesize_writes_series_preview_and_report(
    film: Path, tmp_path: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_grading_report(film.parent / "sr.dcm", {Side.RIGHT: Grading({"XRKL": 3})}, dcmread(film), final=True)
    output = tmp_path / "out"
    code = main(["synthesize", str(film.parent), str(output), "--bundle", str(tiny_bundle), "--samples", "2",
                 "--nifti", "-q"])  # fmt: skip
    assert code == ExitCode.DONE
    knee = output / "knee_right"
    assert capsys.readouterr().out.strip() == str(knee)
    assert sorted(file.name for file in knee.iterdir()) == [
        "dicom", "mri.nii.gz", "page.dcm", "page.pdf", "preview.png", "report.dcm", "report.json", "std.nii.gz",
        "uncertainty",
    ]  # fmt: skip
    report = json.loads((knee / "report.json").read_text())
    assert report["features"]["XRKL"] == 3
    assert report["features_source"] == "structured report"
    assert report["series"]["slices"] == 5
    assert report["run"]["device"]
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(knee / "dicom")))
    series, nifti = reader.Execute(), sitk.ReadImage(str(knee / "mri.nii.gz"))
    assert series.GetSize() == nifti.GetSize() == (64, 64, 5)
    np.testing.assert_allclose(series.GetOrigin(), nifti.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(series.GetDirection(), nifti.GetDirection(), atol=1e-6)
    assert "SYNTHETIC" in nifti.GetMetaData("descrip")
    stored, voxels = sitk.GetArrayFromImage(series)[:, :40], sitk.GetArrayFromImage(nifti)[:, :40]
    np.testing.assert_allclose(stored / 4095, voxels, atol=0.6 / 4095)  # above the burnt-in word
    with Image.open(knee / "preview.png") as picture:
        assert picture.mode == "RGB"
        assert picture.width > picture.height


def test_equal_calls_write_equal_bytes(film: Path, tmp_path: Path, tiny_bundle: Path) -> None:
    for name in ("a", "b"):
        assert main(["synthesize", str(film), str(tmp_path / name), "--bundle", str(tiny_bundle), "-q"]) == 0
    files = sorted((tmp_path / "a" / "knee_right" / "dicom").iterdir())
    assert len(files) == 5
    for file in files:
        assert file.read_bytes() == (tmp_path / "b" / "knee_right" / "dicom" / file.name).read_bytes()


def test_python_writes_what_the_command_line_writes(film: Path, tmp_path: Path, tiny_bundle: Path) -> None:
    arguments = ["--bundle", str(tiny_bundle), "--device", "cpu", "--samples", "2", "--seed", "3", "--nifti", "-q"]
    assert main(["synthesize", str(film), str(tmp_path / "a"), *arguments]) == ExitCode.DONE
    result = load(tiny_bundle, "cpu")(film, samples=2, seed=3)
    folder = result.save(tmp_path / "b", Outputs(nifti=True)).directory
    names = {
        name: sorted(str(file.relative_to(tmp_path / name)) for file in (tmp_path / name).rglob("*.*")) for name in "ab"
    }
    assert names["a"] == names["b"] and folder.name == "knee_right"
    for name in names["a"]:
        ours, theirs = ((tmp_path / place / name).read_bytes() for place in "ab")
        if name.endswith("report.json"):
            ours, theirs = ({**json.loads(text), "run": None} for text in (ours, theirs))
        assert ours == theirs, name


def test_check_and_synthesize_take_the_region_of_the_bundle(
    tmp_path: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    config = json.loads((bundle / "configs" / "inference.json").read_text())
    config["network_def"]["region_mm"] = 100.0
    (bundle / "configs" / "inference.json").write_text(json.dumps(config))
    write_example_study(tmp_path / "study")
    film = tmp_path / "study" / "film.dcm"  # wider than the region of any network
    assert main(["check", str(film), "--side", "R", "--bundle", str(bundle)]) == ExitCode.DONE
    checked = json.loads(capsys.readouterr().out)["knees"][0]["region_mm"]
    assert main(["synthesize", str(film), str(tmp_path / "out"), "--side", "R", "--bundle", str(bundle), "-q"]) == 0
    written = json.loads((tmp_path / "out" / "knee_right" / "report.json").read_text())["region"]["width_mm"]
    assert checked == written == pytest.approx(100.0)


def test_check_tells_what_would_happen(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(film.parent)]) == ExitCode.DONE
    answer = json.loads(capsys.readouterr().out)
    assert [knee["side"] for knee in answer["knees"]] == ["right"]
    assert answer["knees"][0]["side_source"]
    assert answer["refused"] == []


def test_features_from_a_file(film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "features.json"
    file.write_text(json.dumps({"R": {"V00XRKL": 4, "XRATTM": 3}}))
    assert main(["check", str(film), "--features", str(file)]) == ExitCode.DONE
    knee = json.loads(capsys.readouterr().out)["knees"][0]
    assert knee["features"]["XRKL"] == 4
    assert knee["features"]["XRATTM"] == 1
    assert any("XRATTM" in remark for remark in knee["remarks"])


def test_info_names_versions_and_weights(tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--bundle", str(tiny_bundle)]) == ExitCode.DONE
    answer = json.loads(capsys.readouterr().out)
    assert answer["packages"]["torch"]
    assert len(answer["bundle"]["weights_sha256"]) == 64
    assert answer["bundle"]["depth_mixing"] is None


def bilateral(folder: Path, **second: object) -> Path:
    first = write_film(folder / "a.dcm", simulated_crop())
    uid = dcmread(first).StudyInstanceUID
    write_film(folder / "b.dcm", simulated_crop()[:, ::-1], "L", StudyInstanceUID=uid, **second)
    return folder


def test_both_knees_are_written(tmp_path: Path, tiny_bundle: Path) -> None:
    study, output = bilateral(tmp_path / "study"), tmp_path / "out"
    assert main(["synthesize", str(study), str(output), "--bundle", str(tiny_bundle), "-q"]) == 0
    assert sorted(folder.name for folder in output.iterdir()) == ["knee_left", "knee_right"]


@pytest.mark.parametrize(("option", "code"), [([], ExitCode.SOME_CASES_FAILED), (["--allow-partial"], ExitCode.DONE)])
def test_of_two_knees_the_good_one_is_written(
    tmp_path: Path, tiny_bundle: Path, option: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    study, output = bilateral(tmp_path / "study", PatientAge="012Y"), tmp_path / "out"
    assert main(["synthesize", str(study), str(output), "--bundle", str(tiny_bundle), "-q", *option]) == code
    assert [folder.name for folder in output.iterdir()] == ["knee_right"]
    assert "b.dcm" in capsys.readouterr().err


def refused(arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == code
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.out == ""


def test_refusals_leave_an_empty_output(
    film: Path, tmp_path: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    write_film(film, simulated_crop(), PatientAge="009Y")
    refused(["synthesize", str(film), str(output), "--bundle", str(tiny_bundle)], ExitCode.INPUT_REFUSED, "18", capsys)
    assert not output.exists() or not any(output.iterdir())


def test_missing_weights(film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out"
    refused(
        ["synthesize", str(film), str(output), "--bundle", str(tmp_path)], ExitCode.WEIGHTS, "metadata.json", capsys
    )
    assert not output.exists()


def test_an_output_that_cannot_be_made(
    film: Path, tmp_path: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    for output in (blocked, blocked / "below"):
        refused(
            ["synthesize", str(film), str(output), "--bundle", str(tiny_bundle)],
            ExitCode.USAGE,
            "output folder",
            capsys,
        )
    assert blocked.read_text() == "in the way"


def test_an_earlier_result_is_not_overwritten(
    film: Path, tmp_path: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    (output / "knee_right").mkdir(parents=True)
    (output / "knee_right" / "mine.txt").write_text("keep")
    refused(
        ["synthesize", str(film), str(output), "--bundle", str(tiny_bundle)], ExitCode.USAGE, "earlier result", capsys
    )
    assert [file.name for file in (output / "knee_right").iterdir()] == ["mine.txt"]


def test_a_defect_is_named_without_quoting_the_input(
    film: Path, tmp_path: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, bundle)
    config = json.loads((bundle / "configs" / "inference.json").read_text())
    config["network_def"]["region_mm"] = "HIDDEN"  # nothing checks the type of this number
    (bundle / "configs" / "inference.json").write_text(json.dumps(config))
    arguments = ["synthesize", str(film), str(tmp_path / "out"), "--bundle", str(bundle), "-q"]
    assert main(arguments) == ExitCode.UNEXPECTED
    said = capsys.readouterr().err
    assert "unexpected ValueError in " in said
    assert "HIDDEN" not in said


def test_who_reads_only_the_first_lines_gets_no_error(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """``xray2mri info | head -1``."""

    class NobodyReads(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

        def fileno(self) -> int:
            return stdout.fileno()

    with (tmp_path / "stdout").open("w") as stdout:
        monkeypatch.setattr("sys.stdout", NobodyReads())
        assert main(["info", "--bundle", str(tiny_bundle)]) == 141
    assert not capsys.readouterr().err


def test_messages_name_no_patient(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secrets = {"PatientName": "Secret^Person", "PatientID": "SECRET-7", "StudyDescription": "SECRET STUDY"}
    said = ""
    for name, wrong in {
        "child": {"PatientAge": "011Y"},
        "side": {"ImageLaterality": None},
        "spacing": {"ImagerPixelSpacing": None},
        "value": {"PatientAge": "SECRET"},
    }.items():
        write_film(tmp_path / name / "film.dcm", simulated_crop(), **(secrets | wrong))
        capsys.readouterr()  # pydicom may say what is wrong in a film while this test writes it
        main(["check", str(tmp_path / name)])
        printed = capsys.readouterr()
        said += printed.err + printed.out
    assert said and "secret" not in said.lower()


def test_a_missing_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "nowhere")]) == ExitCode.USAGE
    assert "nothing at that path" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", ""],
        ["synthesize", "film.dcm", " "],
        ["synthesize", "", "mri"],
        ["evaluate", "--output", "results", "--bundle", ""],
    ],
)
def test_an_empty_path_is_not_the_current_folder(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An unset variable of a shell must not have that searched, or written into."""
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == ExitCode.USAGE
    assert "must name a file or folder (found: an empty text" in capsys.readouterr().err


def test_wrong_usage_exits_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["synthesize"])
    assert exit_.value.code == ExitCode.USAGE


def test_quiet_is_understood_before_and_behind_every_sub_command() -> None:
    def leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
        yield parser
        for action in parser._actions:
            for child in action.choices.values() if isinstance(action, argparse._SubParsersAction) else ():
                yield from leaves(child)

    parser = _parser([])
    found = list(leaves(parser))
    assert len(found) > 25
    assert all("--quiet" in one._option_string_actions and "-q" in one._option_string_actions for one in found)
    for words, quiet in (
        ("-q check x", True),
        ("check x -q", True),
        ("check x", False),
        ("benchmark -q simulate", True),
    ):
        assert parser.parse_args(words.split()).quiet is quiet
