"""Edges of slices whose gradient is known."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.filters import sobel_h, sobel_v

from monai_xray2mri.systems.knee_xray2mri.evaluation.sobel import sobel_difference, sobel_magnitude


def test_a_ramp_has_its_slope() -> None:
    ramp = np.add.outer(0.3 * np.arange(12), 0.4 * np.arange(12))[None]
    np.testing.assert_allclose(sobel_magnitude(ramp)[0, 1:-1, 1:-1], 0.5, atol=1e-5)


def test_agrees_with_scikit_image_but_for_its_factor() -> None:
    image = np.random.default_rng(0).random((20, 24)).astype(np.float32)
    theirs = np.hypot(sobel_h(image), sobel_v(image)) / 2  # its kernels sum to 1 on one side, ours to a half
    np.testing.assert_allclose(sobel_magnitude(image[None])[0, 1:-1, 1:-1], theirs[1:-1, 1:-1], atol=1e-5)


def test_a_brighter_copy_has_the_same_edges_and_a_moved_one_has_not() -> None:
    volume = np.zeros((2, 16, 16), np.float32)
    volume[:, 4:12, 4:12] = 0.5
    np.testing.assert_allclose(sobel_difference(volume + 0.2, volume), 0, atol=1e-6)
    assert sobel_difference(np.roll(volume, 1, axis=2), volume).max() > 0.1
    with pytest.raises(ValueError, match="one shape"):
        sobel_difference(volume, volume[:1])
