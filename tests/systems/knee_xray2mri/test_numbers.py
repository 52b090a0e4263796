"""Numbers that are read off a result: those of the true volume, of either side, whatever grid it has."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from monai_xray2mri.core.system import Measured
from monai_xray2mri.simulation import simulate_knee
from monai_xray2mri.systems.knee_xray2mri.result import KneeResult
from monai_xray2mri.types import Side, Volume

SLICES = range(13, 63)  # the modelled ones


def as_result(voxels: np.ndarray, affine: np.ndarray, side: Side) -> KneeResult:
    """A true volume [S,H,W] of a right knee, posterior first, as a result: anterior first, a left knee mirrored."""
    last = len(voxels) - 1
    turned = np.diag([1.0, 1.0, -1.0, 1.0])
    turned[2, 3] = last
    voxels, affine = voxels[::-1], affine @ turned
    if side is Side.LEFT:
        columns = np.diag([-1.0, 1.0, 1.0, 1.0])
        columns[0, 3] = voxels.shape[2] - 1
        voxels, affine = voxels[..., ::-1], np.diag([-1.0, 1.0, 1.0, 1.0]) @ affine @ columns
    return KneeResult(SimpleNamespace(side=side), Volume(voxels, affine), None, (), {})


@pytest.fixture(scope="module")
def knee():
    made = simulate_knee(1_000_001)
    affine = made.affine.copy()
    affine[:3, 3] += affine[:3, 2] * SLICES.start
    return made, np.asarray(made.volume)[list(SLICES)], affine


@pytest.mark.parametrize("side", Side)
def test_joint_spaces_are_those_of_the_truth(knee, side):
    made, voxels, affine = knee
    result = as_result(voxels, affine, side)
    assert isinstance(result, Measured)
    numbers = result.numbers()
    for name, key in (("medial", "M"), ("lateral", "L")):
        assert numbers[f"joint_space_{name}_mm"] == pytest.approx(made.truth.joint_space_mm[key], abs=1.0)


def test_other_grids_have_no_numbers(knee):
    _, voxels, affine = knee
    sparse = affine.copy()
    sparse[:3, 2] *= 5
    assert as_result(voxels[::5], sparse, Side.RIGHT).numbers() == {}


@pytest.mark.parametrize(
    ("interval", "expected"),
    [(None, {}), ({"scale": 2.0, "floor": 0.01, "level": 0.9}, {"interval_half_width_mean": 0.1})],
)
def test_the_spread_of_samples_and_its_interval_are_numbers(interval, expected):
    spread = Volume(np.full((2, 4, 4), 0.04, np.float32), np.eye(4))
    result = KneeResult(SimpleNamespace(side=Side.RIGHT), spread, spread, (), {"interval": interval})
    assert result.numbers() == pytest.approx({"spread_mean": 0.04, **expected})
