"""Intervals and tests over participants, on data whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from monai_xray2mri.evaluation.bootstrap import bootstrap_interval, correlation, holm, paired_p_value, summarize


def test_the_interval_holds_the_true_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        low, high = bootstrap_interval(rng.exponential(2.0, 60).tolist(), draws=400)
        held += low <= 2.0 <= high
    assert 0.90 <= held / 300 <= 0.98


def test_two_knees_of_one_person_are_one_draw() -> None:
    rng = np.random.default_rng(2)
    of_people = rng.standard_normal(40)
    doubled, people = np.repeat(of_people, 2), np.repeat(np.arange(40), 2).astype(str)
    alone = np.subtract(*bootstrap_interval(of_people.tolist()))
    clustered = np.subtract(*bootstrap_interval(doubled.tolist(), people.tolist()))
    naive = np.subtract(*bootstrap_interval(doubled.tolist()))
    assert clustered == pytest.approx(alone, rel=1e-6)
    assert abs(naive) < 0.8 * abs(clustered)


def test_unequal_numbers_of_knees_keep_the_mean_over_knees() -> None:
    low, high = bootstrap_interval([1.0, 1.0, 1.0, 5.0], ["a", "a", "a", "b"])
    assert low == 1.0 and high == 5.0
    with pytest.raises(ValueError, match="participant"):
        bootstrap_interval([1.0], [])


def test_a_summary_leaves_out_what_is_missing_and_counts_the_rest() -> None:
    summary = summarize([1.0, None, 3.0, float("nan"), float("inf")], list("abcde"))
    assert (summary.median, summary.mean, summary.n) == (2.0, 2.0, 2)
    assert summary.record()["ci95"] == [1.0, 3.0]
    assert summarize([None], ["a"]).record() == {"median": None, "mean": None, "ci95": [None, None], "n": 0}


def test_p_values_of_small_sets_are_exact() -> None:
    assert paired_p_value([1.0] * 5) == pytest.approx(2 / 32)
    assert paired_p_value([1.0, -1.0]) == 1.0
    assert paired_p_value([1.0, 2.0, 1.0, 2.0], ["a", "a", "b", "b"]) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="one difference"):
        paired_p_value([])


def test_p_values_are_even_without_a_difference_and_small_with_one() -> None:
    rng = np.random.default_rng(3)
    p = [paired_p_value(rng.standard_normal(12).tolist()) for _ in range(200)]
    assert 0.01 < np.mean(np.array(p) < 0.05) < 0.1
    assert paired_p_value((rng.standard_normal(30) + 1).tolist()) < 0.001


def test_holm() -> None:
    corrected = holm({"a": 0.01, "b": 0.04, "c": 0.03})
    assert corrected == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})


def test_correlation_needs_three_pairs_that_vary() -> None:
    assert correlation([1, 2, 3], [2, 4, 6]) == pytest.approx(1.0)
    assert correlation([1, 2, np.nan, 4], [4, 3, 9, 1]) == pytest.approx(-1.0, abs=0.01)
    assert correlation([1, 2], [1, 2]) is None
    assert correlation([1, 2, 3], [5, 5, 5]) is None
