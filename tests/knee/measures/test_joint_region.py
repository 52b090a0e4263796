"""The region of the joint for RSSIM."""

from __future__ import annotations

import numpy as np
import pytest

from monai_xray2mri.knee.measures.joint_region import JointRegion, region_from_labels, region_from_volume
from monai_xray2mri.simulation.knee.knee import SimulatedKnee
from monai_xray2mri.simulation.knee.mri.mr import Tissue
from tests.helpers.knees import acquired_affine


def test_the_thirds_of_boxes_of_bone() -> None:
    """A femur of rows 30 to 89 and a tibia of rows 96 to 125: from row 70 to row 106."""
    labels = np.zeros((20, 150, 100), np.uint8)
    labels[2:15, 30:90, 20:70] = Tissue.FEMUR
    labels[5:18, 96:126, 25:80] = Tissue.TIBIA
    affine = np.diag([1.0, -1.0, -1.0, 1.0])[:, [0, 2, 1, 3]]
    region = region_from_labels(labels, affine)
    assert (region.top, region.bottom) == (70, 106)
    assert (region.left, region.right) == (18, 82)  # 2 pixels of margin
    assert region.slices == tuple(range(5, 15))


def test_the_mask_is_the_window_in_its_slices() -> None:
    region = JointRegion(2, 5, 1, 4, (0, 2))
    mask = region.mask((3, 6, 6))
    assert mask.sum() == 2 * 3 * 3
    assert not mask[1].any()
    assert mask[2][region.window].all()


def test_volume_and_labels_agree_on_the_region(knee: SimulatedKnee) -> None:
    by_labels = region_from_labels(knee.labels, knee.affine)
    by_volume = region_from_volume(knee.volume, knee.affine)
    assert by_volume.top == pytest.approx(by_labels.top, abs=8)
    assert by_volume.bottom == pytest.approx(by_labels.bottom, abs=8)
    one, other = (region.mask(knee.labels.shape) for region in (by_labels, by_volume))
    assert (one & other).sum() / (one | other).sum() > 0.8


def test_the_region_holds_the_joint_space(knee: SimulatedKnee) -> None:
    region = region_from_labels(knee.labels, knee.affine)
    cartilage = np.isin(knee.labels, (Tissue.TIBIAL_CARTILAGE, Tissue.MENISCUS))
    assert cartilage[region.mask(knee.labels.shape)].sum() > 0.95 * cartilage[list(region.slices)].sum()


def test_bad_input_is_refused() -> None:
    affine = np.diag([1.0, -1.0, -1.0, 1.0])[:, [0, 2, 1, 3]]
    with pytest.raises(ValueError, match="femur and tibia"):
        region_from_labels(np.zeros((4, 40, 40), np.uint8), affine)
    for region in (JointRegion(0, 9, 0, 9, ()), JointRegion(5, 5, 0, 9, (0,)), JointRegion(0, 9, 0, 9, (4,))):
        with pytest.raises(ValueError, match="within the volume"):
            region.check((4, 20, 20))


def test_a_volume_without_a_joint_is_refused() -> None:
    shape = (40, 128, 160)
    with pytest.raises(ValueError, match="no slice"):
        region_from_volume(np.zeros(shape, np.float32), acquired_affine(shape))
