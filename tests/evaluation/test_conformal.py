"""The guarantees of the calibration, on data whose distribution is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from monai_xray2mri.errors import UsageError
from monai_xray2mri.evaluation.conformal import (
    SCALES,
    controlled_scale,
    hoeffding_bentkus,
    interval,
    loss_curve,
    needed_scales,
    risk_controlling_scale,
)


def knee_losses(rng: np.random.Generator, knees: int, voxels: int = 60) -> np.ndarray:
    """Loss curves of knees whose errors have a size of their own each: voxels of one knee are not independent."""
    sizes = np.exp(0.5 * rng.standard_normal(knees))
    return np.stack([loss_curve(np.abs(size * rng.standard_normal(voxels))) for size in sizes])


def test_a_loss_curve_falls_from_one_to_nothing() -> None:
    curve = loss_curve(np.array([0.1, 1.0, 10.0]), np.array([0.05, 0.5, 5.0, 50.0]))
    assert curve.tolist() == pytest.approx([1.0, 2 / 3, 1 / 3, 0.0])


def test_the_expected_loss_of_new_knees_is_controlled_and_not_wasted() -> None:
    """Over calibration sets the mean loss of new knees is at most 10 %, and not much less."""
    rng = np.random.default_rng(0)
    fresh = knee_losses(rng, 800).mean(axis=0)
    found = [controlled_scale(knee_losses(rng, 100), 0.1) for _ in range(80)]
    risks = np.interp(np.log(found), np.log(SCALES), fresh)
    assert 0.075 < risks.mean() < 0.104


def test_the_one_sided_bound_holds_in_all_but_a_tenth_of_the_sets() -> None:
    rng = np.random.default_rng(1)
    fresh = knee_losses(rng, 800).mean(axis=0)
    found = [risk_controlling_scale(knee_losses(rng, 100), 0.1, 0.1) for _ in range(60)]
    risks = np.interp(np.log(found), np.log(SCALES), fresh)
    assert (risks > 0.1).mean() <= 0.1
    assert risks.mean() < 0.09


def test_too_few_knees_are_refused() -> None:
    losses = np.zeros((5, len(SCALES)))
    with pytest.raises(UsageError, match="more cases"):
        controlled_scale(losses, 0.1)  # 1 / 6 alone is more than a tenth
    with pytest.raises(UsageError, match="more cases"):
        risk_controlling_scale(np.zeros((10, len(SCALES))), 0.1, 0.1)


def test_hoeffding_bentkus_is_the_lesser_of_both_and_one_above_alpha() -> None:
    assert hoeffding_bentkus(0.2, 100, 0.1) == 1.0
    bentkus = np.e * binom.cdf(4, 100, 0.1)
    divergence = 0.04 * np.log(0.04 / 0.1) + 0.96 * np.log(0.96 / 0.9)
    assert hoeffding_bentkus(0.04, 100, 0.1) == pytest.approx(min(bentkus, np.exp(-100 * divergence)))
    assert hoeffding_bentkus(0.0, 50, 0.1) == pytest.approx(min(0.9**50, np.e * 0.9**50))


def test_the_needed_scale_is_the_one_whose_interval_just_reaches_the_truth() -> None:
    rng = np.random.default_rng(2)
    samples, truth = rng.uniform(0.3, 0.5, (8, 40)), rng.uniform(0.2, 0.6, 40)
    needed = needed_scales(samples, truth, floor=0.02)
    for factor, inside in ((1.001, True), (0.999, False)):
        half = factor * needed * (samples.std(axis=0, ddof=1) + 0.02)
        assert ((np.abs(truth - samples.mean(axis=0)) <= half) == inside).all()
    low, high = interval(samples, 2.0, 0.02)
    assert (low >= 0).all() and (high <= 1).all() and (low < high).all()
    assert (((truth >= low) & (truth <= high)) == (needed <= 2.0)).all()
    with pytest.raises(ValueError, match="two samples"):
        interval(samples[:1])
