"""The lesion detector, contrast and response."""

from __future__ import annotations

import numpy as np
import pytest

from monai_xray2mri.knee.measures.crop import SIDES, joint_crop
from monai_xray2mri.knee.measures.lesions import (
    best_threshold,
    detect_lesions,
    lesion_contrast,
    lesion_response,
    lesion_volumes,
    shipped_thresholds,
)
from monai_xray2mri.knee.measures.parts import PART_OF_LESION, Part
from monai_xray2mri.knee.measures.surfaces import JointReading
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.simulation.knee.knee import SimulatedKnee, simulate_knee
from monai_xray2mri.simulation.knee.people.seeds import VALIDATION


def test_all_lesions_are_found_and_none_where_there_are_none(knee: SimulatedKnee, lesioned_knee: SimulatedKnee) -> None:
    assert detect_lesions(knee.volume, knee.affine) == dict.fromkeys(LESION_FEATURES, False)
    assert detect_lesions(lesioned_knee.volume, lesioned_knee.affine) == dict.fromkeys(LESION_FEATURES, True)
    assert detect_lesions(lesioned_knee.noise_free, lesioned_knee.affine) == dict.fromkeys(LESION_FEATURES, True)


@pytest.mark.parametrize("side", ["M", "L"])
def test_lesions_are_found_in_their_compartment(side: str) -> None:
    expected = {stem: stem.endswith(side) for stem in LESION_FEATURES}
    one = simulate_knee(VALIDATION[9], grades={stem: int(is_there) for stem, is_there in expected.items()})
    assert detect_lesions(one.volume, one.affine) == expected


def test_volumes_are_those_of_the_voxels(knee: SimulatedKnee) -> None:
    """7 voxels of a medial femoral cyst and 3 of lateral crystals."""
    crop = joint_crop(knee.volume, knee.affine)
    parts = np.zeros((len(Part), *crop.values.shape), np.float32)
    parts[Part.OTHER] = 0.5
    medial, lateral = (np.flatnonzero(SIDES[side] * crop.x > 20)[0] for side in "ML")
    parts[Part.FEMORAL_CYST, 10, 20:27, medial] = 0.9
    parts[Part.CRYSTALS, 12, 30:33, lateral] = 0.9
    found = lesion_volumes(JointReading(crop, parts, {}))
    voxel = 1.5 * 0.625 * 0.625
    expected = dict.fromkeys(LESION_FEATURES, 0.0) | {"XRCYFM": 7 * voxel, "XRCHL": 3 * voxel}
    assert found == pytest.approx(expected)


def test_every_feature_has_a_threshold() -> None:
    assert set(shipped_thresholds()) == set(PART_OF_LESION.values())
    assert all(limit > 0 for limit in shipped_thresholds().values())


def test_the_best_threshold_separates_what_can_be_separated() -> None:
    assert best_threshold([0, 1, 2, 10, 11], [False, False, False, True, True]) == pytest.approx(6)
    # One absence at 12 cannot be told apart: three of four below, all above.
    assert 2 < best_threshold([0, 1, 2, 12, 10, 11, 13], [False] * 4 + [True] * 3) <= 10
    with pytest.raises(ValueError, match="with and without"):
        best_threshold([1.0, 2.0], [True, True])


def test_contrast_is_the_mean_change_within_the_lesion() -> None:
    mask = np.zeros((2, 4, 4), bool)
    mask[0, 1:3, 1:3] = True
    absent = np.random.default_rng(0).random(mask.shape)
    assert lesion_contrast(absent + 0.4 * mask, absent, mask) == pytest.approx(0.4)
    assert lesion_contrast(absent - 0.3 * mask, absent, mask) == pytest.approx(-0.3)
    assert lesion_contrast(absent + ~mask, absent, mask) == 0
    with pytest.raises(ValueError, match="voxel"):
        lesion_contrast(absent, absent, np.zeros_like(mask))


def test_response_is_the_share_of_the_true_effect() -> None:
    random = np.random.default_rng(0)
    base, effect = random.random((2, 3, 8, 8))
    mask = np.ones(base.shape, bool)
    true = (base + effect, base)
    assert lesion_response((base + 0.5 * effect, base), true, mask) == pytest.approx(0.5)
    assert lesion_response((base, base), true, mask) == 0
    assert lesion_response(true[::-1], true, mask) == pytest.approx(-1)
    with pytest.raises(ValueError, match="truly changes"):
        lesion_response(true, (base, base), mask)


def test_the_simulator_responds_to_its_own_features(knee: SimulatedKnee, lesioned_knee: SimulatedKnee) -> None:
    true = (lesioned_knee.noise_free, knee.noise_free)
    mask = lesioned_knee.lesions > 0
    assert lesion_response((lesioned_knee.volume, knee.volume), true, mask) == pytest.approx(1, abs=0.05)
    for stem in ("XRCYFM", "XRCYTL"):
        assert lesion_contrast(*true, lesioned_knee.lesions == 1 + LESION_FEATURES.index(stem)) > 0.2
    assert lesion_contrast(*true, lesioned_knee.lesions == 1 + LESION_FEATURES.index("XRCHL")) < -0.1
