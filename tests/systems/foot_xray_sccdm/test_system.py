"""The system: which feet of a source are planned, what may be chosen, and that equal requests give equal results."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from monai_xray2mri.cli import main
from monai_xray2mri.errors import DoubtfulInput, ExitCode, InputRefused, UsageError, WeightsError
from monai_xray2mri.photograph.record import PreparedFoot
from monai_xray2mri.systems.foot_xray_sccdm import plan
from monai_xray2mri.systems.foot_xray_sccdm.case import FootCase
from monai_xray2mri.systems.foot_xray_sccdm.drawing import FootView
from monai_xray2mri.systems.foot_xray_sccdm.predictor import PhotographToRadiograph
from monai_xray2mri.systems.foot_xray_sccdm.system import SYSTEM
from monai_xray2mri.systems.registry import Loaded, system_of
from monai_xray2mri.types import Side
from tests.helpers.feet import jpeg_with_secrets, prepared_foot, take_photographs_at_their_word, write_photograph


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    return take_photographs_at_their_word(monkeypatch)


@pytest.fixture
def picture(tmp_path: Path) -> Callable[..., Path]:
    def make(*names: str) -> Path:
        for name in names:
            file = tmp_path / "photos" / f"{name}.png"
            file.parent.mkdir(exist_ok=True)
            Image.new("RGB", (4, 4)).save(file)
        return file if len(names) == 1 else file.parent

    return make


def planned(source: Path, bundle: Path, **options: Any) -> Any:
    return SYSTEM.plan(source, SYSTEM.request(**options), bundle)


def test_the_bundle_names_the_system(repository: Path) -> None:
    assert system_of(repository / "bundle" / "foot_xray_sccdm") is SYSTEM


def test_options_reach_the_photograph_and_both_feet_are_planned(
    asked: list[dict[str, Any]], picture: Callable[..., Path], small_bundle: Path
) -> None:
    both = planned(picture("both"), small_bundle, pixel_mm=0.5, force=True)
    assert [case.name for case in both.cases] == ["foot_right", "foot_left"]
    assert asked[0] == {"path": asked[0]["path"], "side": None, "pixel_mm": 0.5, "force": True, "name": "both.png"}
    with pytest.raises(InputRefused, match="side R or L"):
        both.only()
    left = planned(picture("both"), small_bundle, side="left").only()
    assert left.key == "L" and left.title == "left foot" and json.dumps(left.record())
    assert left.record()["pixel_mm"] is None and left.record()["side"] == "left"


def test_of_a_study_each_foot_is_used_once(
    asked: list[dict[str, Any]], picture: Callable[..., Path], small_bundle: Path
) -> None:
    study = planned(picture("a_right", "b_left", "c_blurred"), small_bundle)
    assert [case.key for case in study.cases] == ["R", "L"]
    assert len(study.refusals) == 1 and "c_blurred.png" in str(study.refusals[0])
    twice = planned(picture("d_right"), small_bundle).only()
    assert twice.key == "R"
    study = planned(picture("d_right", "b_left"), small_bundle)
    assert [case.key for case in study.cases] == ["L"] and "a_right.png, d_right.png" in str(study.refusals[-1])


def test_a_source_without_a_usable_photograph_is_refused_with_the_reason(
    asked: list[dict[str, Any]], picture: Callable[..., Path], small_bundle: Path, tmp_path: Path, loaded: Loaded
) -> None:
    with pytest.raises(DoubtfulInput, match="must be sharp"):
        planned(picture("blurred"), small_bundle)
    with pytest.raises(InputRefused, match=r"must be sharp.*must be sharp"):
        planned(picture("blurred", "more_blurred"), small_bundle)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputRefused, match="modality XC, PNG or JPEG"):
        planned(tmp_path / "empty", small_bundle)
    with pytest.raises(UsageError):
        planned(tmp_path / "nowhere.png", small_bundle)
    write_photograph(tmp_path / "film" / "film.dcm", Modality="CR")
    with pytest.raises(InputRefused, match="1 CR"):
        planned(tmp_path / "film", small_bundle)
    result = loaded(picture("left")).save(tmp_path / "out")
    for own in ("dicom", "radiograph.png", "preview.png"):
        with pytest.raises(InputRefused, match="earlier synthesis"):
            planned(result.directory / own, small_bundle)
    shutil.copy(result.directory / "radiograph.png", tmp_path / "photos" / "own_right.png")
    study = planned(picture("left", "left"), small_bundle)  # the folder: its blurred ones are refused
    assert [case.key for case in study.cases] == ["L"] and "own_right.png" in "".join(study.remarks)


def test_what_exif_says_reaches_no_log(small_bundle: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Pillow itself tells it at the level DEBUG."""
    photo = jpeg_with_secrets(tmp_path / "photo.jpg")

    def prepare(path: Path, **options: Any) -> tuple[PreparedFoot, ...]:
        with Image.open(path) as image:
            assert image.getexif()
        return (prepared_foot(Side.RIGHT),)

    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.DEBUG):
        caplog.clear()
        patch.setattr(plan, "prepare_feet", prepare)
        assert planned(photo, small_bundle).only().key == "R"
    assert "HIDDEN" not in caplog.text


