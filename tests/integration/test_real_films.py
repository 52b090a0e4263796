"""Real radiographs through ``monai-deploy exec`` with the shipped bundle: complete series, left and right correct."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread

from monai_xray2mri.simulation.knee.knee import simulate_knee
from monai_xray2mri.simulation.knee.people.seeds import TEST
from tests.helpers.films import cr_dataset, read_picture, real_crops, write_film

COMMON = {"StudyInstanceUID": "1.2.826.0.1.3680043.8.498.1", "PatientID": "T-9"}


def execute(repository: Path, study: Path, output: Path, steps: int = 1) -> subprocess.CompletedProcess[str]:
    """``monai-deploy exec`` of this environment; the default bundle sampler would take minutes for all films."""
    command = Path(sys.executable).with_name("monai-deploy")
    if not command.exists():
        pytest.skip("monai-deploy is not installed in this environment")
    return subprocess.run(
        [command, "exec", "app_package", "-i", study, "-o", output, "-m", "bundle/knee_xray2mri"],
        cwd=repository, env=os.environ | {"XRAY2MRI_STEPS": str(steps)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def read_series(folder: Path) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def test_real_knees_of_both_sides_become_series(repository: Path, shared_data: Path, tmp_path: Path) -> None:
    """Of grade 4, the hardest for the checks; the two tests below take the others."""
    films = {side: real_crops(shared_data, 4, side)[0] for side in ("R", "L")}
    for side, film in films.items():
        write_film(tmp_path / "study" / f"{side}.dcm", read_picture(film), side, **COMMON)
    done = execute(repository, tmp_path / "study", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    for side, word in (("R", "right"), ("L", "left")):
        knee = tmp_path / "out" / f"knee_{word}"
        image = read_series(knee / "dicom")
        assert image.GetSize() == (256, 256, 50)
        np.testing.assert_allclose(image.GetSpacing(), (0.625, 0.625, 1.5), atol=1e-6)
        assert np.linalg.det(np.reshape(image.GetDirection(), (3, 3))) == pytest.approx(1)
        header = dcmread(knee / "dicom" / "IM_0001.dcm")
        assert header.get("ImageLaterality", header.get("Laterality")) == side
        assert header.StudyInstanceUID == COMMON["StudyInstanceUID"]
        assert json.loads((knee / "report.json").read_text())["side"] == side
        assert anatomical_side(image) == side


def anatomical_side(image: sitk.Image) -> str:
    """Which knee a volume shows: is it nearer to a true right knee, fibula at the patient's right, or to its mirror?"""
    voxels = sitk.GetArrayFromImage(image)[:, :230].astype(float)  # [slice,row,column], without the burnt-in word
    truth = np.asarray(simulate_knee(TEST[0]).volume[13:63])[::-1, :230]  # the most anterior slice first
    right, left = (np.corrcoef(voxels.ravel(), one.ravel())[0, 1] for one in (truth, truth[:, :, ::-1]))
    assert abs(right - left) > 0.01
    return "R" if right > left else "L"


def test_the_report_of_its_film_is_used(repository: Path, shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "sr" / "knee_sr_right_19_features.dcm"
    report = dcmread(source)
    evidence = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    study = tmp_path / "study"
    write_film(
        study / "film.dcm", read_picture(real_crops(shared_data, 3, "R")[0]), "R", PatientID=report.PatientID,
        StudyInstanceUID=report.StudyInstanceUID, SOPInstanceUID=evidence.ReferencedSOPInstanceUID,
    )  # fmt: skip
    shutil.copy(source, study / "report.dcm")
    done = execute(repository, study, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "out" / "knee_right" / "report.json").read_text())
    assert result["features_source"] == "structured report"
    assert len(result["features"]) == 19
    assert any("preliminary" in remark for remark in result["remarks"])
    image = dcmread(tmp_path / "out" / "knee_right" / "dicom" / "IM_0001.dcm")
    assert image.SourceInstanceSequence[0].ReferencedSOPInstanceUID == report.SOPInstanceUID
    assert report.PatientID not in done.stderr


def test_a_bilateral_film_made_of_two_real_crops(repository: Path, shared_data: Path, tmp_path: Path) -> None:
    """The patient's right is at the left of the film."""
    by_patient: dict[str, dict[str, Path]] = {}
    for side in ("R", "L"):
        for film in real_crops(shared_data, 0, side) + real_crops(shared_data, 1, side):
            by_patient.setdefault(film.stem[:-1], {})[side] = film
    pair = next(films for films in by_patient.values() if len(films) == 2)
    right, left = (read_picture(pair[side]) for side in ("R", "L"))
    gap = np.full((299, 60), min(right.min(), left.min()), np.float32)
    pixels = np.concatenate([gap, right, gap, left, gap], axis=1)
    dataset = cr_dataset(pixels, "B", ImagerPixelSpacing=["0.367893", "0.367893"], **COMMON)
    (tmp_path / "study").mkdir()
    dataset.save_as(tmp_path / "study" / "film.dcm", enforce_file_format=True)
    done = execute(repository, tmp_path / "study", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    for word, start in (("right", 60), ("left", 60 + 299 + 60)):
        region = json.loads((tmp_path / "out" / f"knee_{word}" / "report.json").read_text())["region"]
        center = region["left"] + region["columns"] / 2
        assert center == pytest.approx(start + 299 / 2, abs=0.05 * pixels.shape[1])
