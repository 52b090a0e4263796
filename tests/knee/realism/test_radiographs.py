from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from monai_xray2mri.cli import main
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.realism.appearance import FAMILIES
from monai_xray2mri.knee.realism.discrimination import (
    FOLDS,
    NetworkScorer,
    area_under_curve,
    cross_validated_scores,
    discrimination,
    logistic_scores,
)
from monai_xray2mri.knee.realism.radiographs import (
    compare,
    grades_of,
    load_real_regions,
    matched_seeds,
    public_crop,
    side_by_side,
)
from monai_xray2mri.simulation.knee.patient import draw_patient_knee

PEOPLE = [f"p{i}" for i in range(20)]


def noise(count: int, seed: int, blur: int = 1) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=(count, 256 + blur, 256 + blur)).astype(np.float32)
    smooth = sum(values[:, i : i + 256, j : j + 256] for i in range(blur) for j in range(blur)) / blur
    return np.clip(0.3 * smooth, -1, 1).astype(np.float32)


def test_area_under_curve_counts_the_pairs():
    truth = np.array([0, 0, 1, 1])
    assert area_under_curve(np.array([1.0, 2, 3, 4]), truth) == 1
    assert area_under_curve(np.array([3.0, 4, 1, 2]), truth) == 0
    assert area_under_curve(np.array([1.0, 3, 2, 4]), truth) == 0.75
    assert area_under_curve(np.ones(4), truth) == 0.5


def test_nobody_is_judged_by_a_classifier_that_saw_them():
    groups = np.array([f"g{i // 2}" for i in range(40)])
    truth = np.repeat((0.0, 1.0), 20)
    codes = np.arange(40)[:, None] // 2
    judged = []

    def scorer(data: np.ndarray, _truth: np.ndarray, test: np.ndarray, _seed: int) -> np.ndarray:
        assert not set(data.ravel()) & set(test.ravel())
        judged.extend(test.ravel().tolist())
        return np.zeros(len(test))

    cross_validated_scores(codes, truth, groups, scorer, 3, seed=0)
    assert sorted(judged) == sorted(codes.ravel().tolist() * 3)


def test_logistic_regression_finds_a_difference_and_invents_none():
    generator = np.random.default_rng(0)
    truth, groups = np.repeat((0.0, 1.0), 60), np.array([f"g{i}" for i in range(120)])
    data = generator.normal(size=(120, 10))
    nothing = discrimination(cross_validated_scores(data, truth, groups, logistic_scores, 4, 0), truth, groups)
    assert nothing.low < 0.5 < nothing.high
    data[:, 3] += 2 * truth
    found = discrimination(cross_validated_scores(data, truth, groups, logistic_scores, 4, 0), truth, groups)
    assert found.low > 0.8


@pytest.mark.parametrize("family", FAMILIES)
def test_features_are_finite_and_one_row_per_image(family):
    features = FAMILIES[family](noise(3, 0))
    assert features.shape[0] == 3
    assert np.isfinite(features).all()


def test_what_differs_is_named():
    sharp, smooth = noise(20, 1), noise(20, 2, blur=2)
    found = compare(sharp, PEOPLE, smooth, networks=False)
    assert found["power spectrum"].auc > 0.99
    assert found["layout"].auc < 0.75


def test_images_of_one_kind_are_not_told_apart():
    found = compare(noise(20, 3), PEOPLE, noise(20, 4), networks=False)
    assert all(one.auc < 0.8 and one.low < 0.6 for one in found.values())


def test_small_network_learns_texture():
    images = np.concatenate((noise(10, 5), noise(10, 6, blur=3)))
    truth = np.repeat((0.0, 1.0), 10)
    scorer = NetworkScorer(64, steps=25)
    scores = scorer(images, truth, np.concatenate((noise(6, 7), noise(6, 8, blur=3))), 0)
    assert area_under_curve(scores, np.repeat((0.0, 1.0), 6)) == 1
    np.testing.assert_allclose(scores[:6], scorer(images, truth, noise(6, 7), 0), rtol=1e-4)


def test_too_few_images_are_refused():
    with pytest.raises(InputRefused, match=f"needs {2 * FOLDS} people"):
        compare(noise(4, 0), PEOPLE[:4], noise(20, 1))


def test_real_crops_are_read_as_right_knees(shared_data):
    folder = shared_data / "knee_xray_rois_raw"
    regions, people = load_real_regions(folder)
    assert regions.shape == (71, 256, 256)
    assert np.abs(regions).max() <= 1
    assert len(set(people)) < 71
    grades = grades_of(folder)
    assert grades is not None
    assert set(grades) == {0, 1, 2, 3, 4}


def test_left_knees_are_mirrored_and_folders_name_grades(tmp_path):
    picture = np.tile(np.linspace(0, 255, 299).astype(np.uint8), (299, 1))
    for name in ("3/9000001R.png", "0/9000001L.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(picture).save(tmp_path / name)
    regions, people = load_real_regions(tmp_path)
    assert people == ["9000001", "9000001"]
    assert grades_of(tmp_path) == [0, 3]
    assert regions[0][128, 10] > 0.5
    assert regions[1][128, 10] < -0.5


def test_folder_without_crops_is_refused(tmp_path):
    with pytest.raises(InputRefused, match="must hold crops"):
        load_real_regions(tmp_path)
    assert grades_of(tmp_path) is None


def test_seeds_match_the_grades():
    seeds = matched_seeds([0, 0, 1, 4], 8)
    grades = [draw_patient_knee(seed)[1].grade("XRKL") for seed in seeds]
    assert sorted(grades) == [0, 0, 0, 0, 1, 1, 4, 4]


def test_public_crop_is_a_film_of_the_knee():
    first = public_crop(1_000_001)
    assert first.shape == (299, 299)
    assert 0 <= first.min() < first.max() <= 1
    assert np.array_equal(first, public_crop(1_000_001))


def test_command_prints_scores_and_draws_a_sheet(tmp_path, shared_data, capsys):
    sheet, folder = tmp_path / "sheet.png", tmp_path / "real"
    folder.mkdir()
    for path in sorted((shared_data / "knee_xray_rois_raw").rglob("*R.png"))[:12]:
        shutil.copy(path, folder)
    call = ["measure", "realism", "--real", str(folder), "--knees", "10", "--linear-only", "--sheet", str(sheet)]
    assert main(call) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["real"], record["simulated"]) == (12, 10)
    assert {"grey histogram", "layout"} < set(record)
    with Image.open(sheet) as picture:
        assert picture.size == (6 * 260, 4 * 260)


def test_sheet_alternates_real_and_simulated_rows():
    sheet = side_by_side(np.full((12, 256, 256), -1.0), np.full((12, 256, 256), 1.0))
    assert sheet[10, 10] == 0
    assert sheet[270, 10] == 255
