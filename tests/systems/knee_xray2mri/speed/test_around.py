"""A film to its result folder, without sampling and decoding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from monai_xray2mri.diffusion.latent_diffusion import LatentDiffusion
from monai_xray2mri.systems.knee_xray2mri.result import KneeResult
from monai_xray2mri.systems.knee_xray2mri.speed import around, ladder
from monai_xray2mri.systems.knee_xray2mri.speed.ladder import Case, Job
from tests.helpers.films import simulated_crop, write_film


def small_study(folder: Path) -> Path:
    return write_film(folder / "film.dcm", simulated_crop()).parent


def job_of(bundle: Path, folder: Path, truth: np.ndarray | None) -> Job:
    case = Case(np.zeros((64, 64), np.float32), np.zeros(61, np.float32), truth)
    ladder.write_case(case, folder / "case.npz")
    return Job(bundle, "R0", "cpu", 1, 5, None, 1, folder / "case.npz")


def test_cases_are_written_and_nothing_is_drawn(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(around, "write_large_study", small_study)
    monkeypatch.setattr(around, "CASES", 2)
    monkeypatch.setattr(LatentDiffusion, "decode", None)  # calling it would fail
    seen: list[np.ndarray] = []
    save = KneeResult.save

    def saved(result: KneeResult, folder: Path) -> object:
        seen.append(result.volume.voxels)
        written = save(result, folder)
        assert len(list((folder / "knee_right" / "dicom").iterdir())) == 5
        return written

    monkeypatch.setattr(KneeResult, "save", saved)
    found = around.measure_around(job_of(tiny_bundle, tmp_path, np.full((5, 64, 64), 0.25)))
    assert len(seen) == 2 and all(np.allclose(voxels, 0.25, atol=1e-3) for voxels in seen)
    assert found["first_cpu_seconds"] > 0 and found["later_cpu_seconds"] > 0


def test_a_case_without_truth_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="known truth"):
        around.measure_around(job_of(tiny_bundle, tmp_path, None))


def test_the_film_is_as_large_as_detectors_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(around, "write_example_study", small_study)
    before = dcmread(small_study(tmp_path / "small") / "film.dcm")
    film = dcmread(around.write_large_study(tmp_path / "large") / "film.dcm")
    assert film.pixel_array.shape == (3000, 3000)
    assert float(film.ImagerPixelSpacing[0]) * 3000 == pytest.approx(
        float(before.ImagerPixelSpacing[0]) * 299, rel=1e-4
    )
    assert abs(film.pixel_array.mean() - before.pixel_array.mean()) < 20
