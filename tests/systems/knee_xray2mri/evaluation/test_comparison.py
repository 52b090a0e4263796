"""The comparison of methods: what a knee is measured by, and what its tables say."""

from __future__ import annotations

import numpy as np
import pytest

from monai_xray2mri.evaluation.plots import png, svg
from monai_xray2mri.evaluation.study import Profile
from monai_xray2mri.systems.knee_xray2mri.evaluation import pictures
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import (
    EvaluationKnee,
)
from monai_xray2mri.systems.knee_xray2mri.evaluation.figures import FIGURES
from monai_xray2mri.systems.knee_xray2mri.evaluation.ruler import JOINT, KneeRuler, cartilage_mm, dice
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import KneeSetting
from monai_xray2mri.systems.knee_xray2mri.evaluation.studies import (
    comparison,
)
from monai_xray2mri.systems.knee_xray2mri.evaluation.summary import comparison_metrics
from tests.systems.knee_xray2mri.evaluation.conftest import recorded


def test_a_perfect_prediction_is_measured_as_such(case: EvaluationKnee) -> None:
    ruler = KneeRuler(case)
    row = ruler.measure(case.volume)
    assert row["psnr"] == np.inf and row["mae"] == 0 and row["sobel_difference"] == 0
    assert row["ssim"] == pytest.approx(1) and row["rssim"] == pytest.approx(1) and row["edge_agreement"] == 1
    assert row["dice_femur"] == row["dice_tibia"] == 1 and row["cartilage_error_mm"] == 0
    assert row["joint_space_width_error_mm"] < 1
    assert ruler.lesions["XRCYFM"] is True and ruler.lesions["XRCYFL"] is False
    assert row["lesion_expression"] == 1 and row["lesion_false_expression"] <= 1 / 7
    medial, lateral = cartilage_mm(ruler.reading)
    assert 1 < medial < 8 and 1 < lateral < 8


def test_dice() -> None:
    assert dice(np.array([True, True, False]), np.array([True, False, False])) == pytest.approx(2 / 3)
    assert dice(np.zeros(3, bool), np.zeros(3, bool)) == 1


def test_the_joint_lies_in_the_measured_slices() -> None:
    assert len(JOINT) == 30 and list(JOINT) == list(range(JOINT[0], JOINT[-1] + 1))


def test_the_comparison_of_methods(case: EvaluationKnee, setting: KneeSetting) -> None:
    rows = recorded(comparison.measure(setting, case), case)
    assert [row["method"] for row in rows] == ["true volume", "tiny", "mean slice"]
    tiny, mean = rows[1:]
    assert mean["psnr"] > 100 > tiny["psnr"]  # the mean of this very knee
    assert mean["coverage90"] is None and 0 <= tiny["coverage90"] <= 1
    assert tiny["psnr_mean8"] > tiny["psnr_few"]
    made = {table.name: table for table in comparison.tables(rows)}
    assert set(made) == {
        "comparison", "comparison_more", "comparison_tests", "comparison_grades", "comparison_kid",
    }  # fmt: skip
    told = comparison_metrics(rows)
    assert list(told["methods"]) == ["tiny", "mean slice"]
    assert list(told["methods"]["tiny"]) == list(comparison.METRICS)
    assert told["methods"]["mean slice"]["coverage90"] == {"median": None, "mean": None, "ci95": [None, None], "n": 0}
    assert told["methods"]["tiny"]["psnr"]["n"] == 1
    assert 0.5 < told["true_volume"]["adjacent_slice_correlation"]["mean"] < 1
    for figure in FIGURES["comparison"]:
        assert png(figure.draw(rows)).startswith(b"\x89PNG")
    assert svg(FIGURES["comparison"][1].draw(rows)) == svg(FIGURES["comparison"][1].draw(rows))
    assert png(pictures.comparison_sheet(setting, [case])).startswith(b"\x89PNG")
    assert pictures.one_of_each_grade(rows) == [case.name]


def test_how_many_knees_are_examined_again() -> None:
    for stride, share in ((1, 1), (5, 3), (10, 5)):
        assert sum(comparison.has_ceiling(seed, Profile("p", stride)) for seed in range(30)) == 30 / share


def test_differences_between_methods_are_paired(setting: KneeSetting) -> None:
    rows = [
        {"method": method, "case": str(knee), "participant": str(knee), "grade": knee % 2, "features": [[0.0, knee]],
         **dict.fromkeys((*comparison.METRICS, *comparison.MORE), knee + gain)}
        for knee in range(8) for method, gain in (("true volume", 0), ("a", 0.5), ("b", 0.0))
    ]  # fmt: skip
    tests = next(table for table in comparison.tables(rows) if table.name == "comparison_tests")
    measure, first, second, gain, p, corrected, knees = tests.rows[0]
    assert (measure, first, second, gain, knees) == ("psnr", "a", "b", "+0.5000", 8)
    assert p == corrected == f"{2 / 256:.4f}"
