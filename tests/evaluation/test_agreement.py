"""Equivalence within bounds, and limits of agreement."""

from __future__ import annotations

import numpy as np
import pytest

from monai_xray2mri.evaluation.agreement import DIFFERENT, EQUIVALENT, UNDECIDED, equivalence, limits_of_agreement


def test_equivalence_is_two_one_sided_t_tests() -> None:
    """Ten differences of mean 0.3 and standard deviation 1: the 90 % interval is 0.3 -+ 1.833 / sqrt(10)."""
    differences = np.linspace(-1, 1, 10)
    differences = 0.3 + differences / differences.std(ddof=1)
    found = equivalence(differences, 1.0)
    assert found is not None and found.ci90 == pytest.approx((-0.2797, 0.8797), abs=1e-3)
    assert found.verdict == EQUIVALENT and found.p < 0.05 and found.n == 10
    for bound, verdict in ((0.8, UNDECIDED), (0.05, UNDECIDED)):
        tested = equivalence(differences, bound)
        assert tested is not None and tested.verdict == verdict and tested.p > 0.05
    away = equivalence(differences + 5, 1.0)
    assert away is not None and away.verdict == DIFFERENT


def test_no_difference_found_is_not_equivalence() -> None:
    """Few and noisy pairs: a t test finds nothing, and neither does the test of equivalence."""
    found = equivalence([-3.0, 2.0, 1.5], 1.0)
    assert found is not None and found.verdict == UNDECIDED
    assert equivalence([0.1, np.nan, 0.2], 1.0) is None
    with pytest.raises(ValueError, match="above 0"):
        equivalence([0.1, 0.2, 0.3], 0.0)


def test_limits_of_agreement_are_bias_and_two_standard_deviations() -> None:
    assert limits_of_agreement([1.0, 3.0, np.nan]) == pytest.approx((2.0, 2 - 1.96 * 2**0.5, 2 + 1.96 * 2**0.5))
    with pytest.raises(ValueError, match="two differences"):
        limits_of_agreement([1.0])
