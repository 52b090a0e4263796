from __future__ import annotations

import numpy as np
import pytest

from monai_xray2mri.knee.realism.visibility import (
    _window,
    grades_alone,
    leaks,
    other_grades,
    radiographs,
    site_features,
)
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.simulation.knee.people.grades import patient_grades
from monai_xray2mri.simulation.knee.people.seeds import LESION_ENRICHED

KNEES = 150


@pytest.fixture(scope="module")
def grades() -> list[dict[str, int]]:
    return [patient_grades(seed) for seed in LESION_ENRICHED[:KNEES]]


@pytest.fixture(scope="module")
def grounds() -> np.ndarray:
    """Flat radiographs of the right size with noise, in which nothing can be seen."""
    size = radiographs(LESION_ENRICHED[:1], 0.0).shape[1:]
    return (0.5 + 0.05 * np.random.default_rng(0).normal(size=(KNEES, *size))).astype(np.float32)


def test_nothing_is_read_from_noise(grounds, grades):
    for leak in leaks(grounds, grades).values():
        assert leak.low < 0.5
        assert leak.both < 0.65


def test_what_is_painted_in_is_read(grounds, grades):
    images = grounds.copy()
    for image, knee in zip(images, grades, strict=True):
        if knee["XRCYTM"]:
            rows, columns = _window("XRCYTM")
            middle = (rows.start + rows.stop) // 2, (columns.start + columns.stop) // 2
            image[middle[0] - 8 : middle[0] + 8, middle[1] - 8 : middle[1] + 8] -= 0.03
    found = leaks(images, grades)
    assert found["XRCYTM"].both > 0.9
    assert found["XRCYTM"].gain > 0.3
    assert found["XRATTL"].both < 0.65


def test_sites_lie_on_their_sides_and_in_the_picture(grounds):
    middle = grounds.shape[2] / 2
    for stem in LESION_FEATURES:
        rows, columns = _window(stem)
        assert 0 <= rows.start < rows.stop <= grounds.shape[1]
        assert 0 <= columns.start < columns.stop <= grounds.shape[2]
        center = (columns.start + columns.stop) / 2
        assert (center > middle) == stem.endswith("M")
    assert _window("XRCYFM")[0].stop < _window("XRCYTM")[0].start + 30


def test_features_do_not_depend_on_exposure(grounds):
    first, second = site_features(grounds[:2], "XRCHM"), site_features(0.5 * grounds[:2] + 0.2, "XRCHM")
    assert np.allclose(first, second, atol=2e-2)


def test_the_other_grades_hold_not_the_feature_itself(grades):
    changed = [{**knee, "XRATTM": 1 - knee["XRATTM"]} for knee in grades]
    assert np.array_equal(other_grades(grades, "XRATTM"), other_grades(changed, "XRATTM"))


def test_hidden_features_are_tossed_up_in_the_enriched_range(grades):
    for stem in LESION_FEATURES:
        share = np.mean([knee[stem] for knee in grades])
        assert 0.35 < share < 0.65


def test_grades_tell_something_in_patients_as_oai_has_them():
    found = grades_alone(1500)
    assert set(found) == set(LESION_FEATURES)
    assert found["XRATTM"] is not None
    assert found["XRATTM"] > 0.75  # attrition comes with narrowing
