"""Cases: which sections are given, what of a volume counts, and where cases come from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from monai_xray2mri.errors import UsageError
from monai_xray2mri.evaluation.metrics import psnr
from monai_xray2mri.evaluation.suite import CaseSource
from monai_xray2mri.systems.mri_xdiffusion.baselines.given import Extent
from monai_xray2mri.systems.mri_xdiffusion.data.store import VolumeStore
from monai_xray2mri.systems.mri_xdiffusion.evaluation import cases
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import (
    BODIES,
    CONES,
    MASKED,
    ConeCohort,
    VolumeCase,
    training_volumes,
    volume_cohort,
)
from monai_xray2mri.systems.mri_xdiffusion.evaluation.measures import VolumeRuler, error_by_distance
from monai_xray2mri.systems.mri_xdiffusion.evaluation.setting import beside_middle, orthogonal_places
from monai_xray2mri.systems.mri_xdiffusion.evaluation.suites import XDIFFUSION
from monai_xray2mri.systems.mri_xdiffusion.sections import slices_along
from monai_xray2mri.systems.mri_xdiffusion.volumes.cube import Cube
from tests.systems.mri_xdiffusion.evaluation.conftest import PARTLY, SIZE, volume_case


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_sections_at_indices_are_the_volumes_planes(pattern: np.ndarray, axis: int) -> None:
    case = VolumeCase("1", "1", CONES, pattern, Extent(), 64.0)
    given = case.given(case.places_at([3, 12], axis))
    planes = np.moveaxis(pattern, axis, 0)[[3, 12]]
    for section, plane in zip(given.slices.numpy(), planes, strict=True):
        turned = [np.flip(each, way) for each in (plane, plane.T) for way in ((), (0,), (1,), (0, 1))]
        assert min(np.abs(section - each).max() for each in turned) < 1e-5
    assert given.known is None
    whole = case.given(case.places_at(range(SIZE), axis))
    sorted_ = whole.slices[whole.places[:, 9].argsort()]
    torch.testing.assert_close(sorted_, slices_along(torch.from_numpy(pattern), axis), atol=1e-5, rtol=0)


def test_slices_are_even_over_what_was_acquired() -> None:
    case = volume_case(9000, "bodies")
    assert case.box == (slice(2, 14), slice(0, 16), slice(0, 16))
    ticks = (2 * np.arange(SIZE) + 1) / SIZE - 1
    for count, indices in ((1, [8]), (2, [5, 11]), (3, [4, 8, 12]), (12, list(range(2, 14)))):
        np.testing.assert_allclose(case.even_places(count)[:, 9], ticks[indices], atol=1e-6)
    assert case.even_places(1, 1)[0, 9].abs() == pytest.approx(ticks[8])
    assert len(orthogonal_places(case, 3)) == 3 and beside_middle(case)[0, 9] == pytest.approx(ticks[5])
    outside = case.given(case.places_at([0]))
    assert outside.known is not None and not outside.known.any()


def test_only_what_was_acquired_is_measured(pattern: np.ndarray) -> None:
    case = VolumeCase("1", "1", "bodies", pattern, PARTLY, 64.0)
    ruler, wrong = VolumeRuler(case), pattern.copy()
    wrong[:2] = 0
    assert ruler.intensities(wrong)["psnr"] == np.inf
    half = replace(case, voxels=pattern / 2)
    found = VolumeRuler(half).intensities(np.zeros_like(pattern))
    inside = pattern[2:14] / 2
    assert found["psnr_range"] == pytest.approx(psnr(np.zeros_like(inside), inside, 1.0))
    assert found["psnr"] == pytest.approx(found["psnr_range"] + 20 * np.log10(inside.max()))
    row = ruler.measure(pattern)
    assert (
        row["ssim_rows"] == pytest.approx(1) and row["correlation_columns"] == ruler.truth_row()["correlation_columns"]
    )


def test_the_object_is_filled_and_the_background_is_none_of_it() -> None:
    voxels = np.zeros((SIZE, SIZE, SIZE), np.float32)
    voxels[4:12, 4:12, 4:12] = 1
    voxels[6:10, 6:10, 6:10] = 0
    inside = VolumeRuler(VolumeCase("1", "1", CONES, voxels, Extent(), 64.0)).object
    assert inside[8, 8, 8] and not inside[8, 1, 8] and not inside[0].any()


def test_slices_that_show_nothing_correlate_with_nothing() -> None:
    """Noise beyond a cone must not count for or against its continuity."""
    case = volume_case(9000)
    reached = np.flatnonzero(VolumeRuler(case).object.any(axis=(1, 2)))
    noisy = case.voxels.copy()
    noisy[: reached[0]] += np.random.default_rng(0).random(noisy[: reached[0]].shape).astype(np.float32)
    ruler = VolumeRuler(case)
    assert reached[0] > 0 and len(reached) > 2
    assert ruler.measure(noisy)["correlation_slices"] == ruler.truth_row()["correlation_slices"]
    empty = replace(case, voxels=np.zeros_like(case.voxels))
    assert "correlation_rows" not in VolumeRuler(empty).truth_row()


def test_a_set_that_is_all_test_is_foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its studies are those that it has volumes for, and simulated knees stand for what methods know."""
    store = VolumeStore.of_cubes(tmp_path, ["a", "b"], ["test", "test"], SIZE, 64.0, source="foreign")
    for row in range(2):
        store.write_cube(row, Cube(np.full((SIZE,) * 3, 0.5, np.float32), np.array([[-1.0] * 3, [1.0] * 3]), np.eye(4)))
    source = CaseSource(data=tmp_path)
    names = [study.name for study in XDIFFUSION.choose(None, source)]
    assert "comparison" in names and "cones" in names and "foreign_bodies" in names
    assert not {"calibration", "shifted", "anatomy", "lesions"} & set(names)
    assert len(XDIFFUSION.choose(None, CaseSource())) == len(XDIFFUSION.studies)
    asked: list[str] = []
    monkeypatch.setattr(cases, "KneeCohort", lambda split, number: asked.append(split) or ConeCohort(split, number))
    kinds = [case.domain for case in training_volumes(source, 1, {CONES, BODIES})]
    assert kinds == [CONES] * 11 and asked == ["training"]
    assert len(list(training_volumes(source, 1, {"masked cones"}))) == 10 and asked == ["training"]  # no body is made


