"""The MONAI Deploy app on real Holoscan: results, refusals, exit codes, silence about patients."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import MRImageStorage

from monai_xray2mri.errors import ExitCode
from monai_xray2mri.knee.grading.record import Grading
from monai_xray2mri.knee.grading.report_writer import write_grading_report
from monai_xray2mri.types import Side
from tests.helpers.films import cr_dataset, simulated_crop, write_film

pytest.importorskip("holoscan", reason="the extra deploy is not installed")

SECRETS = {"PatientName": "Hidden^Name", "PatientID": "HIDDEN-ID", "SeriesDescription": "HIDDEN-TEXT"}


def write_report(film: Path, side: Side = Side.RIGHT, name: str = "report.dcm", **replaced: str) -> Path:
    header = dcmread(film)
    for keyword, value in replaced.items():
        setattr(header, keyword, value)
    return write_grading_report(film.parent / name, {side: Grading({"XRKL": 3, "XRJSM": 2})}, header, final=True)


def second_film(film: Path, side: str, **replaced: object) -> Path:
    uid = dcmread(film).StudyInstanceUID
    return write_film(
        film.with_name("second.dcm"), simulated_crop()[:, ::-1], side, **{"StudyInstanceUID": uid, **replaced}
    )


def knees(output: Path) -> list[str]:
    return sorted(folder.name for folder in output.iterdir()) if output.exists() else []


def test_a_study_becomes_a_series(run_app, film, tiny_bundle, tmp_path, capsys):
    write_report(film)
    second_film(film, "R", BodyPartExamined="CHEST")
    output = tmp_path / "out"
    assert run_app("-i", film.parent, "-o", output, "-m", tiny_bundle, "--seed", 5, "--steps", 1) == ExitCode.DONE
    assert knees(output) == ["knee_right"]
    report = json.loads((output / "knee_right" / "report.json").read_text())
    assert (report["options"]["seed"], report["options"]["steps"]) == (5, 1)
    assert (report["features_source"], report["features"]["XRKL"]) == ("structured report", 3)
    assert len(list((output / "knee_right" / "dicom").iterdir())) == report["series"]["slices"]
    assert (output / "knee_right" / "preview.png").is_file()
    for name in ("report.dcm", "page.dcm"):
        assert dcmread(output / "knee_right" / name).StudyInstanceUID == dcmread(film).StudyInstanceUID


def test_samples_give_an_uncertainty_and_series_of_their_own(run_app, film, tiny_bundle, tmp_path):
    options = ("--steps", 1, "--samples", 2, "--sample-series")
    assert run_app("-i", film.parent, "-o", tmp_path / "out", "-m", tiny_bundle, *options) == ExitCode.DONE
    knee = tmp_path / "out" / "knee_right"
    folders = [knee / "dicom", knee / "uncertainty", knee / "samples" / "sample_01", knee / "samples" / "sample_02"]
    series = [dcmread(folder / "IM_0001.dcm") for folder in folders]
    assert len({one.SeriesInstanceUID for one in series}) == 4
    assert len({one.FrameOfReferenceUID for one in series}) == 1


def test_features_of_a_file_replace_the_report_and_the_label_may_be_left_out(run_app, film, tiny_bundle, tmp_path):
    write_report(film)
    features = tmp_path / "features.json"
    features.write_text('{"XRKL": 1}')
    arguments = ("-i", film.parent, "-o", tmp_path / "out", "-m", tiny_bundle)
    assert run_app(*arguments, "--features", features, "--label", "none") == ExitCode.DONE
    report = json.loads((tmp_path / "out" / "knee_right" / "report.json").read_text())
    assert (report["features_source"], report["features"]["XRKL"], report["label"]) == ("features file", 1, "none")


def test_both_knees_of_a_study(run_app, film, tiny_bundle, tmp_path):
    second_film(film, "L")
    assert run_app("-i", film.parent, "-o", tmp_path / "out", "-m", tiny_bundle) == ExitCode.DONE
    assert knees(tmp_path / "out") == ["knee_left", "knee_right"]
    assert run_app("-i", film.parent, "-o", tmp_path / "left", "-m", tiny_bundle, "--side", "L") == ExitCode.DONE
    assert knees(tmp_path / "left") == ["knee_left"]


@pytest.mark.parametrize(("option", "code"), [([], ExitCode.SOME_CASES_FAILED), (["--allow-partial"], ExitCode.DONE)])
def test_of_two_knees_the_good_one_is_written(run_app, film, tiny_bundle, tmp_path, caplog, option, code):
    second_film(film, "L", PatientAge="012Y")
    assert run_app("-i", film.parent, "-o", tmp_path / "out", "-m", tiny_bundle, *option) == code
    assert knees(tmp_path / "out") == ["knee_right"]
    assert "1 of 2 knees" in caplog.text and "second.dcm" in caplog.text and "18" in caplog.text


def remove(film: Path, *keywords: str) -> None:
    write_film(film, simulated_crop(), **dict.fromkeys(keywords))


REFUSALS = {
    "no film": (lambda film: film.unlink(), "radiograph"),
    "an MR": (lambda film: write_film(film, simulated_crop(), Modality="MR", SOPClassUID=MRImageStorage), "1 MR"),
    "cut off pixels": (lambda film: film.write_bytes(film.read_bytes()[:-20_000]), "film.dcm"),
    "unknown side": (lambda film: remove(film, "ImageLaterality"), "side"),
    "no spacing": (lambda film: remove(film, "ImagerPixelSpacing"), "spacing"),
    "a child": (lambda film: write_film(film, simulated_crop(), PatientAge="017Y"), "18"),
    "another knee's report": (lambda film: write_report(film, Side.LEFT), "right knee"),
    "another patient's report": (lambda film: write_report(film, PatientID="HIDDEN-ID"), "another patient"),
    "another film's report": (lambda film: write_report(film, SOPInstanceUID="1.2.3.4"), "another film"),
    "two patients": (lambda film: second_film(film, "L", PatientID="HIDDEN-ID"), "one patient"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_bad_studies_are_refused_with_a_reason(run_app, film, tiny_bundle, tmp_path, caplog, name):
    spoil, words = REFUSALS[name]
    spoil(film)
    assert run_app("-i", film.parent, "-o", tmp_path / "out", "-m", tiny_bundle, "-l", "debug") == 3
    assert words in caplog.text and "HIDDEN" not in caplog.text
    assert knees(tmp_path / "out") == []


def test_what_the_command_line_reads_the_app_reads(run_app, film, tiny_bundle, tmp_path):
    """A film without preamble beside a link that leads nowhere, at which the SDK's loader stops."""
    film.write_bytes(film.read_bytes()[132:])
    film.with_name("link.dcm").symlink_to("nowhere.dcm")
    assert run_app("-i", film.parent, "-o", tmp_path / "out", "-m", tiny_bundle, "--steps", 1) == ExitCode.DONE
    assert knees(tmp_path / "out") == ["knee_right"]


