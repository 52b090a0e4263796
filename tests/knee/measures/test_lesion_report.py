"""What the report on the joint segmenter counts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from monai_xray2mri.cli import main
from monai_xray2mri.knee.measures.lesion_report import (
    MeasuredKnee,
    choose_thresholds,
    joint_space_table,
    lesion_table,
    wilson_interval,
)
from monai_xray2mri.knee.measures.lesions import shipped_thresholds
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES

LARGE = 1e6


def make_knee(present: bool, seen: bool, error: float = 0.0, attrition: int = 0) -> MeasuredKnee:
    grades = dict.fromkeys(LESION_FEATURES, int(present)) | {"XRJSM": 1, "XRJSL": 1}
    grades |= {"XRATTM": attrition} if attrition else {}
    sizes = dict.fromkeys(LESION_FEATURES, LARGE if seen else 0.0)
    true = {"M": 3.0, "L": 4.0}
    shown = dict.fromkeys(LESION_FEATURES, 500.0 if present else 0.0)
    return MeasuredKnee(grades, shown, sizes, sizes, true, {"M": 3.0 + error, "L": 4.0 + error}, true)


def test_sensitivity_and_specificity_are_counted() -> None:
    knees = [make_knee(True, True)] * 3 + [make_knee(True, False)] + [make_knee(False, False)] * 4
    knees += [make_knee(False, True)]
    for row in lesion_table(knees).values():
        assert row["sensitivity"]["value"] == 0.75
        assert row["specificity"]["value"] == 0.8
        assert (row["sensitivity"]["of"], row["specificity"]["of"]) == (4, 5)


def test_a_graded_lesion_that_is_not_there_counts_for_neither() -> None:
    knees = [make_knee(True, True), replace(make_knee(True, False), true_sizes=dict.fromkeys(LESION_FEATURES, 3.0))]
    for row in lesion_table(knees).values():
        assert (row["sensitivity"]["value"], row["sensitivity"]["of"]) == (1.0, 1)
        assert row["specificity"]["of"] == 0
        assert row["graded, not shown"] == 1


def test_wilson_interval_of_known_shares() -> None:
    assert wilson_interval(50, 100) == (0.404, 0.596)
    assert wilson_interval(10, 10) == (0.722, 1.0)
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_errors_of_the_joint_space_are_sorted_by_narrowing() -> None:
    table = joint_space_table([make_knee(False, False, 0.2), make_knee(False, False, -0.4), make_knee(True, True, 1.0)])
    assert table["narrowing 1"]["mean_absolute_mm"] == pytest.approx(0.3)
    assert table["narrowing 1"]["bias_mm"] == pytest.approx(-0.1)
    assert table["attrition"]["bias_mm"] == pytest.approx(1.0)
    assert table["all"]["compartments"] == 6
    assert table["all"]["labels_mean_absolute_mm"] == 0


def test_thresholds_lie_between_absent_and_present() -> None:
    chosen = choose_thresholds([make_knee(True, True), make_knee(False, False)] * 3)
    assert set(chosen) == {part.name.lower() for part in shipped_thresholds()}
    assert all(0 < limit < LARGE for limit in chosen.values())


def test_the_report_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", "lesions", "--split", "validation", "--knees", "1"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["knees"] == 1
    assert set(report["lesions"]) == set(LESION_FEATURES)
    assert report["joint_space"]["all"]["compartments"] == 2