def test_bundles_that_cannot_serve_are_refused(small_bundle: Path, tmp_path: Path, repository: Path) -> None:
    with pytest.raises(WeightsError):
        planned(tmp_path, tmp_path / "no bundle")
    other = shutil.copytree(small_bundle, tmp_path / "other")
    file = other / "configs" / "inference.json"
    content = json.loads(file.read_text())
    content["network_def"]["image_size"] = 128
    file.write_text(json.dumps(content))
    with pytest.raises(WeightsError, match="256 x 256"):
        planned(tmp_path, other)
    (other / "models" / "model.pt").unlink()
    with pytest.raises(WeightsError, match="not trained yet"):
        PhotographToRadiograph.from_bundle(other, "cpu")
    with pytest.raises(WeightsError, match="system foot_xray_sccdm"):
        PhotographToRadiograph.from_bundle(repository / "bundle" / "knee_xray2mri", "cpu")


def test_what_a_bundle_is_is_told(small_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--bundle", str(small_bundle), "--quiet"]) == ExitCode.DONE
    said = capsys.readouterr().out
    for words in ("foot_xray_sccdm", "weights_sha256", "angle_interval"):
        assert words in said, words


def test_impossible_options_are_refused(loaded: Loaded) -> None:
    resolve = loaded.predictor.resolve
    assert resolve(samples=8).record()["samples"] == 8 and loaded.predictor.work(resolve(samples=8, steps=3)) == 24
    assert resolve(variant="paper").refinement.variant == "paper"
    for wrong in ({"steps": 1001}, {"samples": 0.5}, {"variant": "blur"}, {"guidance": 2, "variant": "paper"},
                  {"slices": 3}):  # fmt: skip
        with pytest.raises(UsageError):
            resolve(**wrong)
    for wrong in ({"side": "both"}, {"pixel_mm": 9}, {"views": 2}):
        with pytest.raises(UsageError):
            SYSTEM.request(**wrong)
    assert SYSTEM.request(side="left", pixel_mm=0).pixel_mm is None


def test_equal_requests_give_equal_radiographs(loaded: Loaded) -> None:
    view, predictor = FootView.of(FootCase(prepared_foot())), loaded.predictor
    resolve = predictor.resolve
    first, second = predictor.samples(view, resolve(samples=2))
    again = next(predictor.samples(view, resolve()))
    assert np.array_equal(first, again) and not np.array_equal(first, second)
    assert first.shape == (256, 256) and first.min() >= 0 and first.max() <= 1
    changed = ({"seed": 1}, {"variant": "paper"}, {"variant": "guidance"}, {"eta": 1.0}, {"steps": 3})
    for other in changed:
        assert not np.array_equal(first, next(predictor.samples(view, resolve(**other)))), other
    left = FootView.of(FootCase(prepared_foot(Side.LEFT)))
    assert not np.array_equal(first, next(predictor.samples(left, resolve())))  # each foot has its own noise


def test_command_line_and_python_write_the_same_bytes(
    asked: list[dict[str, Any]], picture: Callable[..., Path], loaded: Loaded, tmp_path: Path
) -> None:
    source = picture("left")
    options = ["--bundle", str(loaded.bundle), "--device", "cpu", "--samples", "2", "--quiet"]
    assert main(["synthesize", str(source), str(tmp_path / "out"), *options]) == ExitCode.DONE
    ours = loaded(source, samples=2).save(tmp_path / "python").directory
    theirs = tmp_path / "out" / "foot_left"
    files = sorted(path.relative_to(ours) for path in ours.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(theirs) for path in theirs.rglob("*") if path.is_file())
    for file in files:
        if file.name != "report.json":  # seconds differ
            assert (ours / file).read_bytes() == (theirs / file).read_bytes(), file
    assert main(["check", str(source), "--bundle", str(loaded.bundle), "--quiet"]) == ExitCode.DONE


def test_exit_codes_of_the_command_line(
    asked: list[dict[str, Any]], picture: Callable[..., Path], small_bundle: Path, tmp_path: Path
) -> None:
    def run(source: Path, *more: str) -> int:
        bundle = ["--bundle", str(small_bundle), "--device", "cpu", "--quiet"]
        return main(["synthesize", str(source), str(tmp_path / "out"), *bundle, *more])

    assert run(picture("blurred")) == ExitCode.INPUT_REFUSED
    assert run(picture("left"), "--steps", "5000") == ExitCode.USAGE
    assert run(picture("left"), "--parametric-map") == ExitCode.USAGE
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
    assert run(picture("left", "blurred")) == ExitCode.SOME_CASES_FAILED
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["foot_left"]