def test_a_thorax_is_refused(run_app, shared_data, tiny_bundle, tmp_path, caplog):
    (tmp_path / "study").mkdir()
    shutil.copy(shared_data / "radiographs_odd" / "highdicom_DX_thorax_dog_MONO1_8bit.dcm", tmp_path / "study")
    assert run_app("-i", tmp_path / "study", "-o", tmp_path / "out", "-m", tiny_bundle) == ExitCode.INPUT_REFUSED
    assert "highdicom_DX_thorax_dog" in caplog.text and knees(tmp_path / "out") == []


@pytest.mark.parametrize("damage", ["no bundle", "no weights", "cut off weights"])
def test_bad_weights_are_refused(run_app, film, tiny_bundle, tmp_path, caplog, damage):
    bundle = tmp_path / "bundle"
    if damage != "no bundle":
        shutil.copytree(tiny_bundle, bundle)
        weights = bundle / "models" / "model.pt"
        content = weights.read_bytes()
        weights.unlink()
        if damage == "cut off weights":
            weights.write_bytes(content[:-1000])
    assert run_app("-i", film.parent, "-o", tmp_path / "out", "-m", bundle) == ExitCode.WEIGHTS
    assert "bundle" in caplog.text and knees(tmp_path / "out") == []


@pytest.mark.parametrize("case", ["no input", "a file as input", "output in the way", "an earlier result", "steps"])
def test_wrong_calls_end_with_code_2(run_app, film, tiny_bundle, tmp_path, caplog, case):
    output = tmp_path / "out"
    study = {"no input": tmp_path / "none", "a file as input": film}.get(case, film.parent)
    if case == "output in the way":
        output.write_text("mine")
    if case == "an earlier result":
        (output / "knee_right").mkdir(parents=True)
        (output / "knee_right" / "mine.txt").touch()
    steps = ["--steps", "100000"] if case == "steps" else []
    assert run_app("-i", study, "-o", output, "-m", tiny_bundle, *steps) == ExitCode.USAGE
    assert caplog.text
    left = sorted(path.name for path in output.rglob("*"))
    assert left == (["knee_right", "mine.txt"] if case == "an earlier result" else [])


