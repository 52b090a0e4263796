"""Subcutaneous fat on a leg that is drawn here."""

from __future__ import annotations

import numpy as np
import pytest

from monai_xray2mri.systems.mri_xdiffusion.baselines.given import Extent
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import BODIES, VolumeCase
from monai_xray2mri.systems.mri_xdiffusion.evaluation.fat import fat_ml, subcutaneous_fat

SIZE, MM = 48, 2.0


def leg(fat_mm: float, marrow: bool = False) -> VolumeCase:
    """A cylinder of muscle along rows, 60 mm thick, with fat around it; marrow in its middle, in a cortex."""
    middle = (np.arange(SIZE) - (SIZE - 1) / 2) * MM
    z, _, x = np.meshgrid(middle, middle, middle, indexing="ij")
    radius = np.hypot(x, z)
    voxels = np.where(radius < 30 + fat_mm, 0.3, 0.0)
    voxels[radius < 30] = 0.6
    if marrow:
        voxels[radius < 28] = 0.1
        voxels[radius < 24] = 0.3
    return VolumeCase("1", "1", BODIES, voxels.astype(np.float32), Extent(), SIZE * MM)


def test_more_fat_is_more_and_muscle_ends_it() -> None:
    thin, thick = (fat_ml(leg(mm).voxels, leg(mm)) for mm in (6.0, 12.0))
    assert 1.6 * thin < thick
    found = subcutaneous_fat(leg(12.0).voxels, leg(12.0))
    row = found[SIZE // 2, SIZE // 2]
    assert row[3:8].all() and not row[11:-11].any() and (row == row[::-1]).all()


def test_marrow_is_no_fat() -> None:
    bone = leg(12.0, marrow=True)
    assert not subcutaneous_fat(bone.voxels, bone)[SIZE // 2, SIZE // 2, 12:-12].any()
    assert fat_ml(bone.voxels, bone) == pytest.approx(fat_ml(leg(12.0).voxels, bone), rel=0.05)


def test_an_empty_volume_has_none() -> None:
    case = leg(6.0)
    assert fat_ml(np.zeros_like(case.voxels), case) == 0
