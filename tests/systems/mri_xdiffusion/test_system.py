"""The system: what is refused, what is made, and that every face of it makes the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK
import torch

from monai_xray2mri import load
from monai_xray2mri.cli import main
from monai_xray2mri.core.system import Outputs
from monai_xray2mri.dicom.uids import deterministic_uid
from monai_xray2mri.errors import ExitCode, InputRefused, UsageError, WeightsError, Xray2MRIError
from monai_xray2mri.systems.mri_xdiffusion.drawing import scaled_slices
from monai_xray2mri.systems.mri_xdiffusion.plan import plan_slices
from monai_xray2mri.systems.mri_xdiffusion.predictor import SlicesToVolume
from monai_xray2mri.systems.mri_xdiffusion.system import SYSTEM
from monai_xray2mri.systems.registry import Loaded
from monai_xray2mri.types import Volume
from tests.helpers.slices import Change, a_knee, knee_series, write_image


@pytest.fixture(scope="module")
def knee(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return knee_series(tmp_path_factory.mktemp("knee") / "series")


@pytest.fixture(scope="module")
def loaded(small_bundle: Path) -> Loaded:
    return load(small_bundle, "cpu")


def plan(source: Path, bundle: Path, **options: Any) -> Any:
    return plan_slices(source, SYSTEM.request(**options), bundle).only()


def test_the_middle_slice_is_given_or_those_that_are_named(knee: Path, small_bundle: Path) -> None:
    middle, chosen = plan(knee, small_bundle), plan(knee, small_bundle, slice=[20, 3])
    assert [one.number for one in middle.given] == [12] and [one.number for one in chosen.given] == [3, 20]
    assert chosen.given[0].middle == pytest.approx((4, -32, 1), abs=1e-3)
    assert chosen.headers[1].SOPInstanceUID == deterministic_uid("slice", 19)
    record = chosen.record()
    assert record["side"] == "left" and record["of"] == 24 and json.dumps(record)
    assert chosen.frame.mirrored and not chosen.remarks[1:]
    assert plan(knee, small_bundle, slice="7, 9").title == "volume from slices 7, 9"


def test_the_few_images_that_there_are_are_all_given(tmp_path: Path, small_bundle: Path) -> None:
    folder = knee_series(tmp_path / "series")
    for file in folder.iterdir():
        if round((float(pydicom.dcmread(file).ImagePositionPatient[1]) + 40) / 4) not in (2, 9, 20):
            file.unlink()
    few = plan(folder, small_bundle)
    assert few.of == 3 and [round(float(one.middle[1]), 3) for one in few.given] == [-32, -4, 40]
    assert few.box[:, 2].tolist() == [-1, 1]  # nobody knows how far the series went
    assert plan(folder, small_bundle, slice=2).given[0].middle[1] == pytest.approx(-4, abs=1e-3)


def put(keyword: str, value: object) -> Change:
    return lambda index, data: setattr(data, keyword, value)


def tilted(degrees: float) -> Volume:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    knee = a_knee()
    affine = knee.affine.copy()
    affine[:3, :3] = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]) @ affine[:3, :3]
    return replace(knee, affine=affine)


BAD = {
    "no such": (None, None, {"slice": 25}, "must be within 1..24"),
    "twice": (None, None, {"slice": [3, 3]}, "each slice once"),
    "too many": (None, None, {"slice": list(range(1, 12))}, "10 slices at most"),
    "side": (None, None, {"side": "R"}, "side R"),
    "body part": (put("BodyPartExamined", "HEAD"), None, {}, "body part KNEE"),
    "sequence": (put("ScanningSequence", "SE"), None, {}, "sequence GR"),
    "oblique": (None, tilted(30), {}, "20 degrees"),
    "small": (None, a_knee(pixel=1.2), {}, "field of view of 53 mm"),
    "far": (None, a_knee(step=10.0), {"slice": 1}, "within 80 mm"),
    "flat": (
        lambda index, data: index == 11 and put("PixelData", bytes(2 * 38 * 38))(index, data),
        None,
        {},
        "slice 12",
    ),
    "two patients": (lambda index, data: index == 3 and put("PatientID", "2")(index, data), None, {}, "one patient"),
    "two series": (
        lambda index, data: index == 3 and put("SeriesInstanceUID", "1.2")(index, data),
        None,
        {},
        "one volume",
    ),
    "no position": (
        lambda index, data: delattr(data, "ImagePositionPatient"),
        None,
        {},
        "must have ImagePositionPatient",
    ),
}
"""Name to what is changed, the volume, the request, and the words of the refusal."""


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_used_is_refused(name: str, tmp_path: Path, small_bundle: Path, capsys: Any) -> None:
    change, volume, options, says = BAD[name]
    source = knee_series(tmp_path / "series", change, volume)
    with pytest.raises(Xray2MRIError, match=says):
        plan(source, small_bundle, **options)
    words = [word for key, value in options.items() for word in (f"--{key}", *np.atleast_1d(value).astype(str))]
    code = main(["synthesize", str(source), str(tmp_path / "out"), "--bundle", str(small_bundle), *words, "--quiet"])
    assert code == (ExitCode.USAGE if name in ("no such", "twice") else ExitCode.INPUT_REFUSED)
    assert says in capsys.readouterr().err and not list(tmp_path.glob("out/*"))


def test_what_was_not_trained_for_can_be_forced_and_is_recorded(tmp_path: Path, loaded: Loaded) -> None:
    source = knee_series(tmp_path / "series", put("BodyPartExamined", "ANKLE"), tilted(40))
    case = plan(source, loaded.bundle, force=True)
    assert case.forced and sum("forced" in remark for remark in case.remarks) == 2
    assert case.record()["forced"]


def test_remarks_tell_what_was_taken_for_granted(tmp_path: Path, small_bundle: Path) -> None:
    case = plan(write_image(a_knee(pixel=5.0), tmp_path / "knee.nii.gz"), small_bundle)
    for words in ("body part unknown", "sequence unknown", "side unknown", "cropped"):
        assert any(words in remark for remark in case.remarks), words
    assert case.side.word == "right" and not case.headers


def test_files_without_orientation_and_own_results_are_refused(tmp_path: Path, loaded: Loaded, knee: Path) -> None:
    raw = b"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 40 40 40\nencoding: raw\n\n" + bytes(range(250)) * 256
    (tmp_path / "nowhere.nrrd").write_bytes(raw)
    with pytest.raises(InputRefused, match="where its voxels lie"):
        plan(tmp_path / "nowhere.nrrd", loaded.bundle)
    written = loaded(knee).save(tmp_path / "out", Outputs(nifti=True))
    for source in (written.directory / "volume.nii.gz", written.directory / "dicom"):
        with pytest.raises(InputRefused, match="earlier synthesis"):
            plan(source, loaded.bundle)


def test_a_result_lies_over_its_source(knee: Path, loaded: Loaded, tmp_path: Path) -> None:
    """With its input laid in, the generated series shows the given slice where the source does."""
    result = loaded(knee, slice=[8], keep_input=True, views=2)
    folder = result.save(tmp_path, Outputs(label="none", nifti=True, sample_series=True, parametric_map=True)).directory
    images = [pydicom.dcmread(file) for file in sorted((folder / "dicom").iterdir())]
    first = images[0]
    assert first.FrameOfReferenceUID == "1.2.3.4" and first.StudyInstanceUID and first.PatientPosition == "FFS"
    assert first.BodyPartExamined == "KNEE" and "SYNTHETIC" in first.SeriesDescription
    referred = {item.ReferencedSOPInstanceUID for item in first.SourceImageSequence}
    assert referred == {deterministic_uid("slice", 7)}
    source = a_knee()
    wanted = float(source.affine[1, 3] + 7 * 4)
    nearest = min(images, key=lambda image: abs(float(image.ImagePositionPatient[1]) - wanted))
    assert float(nearest.ImagePositionPatient[1]) == pytest.approx(wanted, abs=1e-3)
    shown = nearest.pixel_array / 4095
    column, row = np.argwhere(shown > 0.6).mean(axis=0)[::-1]
    x = float(nearest.ImagePositionPatient[0]) + column * float(nearest.PixelSpacing[1])
    z = float(nearest.ImagePositionPatient[2]) - row * float(nearest.PixelSpacing[0])
    assert (x, z) == pytest.approx((-70 + 0.6 * 37 * 4, 75 - 0.5 * 37 * 4), abs=2.5)
    assert {path.name for path in folder.iterdir()} == {
        "dicom", "uncertainty", "samples", "uncertainty_map.dcm", "volume.nii.gz", "std.nii.gz", "preview.png",
        "report.json", "page.pdf", "page.dcm", "report.dcm",
    }  # fmt: skip
    report = json.loads((folder / "report.json").read_text())
    assert report["slices"] == [{"number": 8, "center_mm": [4.0, -12.0, 1.0]}] and report["options"]["keep_input"]
    spread = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(folder / "std.nii.gz")))
    assert spread[images.index(nearest), 3:-3, 3:-3].max() == 0 < spread.max()


def test_equal_requests_give_equal_volumes_and_one_view_is_its_mean(knee: Path, loaded: Loaded) -> None:
    one, again, other = (loaded(knee, seed=seed).volume.voxels for seed in (0, 0, 1))
    assert np.array_equal(one, again) and not np.array_equal(one, other)
    same = loaded(knee, views=2, directions="same")
    assert np.allclose(same.views[0].voxels, one, atol=1e-3)  # kept as 16 bit
    assert np.allclose(same.volume.voxels, (same.views[0].voxels + same.views[1].voxels) / 2, atol=1e-3)
    largest = loaded(knee, views=2, directions="same", aggregate="max")
    assert (largest.volume.voxels >= same.volume.voxels - 1e-6).all()


@pytest.mark.parametrize("option", [{"refine": "consistent"}, {"refine": "entropy_min"}, {"augment": "all"}], ids=str)
def test_options_of_the_paper_change_the_volume(knee: Path, loaded: Loaded, option: dict[str, Any]) -> None:
    plain, changed = loaded(knee).volume.voxels, loaded(knee, **option).volume.voxels
    assert plain.shape == changed.shape and not np.array_equal(plain, changed)


def test_impossible_samplings_are_refused(loaded: Loaded) -> None:
    assert loaded.predictor.resolve(directions="planes").views == 3
    assert loaded.predictor.work(loaded.predictor.resolve(views=2, augment="flips")) == 2 * 3 * 32
    for wrong in ({"directions": "planes", "views": 2}, {"steps": 2000}, {"views": 0.5}, {"aggregate": "median"}):
        with pytest.raises(UsageError):
            loaded.predictor.resolve(**wrong)


def test_slices_are_scaled_by_themselves() -> None:
    pixels = torch.linspace(0, 10, 256).reshape(1, 16, 16) + 3
    scaled = scaled_slices(pixels, torch.ones_like(pixels, dtype=torch.bool))
    assert scaled.min() == 0 and scaled.max() == 1
    darker = scaled_slices(pixels, torch.ones_like(pixels, dtype=torch.bool), level=0.5)
    assert np.percentile(darker.numpy(), 99.5) == pytest.approx(0.5, abs=1e-3) and darker.max() > 0.5
    with pytest.raises(InputRefused, match="show something"):
        scaled_slices(pixels * 0, torch.ones_like(pixels, dtype=torch.bool))


def test_a_bundle_without_weights_says_that_it_is_not_trained(repository: Path, tmp_path: Path) -> None:
    untrained = tmp_path / "mri_xdiffusion"
    (untrained / "configs").mkdir(parents=True)
    for file in (repository / "bundle" / "mri_xdiffusion" / "configs").iterdir():
        (untrained / "configs" / file.name).write_text(file.read_text())
    with pytest.raises(WeightsError, match="not trained yet"):
        SlicesToVolume.from_bundle(untrained, "cpu")
    with pytest.raises(WeightsError, match="system mri_xdiffusion"):
        SlicesToVolume.from_bundle(repository / "bundle" / "knee_xray2mri", "cpu")