def test_a_defect_of_the_app_ends_with_code_1_and_quotes_nothing(run_app, film, tiny_bundle, tmp_path, caplog):
    shutil.copytree(tiny_bundle, tmp_path / "bundle")
    config = tmp_path / "bundle" / "configs" / "inference.json"
    content = json.loads(config.read_text())
    content["network_def"]["region_mm"] = "HIDDEN"  # nothing checks the type of this number
    config.write_text(json.dumps(content))
    assert run_app("-i", film.parent, "-o", tmp_path / "out", "-m", tmp_path / "bundle") == ExitCode.UNEXPECTED
    assert "unexpected ValueError in " in caplog.text and "HIDDEN" not in caplog.text


def start(way: str, app: Path, study: Path, output: Path, bundle: Path, *options: str):
    """Start the app in a process of its own in one of the documented ways."""
    paths = ["-i", str(study), "-o", str(output), "-m", str(bundle)]
    variables = dict(zip(("INPUT", "OUTPUT", "MODEL"), paths[1::2], strict=True)) if way == "variables" else {}
    command = {
        "monai-deploy": [str(Path(sys.executable).with_name("monai-deploy")), "exec", str(app), *paths, "--"],
        "module": [sys.executable, "-m", "monai_xray2mri.deploy", "exec", str(app), *paths, "--"],
        "folder": [sys.executable, str(app), *paths],
        "variables": [sys.executable, str(app)],
    }[way]
    environment = os.environ | {f"HOLOSCAN_{name}_PATH": value for name, value in variables.items()}
    return subprocess.run([*command, *options], capture_output=True, text=True, timeout=300, env=environment)


@pytest.fixture(params=["monai-deploy", "module", "folder", "variables"])
def way(request):
    if request.param == "monai-deploy":
        hook = [path for path in map(Path, sys.path) if (path / "monai_xray2mri_deploy_hook.pth").is_file()]
        if not hook or not Path(sys.executable).with_name("monai-deploy").is_file():
            pytest.skip("monai-deploy or this package is not installed in this environment")
    return request.param


def test_a_refusal_has_its_code_by_every_way(way, repository, film, tiny_bundle, tmp_path):
    film.unlink()
    done = start(way, repository / "app_package", film.parent, tmp_path / "out", tiny_bundle)
    assert done.returncode == ExitCode.INPUT_REFUSED, done.stderr
    assert "needs a radiograph" in done.stderr and "Traceback" not in done.stderr
    assert knees(tmp_path / "out") == []


def test_a_process_of_its_own_writes_the_series_and_names_nobody(repository, tiny_bundle, tmp_path):
    film = write_film(tmp_path / "study" / "film.dcm", simulated_crop(), **SECRETS)
    write_report(film)
    options = ("--side", "R", "-l", "DEBUG")
    done = start("module", repository / "app_package", film.parent, tmp_path / "out", tiny_bundle, *options)
    assert done.returncode == 0, done.stderr
    assert knees(tmp_path / "out") == ["knee_right"]
    said = (done.stdout + done.stderr).lower()
    assert "right knee written" in said
    header = cr_dataset(simulated_crop(), **SECRETS)
    hidden = [*SECRETS.values(), "Hidden", header.StudyInstanceUID, header.SeriesInstanceUID, header.SOPInstanceUID]
    assert not [value for value in hidden if str(value).lower() in said]
