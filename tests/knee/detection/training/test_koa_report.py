"""Measures of the classifier against numbers worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_xray2mri.cli import main
from monai_xray2mri.knee.detection.training.koa_report import (
    balanced_accuracy,
    confusion_matrix,
    expected_calibration_error,
    measures,
    quadratic_weighted_kappa,
)


def test_the_confusion_matrix_counts_grades_in_rows() -> None:
    matrix = confusion_matrix(np.array([0, 0, 4]), np.array([0, 1, 3]))
    assert matrix.sum() == 3
    assert matrix[0, 0] == matrix[0, 1] == matrix[4, 3] == 1


def test_balanced_accuracy_ignores_grades_that_do_not_occur() -> None:
    matrix = confusion_matrix(np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 0]))
    assert balanced_accuracy(matrix) == pytest.approx((0.75 + 0.5) / 2)


def test_kappa_is_one_for_agreement_zero_for_chance_and_knows_the_size_of_errors() -> None:
    grades = np.repeat(np.arange(5), 10)
    assert quadratic_weighted_kappa(confusion_matrix(grades, grades)) == 1
    assert quadratic_weighted_kappa(np.outer([1, 2, 3, 2, 1], [2, 2, 2, 2, 1])) == pytest.approx(0)
    near, far = np.clip(grades + 1, 0, 4), np.where(grades == 0, 4, grades)
    by_near, by_far = (quadratic_weighted_kappa(confusion_matrix(grades, each)) for each in (near, far))
    assert (grades != far).sum() < (grades != near).sum()
    assert by_far < by_near
    # Two grades, one error in four: 1 - (1 / 4) / (1 / 2) by the formula.
    assert quadratic_weighted_kappa(np.pad([[1, 1], [0, 2]], (0, 3))) == pytest.approx(0.5)


def test_the_calibration_error_is_the_gap_of_confidence_and_accuracy() -> None:
    p = np.tile([0.8, 0.2, 0, 0, 0], (10, 1))
    assert expected_calibration_error(p, np.array([0] * 8 + [1] * 2)) == pytest.approx(0)
    assert expected_calibration_error(p, np.array([0] * 5 + [1] * 5)) == pytest.approx(0.3)


def test_measures_lie_within_their_intervals_and_are_the_same_again() -> None:
    random = np.random.default_rng(0)
    grades = random.integers(0, 5, 200)
    p = np.eye(5)[grades] + 0.8 * random.random((200, 5))
    found = measures(p / p.sum(axis=1, keepdims=True), grades)
    assert found["accuracy_95"][0] <= found["accuracy"] <= found["accuracy_95"][1]
    low, high = found["quadratic_weighted_kappa_95"]
    assert low <= found["quadratic_weighted_kappa"] <= high
    assert found["within_one_grade"] >= found["accuracy"]
    assert np.sum(found["confusion"]) == 200
    assert found == measures(p / p.sum(axis=1, keepdims=True), grades)


def test_the_command_judges_the_shipped_classifier(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    for number, grade in enumerate((0, 2, 4, 1)):
        folder = tmp_path / "real" / "val" / str(grade)
        folder.mkdir(parents=True)
        Image.fromarray(random.integers(0, 255, (224, 224), dtype=np.uint8)).save(folder / f"{number + 10}R.jpg")
    call = ["measure", "koa", "--real", str(tmp_path / "real"), "--output", str(tmp_path / "report.json")]
    assert main(call) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == json.loads((tmp_path / "report.json").read_text())
    assert report["validation crops of real"]["knees"] == 4
