"""Rigid alignment with a known answer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from monai_xray2mri.evaluation.alignment import align_rigidly, psnr_aligned
from monai_xray2mri.evaluation.metrics import psnr
from monai_xray2mri.simulation.knee.people.seeds import VALIDATION
from monai_xray2mri.systems.knee_xray2mri.evaluation.ceilings import REDRAWN, examine_again

SPACING = (1.5, 0.625, 0.625)
MODELED = slice(13, 63)


def _blobs() -> np.ndarray:
    random = np.random.default_rng(0)
    volume = ndimage.gaussian_filter(random.random((24, 96, 96)), (2, 5, 5))
    return ((volume - volume.min()) / np.ptp(volume)).astype(np.float32)


@pytest.mark.parametrize("shift_mm", [(0.0, 0.9, -1.3), (1.8, -0.4, 0.25)])
def test_a_known_shift_is_found_and_undone(shift_mm: tuple[float, float, float]) -> None:
    truth = _blobs()
    moved = ndimage.shift(truth, np.divide(shift_mm, SPACING), order=3, mode="nearest")
    found = align_rigidly(moved, truth, SPACING)
    np.testing.assert_allclose(found.shift_mm, np.negative(shift_mm), atol=0.06)
    assert np.abs(found.rotation_degrees).max() < 0.3
    assert not found.limited
    assert psnr(found.volume, truth, 1.0) > psnr(moved, truth, 1.0) + 8


def test_a_known_rotation_is_found() -> None:
    truth = _blobs()
    moved = ndimage.rotate(truth, 2.0, axes=(1, 2), reshape=False, order=3, mode="nearest")
    found = align_rigidly(moved, truth, SPACING)
    assert abs(found.rotation_degrees[0]) == pytest.approx(2.0, abs=0.1)
    assert np.abs(found.rotation_degrees[1:]).max() < 0.1
    assert psnr(moved, truth, 1.0) < 35
    assert psnr(found.volume, truth, 1.0) > 50


def test_the_bounds_hold() -> None:
    truth = _blobs()
    moved = ndimage.shift(truth, np.divide((0.0, 2.0, 0.0), SPACING), order=3, mode="nearest")
    found = align_rigidly(moved, truth, SPACING, limit_mm=1.0, limit_degrees=0.5)
    assert found.limited
    assert found.shift_mm[1] == pytest.approx(-1.0)
    assert np.abs(found.rotation_degrees).max() <= 0.5 + 1e-9


def test_equal_volumes_stay_as_they_are() -> None:
    truth = _blobs()
    found = align_rigidly(truth, truth, SPACING)
    np.testing.assert_array_equal(found.volume, truth)
    assert psnr_aligned(truth, truth, SPACING, 1.0) == np.inf


def test_alignment_never_lowers_psnr() -> None:
    random = np.random.default_rng(1)
    for prediction in (random.random((12, 40, 40)), np.zeros((12, 40, 40))):
        truth = random.random((12, 40, 40))
        assert psnr_aligned(prediction, truth, SPACING, 1.0) >= psnr(prediction, truth, 1.0)


def test_another_field_of_view_is_brought_back() -> None:
    """The same knee on another field of view: the shift found is the one between both affines."""
    seed = VALIDATION[7]
    first, again = (examine_again(seed, streams) for streams in ((), REDRAWN["field of view"]))
    truth, moved = first.noise_free[MODELED], again.noise_free[MODELED]
    found = align_rigidly(moved, truth, SPACING)
    offset = np.linalg.solve(first.affine[:3, :3], (again.affine - first.affine)[:3, 3])[::-1] * SPACING
    np.testing.assert_allclose(found.shift_mm, offset, atol=0.1)
    assert np.abs(found.rotation_degrees).max() < 0.2
    assert psnr(found.volume, truth, 1.0) > psnr(moved, truth, 1.0) + 3


def test_the_same_call_gives_the_same_bits() -> None:
    truth = _blobs()
    moved = ndimage.shift(truth, (0, 1.5, 0.5), order=3)
    first, second = (align_rigidly(moved, truth, SPACING).volume for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        align_rigidly(np.zeros((4, 8, 8)), np.zeros((5, 8, 8)), SPACING)
    with pytest.raises(ValueError, match="volumes"):
        align_rigidly(np.zeros((8, 8)), np.zeros((8, 8)), SPACING)
    with pytest.raises(ValueError, match="must be positive"):
        psnr_aligned(np.zeros((4, 8, 8)), np.zeros((4, 8, 8)), SPACING, 0.0)
