"""Feet of the suite: simulated ones with their truth, pairs of a folder, and what skin can tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_xray2mri.errors import UsageError
from monai_xray2mri.evaluation.suite import CaseSource
from monai_xray2mri.simulation.foot.people import foot_generator
from monai_xray2mri.simulation.foot.shape import draw_shape, skin_correlation
from monai_xray2mri.systems.foot_xray_sccdm.baselines.untrained import BASELINES, even_brightness
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.cases import (
    TEST,
    SimulatedFeet,
    foot_cohort,
    told_by_skin,
    training_feet,
)
from tests.systems.foot_xray_sccdm.evaluation.conftest import SIZE, foot_case


def test_a_simulated_foot_comes_with_its_truth() -> None:
    cohort = SimulatedFeet(TEST, 1, visibility=1.0, again_mm=(0.0,))
    assert cohort.names == ["3000000"]
    case = cohort[0]
    truth = case.known()
    assert case.photograph.shape == case.radiograph.shape == truth.bones.shape == (256, 256)
    assert truth.told == pytest.approx((truth.hallux_valgus, truth.intermetatarsal), abs=0.7)  # the skin hides nothing
    assert 0 < np.square(truth.again[0.0] - case.radiograph).mean() < 0.01
    assert case.radiograph[truth.bones].mean() > case.radiograph[~truth.bones].mean()


def test_cohorts_of_studies_and_seeds_are_apart() -> None:
    assert foot_cohort(CaseSource(), "calibration", 2).names == ["2000000", "2000001"]
    assert foot_cohort(CaseSource(seed=3), TEST, 1).names == ["3003000"]
    shown = foot_cohort(CaseSource(), "visibility 0", 1)
    assert isinstance(shown, SimulatedFeet) and shown.visibility == 0 and shown.names == ["3000000"]
    apart = foot_cohort(CaseSource(), "registration 4 mm", 1)
    assert isinstance(apart, SimulatedFeet) and apart.registration_mm == 4
    with pytest.raises(UsageError, match="1000"):
        foot_cohort(CaseSource(seed=1), TEST, 1001)


def test_what_the_skin_tells_is_no_more_than_it_shows() -> None:
    seeds = range(300)
    true = np.array([draw_shape(foot_generator(seed, "shape")).hallux_valgus for seed in seeds])
    for visibility in (0.25, 0.5):
        told = [told_by_skin(seed, visibility)[0] for seed in seeds]
        assert np.corrcoef(told, true)[0, 1] == pytest.approx(skin_correlation(visibility), abs=0.1)
    assert len({told_by_skin(seed, 0.0) for seed in seeds}) == 1  # the mean, whoever it is


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for split, count in (("test", 3), ("training", 2)):
        for seed in range(count):
            place, case = tmp_path / split / f"foot{seed}", foot_case(seed)
            place.mkdir(parents=True)
            for name, picture in (("original", case.photograph), ("xray_1", case.radiograph)):
                Image.fromarray(np.rint(picture * 255).astype(np.uint8)).save(place / f"{name}.png")
    return tmp_path


def test_pairs_of_a_folder_are_cases_without_truth(folder: Path) -> None:
    cohort = foot_cohort(CaseSource(data=folder), TEST, 2)
    assert list(cohort.names) == ["foot0", "foot1"]
    case = cohort[1]
    assert case.truth is None and case.photograph.shape == (256, 256) and case.radiograph.min() >= 0
    assert len(list(training_feet(CaseSource(data=folder), 5, {"test"}))) == 2
    with pytest.raises(UsageError, match="only simulated feet have"):
        foot_cohort(CaseSource(data=folder), "visibility 1", 1)


def test_methods_without_weights() -> None:
    training = [foot_case(seed, again=False) for seed in range(3)]
    given = foot_case(1, again=False).given()
    found = {}
    for name, kind in BASELINES.items():
        method = kind()
        if hasattr(method, "fit"):
            with pytest.raises(ValueError, match="fit the method"):
                method.predict(given, 1, 0)
            method.fit(iter(training))
        (found[name],) = method.predict(given, 1, 0)
        assert found[name].shape == (SIZE, SIZE)
    np.testing.assert_allclose(found["nearest photograph"], training[1].radiograph, atol=1 / 255)
    np.testing.assert_allclose(found["mean radiograph"], np.mean([each.radiograph for each in training], 0), atol=1e-5)
    assert any(np.allclose(found["another radiograph"], each.radiograph, atol=1 / 255) for each in training)
    assert np.array_equal(found["photograph itself"], given.photograph)


def test_brightness_does_not_tell_photographs_apart() -> None:
    photograph = foot_case(0).photograph
    np.testing.assert_allclose(even_brightness(0.5 * photograph), even_brightness(photograph), rtol=1e-5)
    assert not even_brightness(np.zeros((4, 4), np.float32)).any()