def test_the_error_is_taken_by_distance_from_the_input(pattern: np.ndarray) -> None:
    case = VolumeCase("1", "1", "bodies", pattern, PARTLY, 64.0)
    wrong = pattern.copy()
    wrong[[5, 11]] += 0.5  # three sections before and behind the middle
    curve = error_by_distance(wrong, case, 8)
    assert len(curve) == 7 and curve[3] == pytest.approx(0.25) and sum(curve) == pytest.approx(0.25)


def test_cohorts_are_of_the_test_split(tmp_path: Path) -> None:
    cones, masked = (volume_cohort(CaseSource(), split, 2) for split in (CONES, MASKED))
    assert list(cones.names) == list(masked.names) == ["9000", "9001"]
    assert cones[0].voxels.shape == (64, 64, 64) and not np.array_equal(cones[0].voxels, masked[0].voxels)
    assert list(volume_cohort(CaseSource(seed=1), CONES, 2).names) == ["9002", "9003"]
    with pytest.raises(UsageError, match="number of cones"):
        volume_cohort(CaseSource(seed=1), CONES, 600)
    store = VolumeStore.of_cubes(tmp_path / "set", ["a", "b"], ["validation", "test"], 8, 200.0, source="test")
    for row in range(2):
        store.write_cube(row, Cube(np.full((8, 8, 8), 0.2, np.float32), np.array([[-1.0] * 3, [1.0] * 3]), np.eye(4)))
    source = CaseSource(data=tmp_path / "set")
    assert volume_cohort(source, "bodies", 5)[0].side_mm == 200
    assert volume_cohort(source, "calibration", 5).names == ["a"]
    with pytest.raises(UsageError, match="only simulated knees"):
        volume_cohort(source, "shifted", 1)
