"""Predictors without a network."""

from __future__ import annotations

import numpy as np
import pytest

from monai_xray2mri.evaluation.metrics import psnr
from monai_xray2mri.systems.knee_xray2mri.evaluation.baselines import (
    NearestRadiograph,
    mean_volume,
    radiograph_features,
)


def _cases(count: int = 6) -> list[tuple[np.ndarray, np.ndarray, dict[str, int | None]]]:
    random = np.random.default_rng(0)
    pictures = random.random((count, 80, 90)).astype(np.float32)
    volumes = random.random((count, 3, 8, 8)).astype(np.float32)
    return [(pictures[i], volumes[i], {"XRKL": i % 5, "XRJSM": None}) for i in range(count)]


def test_the_mean_has_the_least_squared_error_of_all_constants() -> None:
    cases = _cases()
    volumes = [volume for _, volume, _ in cases]
    mean = mean_volume(iter(volumes))
    np.testing.assert_allclose(mean, np.mean(volumes, axis=0), rtol=1e-5)
    random = np.random.default_rng(1)
    least = sum(np.square(mean - volume).sum() for volume in volumes)
    for _ in range(5):
        moved = mean + 0.01 * random.standard_normal(mean.shape)
        assert sum(np.square(moved - volume).sum() for volume in volumes) > least


def test_the_nearest_radiograph_of_a_training_knee_is_its_own() -> None:
    cases = _cases()
    predictor = NearestRadiograph().fit(iter(cases))
    for position, (radiograph, volume, grades) in enumerate(cases):
        assert predictor.nearest(radiograph, grades) == (position, pytest.approx(0, abs=1e-6))
        np.testing.assert_allclose(predictor.predict(radiograph, grades), volume, atol=0.5 / 255 + 1e-6)
        assert psnr(predictor.predict(radiograph), volume, 1.0) > 54


def test_exposure_and_contrast_of_the_radiograph_count_for_nothing() -> None:
    cases = _cases()
    predictor = NearestRadiograph().fit(cases)
    darker = 0.2 + 0.5 * cases[3][0]
    assert predictor.nearest(darker) == (3, pytest.approx(0, abs=1e-5))


def test_the_distance_is_that_of_the_correlation() -> None:
    random = np.random.default_rng(2)
    one, other = random.random((2, 96, 96))
    predictor = NearestRadiograph().fit([(one, np.zeros((1, 2, 2)), {})])
    small = [radiograph_features(each).astype(float) for each in (one, other)]
    correlation = np.corrcoef(*small)[0, 1]
    assert predictor.nearest(other)[1] == pytest.approx(np.sqrt(2 - 2 * correlation), abs=1e-4)


def test_gradings_decide_between_equal_radiographs() -> None:
    picture, volumes = _cases()[0][0], np.linspace(0, 1, 3)[:, None, None, None] * np.ones((3, 2, 2))
    cases = [(picture, volume, {"XRKL": grade}) for grade, volume in enumerate(volumes)]
    assert NearestRadiograph(grade_weight=1.0).fit(cases).nearest(picture, {"XRKL": 2}) == (2, pytest.approx(0))
    assert NearestRadiograph().fit(cases).nearest(picture, {"XRKL": 2})[0] == 0


def test_a_second_fit_forgets_the_first_and_a_failed_one_leaves_nothing() -> None:
    cases = _cases()
    predictor = NearestRadiograph().fit(cases)
    predictor.fit(cases[4:])
    assert predictor.nearest(cases[4][0])[0] == 0
    with pytest.raises(ValueError, match="one shape"):
        predictor.fit([cases[0], (cases[1][0], np.zeros((1, 2, 2)), {})])
    with pytest.raises(ValueError, match="fit the predictor"):
        predictor.predict(cases[0][0])


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="one volume"):
        mean_volume([])
    with pytest.raises(ValueError, match="one shape"):
        mean_volume([np.zeros((1, 2, 2)), np.zeros((2, 2, 2))])
    with pytest.raises(ValueError, match="one case"):
        NearestRadiograph().fit([])
    with pytest.raises(ValueError, match="fit the predictor"):
        NearestRadiograph().predict(np.zeros((64, 64)))
    with pytest.raises(ValueError, match="0 to 1"):
        NearestRadiograph().fit([(np.zeros((64, 64)), np.full((1, 2, 2), 2.0), {})])
    with pytest.raises(ValueError, match="32 x 32"):
        radiograph_features(np.zeros((16, 64)))
    with pytest.raises(ValueError, match="grade_weight"):
        NearestRadiograph(-1.0)
