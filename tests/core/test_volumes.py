"""Where volumes lie, and how a network's output becomes a result."""

from __future__ import annotations

import numpy as np
import pytest

from monai_xray2mri.core.volumes import mean_and_spread, to_patient_space, volume_affine
from monai_xray2mri.types import Volume


def test_both_orders_of_slices_lie_at_the_same_place() -> None:
    anterior = volume_affine(6, 5, 4, 0.5, 1.5, center=(1.0, -3.0, 0.25))
    posterior = volume_affine(6, 5, 4, 0.5, 1.5, center=(1.0, -3.0, 0.25), posterior_first=True)
    for slice_ in range(4):
        np.testing.assert_array_equal(anterior @ (2, 3, slice_, 1), posterior @ (2, 3, 3 - slice_, 1))
    assert np.linalg.det(anterior[:3, :3]) > 0 > np.linalg.det(posterior[:3, :3])
    np.testing.assert_array_equal(anterior @ (2.5, 2, 1.5, 1), (1.0, -3.0, 0.25, 1))


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_result_begins_at_the_front_and_at_the_patients_right(mirrored: bool) -> None:
    voxels = np.full((3, 4, 5), -1, np.float32)
    voxels[0, 1, 4] = 1.0  # posterior, at the left of a right side
    result = to_patient_space(voxels, 0.5, 1.5, mirrored=mirrored)
    assert np.argwhere(result.voxels == 1).tolist() == [[2, 1, 0 if mirrored else 4]]
    assert result.voxels.min() == 0 and result.voxels.dtype == np.float32
    assert result.spacing == (0.5, 0.5, 1.5)


def test_one_sample_has_no_spread() -> None:
    volume = Volume(np.ones((2, 3, 4), np.float32), np.eye(4))
    assert mean_and_spread([volume])[1] is None
    mean, spread = mean_and_spread([volume, Volume(3 * volume.voxels, volume.affine)])
    assert spread is not None and (mean.voxels == 2).all()
    np.testing.assert_allclose(spread.voxels, np.sqrt(2))
