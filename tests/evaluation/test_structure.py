"""SSIM and RSSIM with a known answer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from monai_xray2mri.errors import UsageError
from monai_xray2mri.evaluation.structure import ssim_map, ssim_per_slice
from monai_xray2mri.knee.measures.joint_region import JointRegion, region_from_labels
from monai_xray2mri.knee.measures.rssim import bone_edges, edge_agreement, region_ssim, rssim, rssim_floor
from monai_xray2mri.runtime.optional import optional_library
from monai_xray2mri.simulation.knee.knee import SimulatedKnee

WHOLE = JointRegion(0, 64, 0, 64, (0,))


def _square(left: int, top: int = 20) -> np.ndarray:
    picture = np.zeros((1, 64, 64))
    picture[0, top : top + 24, left : left + 24] = 1
    return picture


def test_ssim_of_a_volume_with_itself_is_one() -> None:
    volume = np.random.default_rng(0).random((2, 32, 32))
    assert ssim_per_slice(volume, volume, 1.0) == pytest.approx(1)


def test_ssim_of_constant_images_is_the_luminance_term() -> None:
    a, b, c1 = 0.3, 0.6, 0.01**2
    expected = (2 * a * b + c1) / (a * a + b * b + c1)
    assert ssim_per_slice(np.full((1, 32, 32), a), np.full((1, 32, 32), b), 1.0) == pytest.approx(expected)


def test_ssim_depends_on_the_stated_range_alone_and_not_on_the_data() -> None:
    one, other = np.random.default_rng(0).random((2, 1, 32, 32))
    assert ssim_per_slice(one, other, 1.0) == pytest.approx(ssim_per_slice(255 * one, 255 * other, 255.0))
    assert ssim_per_slice(one, other, 2.0) > ssim_per_slice(one, other, 1.0)


def test_ssim_agrees_with_torchmetrics() -> None:
    random = np.random.default_rng(0)
    one = random.random((1, 48, 48))
    other = np.clip(one + 0.1 * random.standard_normal(one.shape), 0, 1)
    mine = ssim_map(one[0], other[0], 1.0)[8:-8, 8:-8].mean()  # both treat borders in their own way
    _, theirs = structural_similarity_index_measure(
        torch.from_numpy(one)[None], torch.from_numpy(other)[None], data_range=1.0, return_full_image=True
    )
    assert mine == pytest.approx(float(theirs[0, 0, 8:-8, 8:-8].mean()), abs=2e-3)


def test_edges_lie_on_the_outline() -> None:
    edges = bone_edges(_square(20)[0], 1.0)
    rows, columns = np.nonzero(edges)
    assert 75 <= edges.sum() <= 100
    assert {rows.min(), columns.min()} <= {19, 20}
    assert {rows.max(), columns.max()} <= {43, 44}
    assert not edges[24:40, 24:40].any()


def test_rssim_is_one_for_itself_and_the_floor_without_edges() -> None:
    truth = _square(20)
    floor = rssim_floor(truth, WHOLE, 1.0)
    assert rssim(truth, truth, WHOLE, 1.0) == pytest.approx(1)
    assert rssim(np.full_like(truth, 0.4), truth, WHOLE, 1.0) == pytest.approx(floor)
    assert 0 < floor < 0.9
    assert rssim(_square(28), truth, WHOLE, 1.0) < floor


def test_rssim_sees_edges_alone() -> None:
    """Half the brightness leaves the edges of a square where they are; SSIM of the intensities sees the difference."""
    truth = _square(20)
    assert rssim(0.5 * truth, truth, WHOLE, 1.0) > 0.95
    assert region_ssim(0.5 * truth, truth, WHOLE, 1.0) < 0.95


def test_only_the_region_counts() -> None:
    truth, prediction = _square(6), _square(6)
    prediction[0, 50:60, 46:60] = 1
    left = JointRegion(0, 64, 0, 36, (0,))
    assert rssim(prediction, truth, left, 1.0) == pytest.approx(1)
    assert edge_agreement(prediction, truth, left, 1.0) == 1
    assert region_ssim(prediction, truth, left, 1.0) == pytest.approx(1)
    assert rssim(prediction, truth, WHOLE, 1.0) < 0.95
    assert edge_agreement(prediction, truth, WHOLE, 1.0) < 0.95


def test_edge_agreement_bears_the_tolerance_and_no_more() -> None:
    truth = _square(20)
    assert edge_agreement(_square(22), truth, WHOLE, 1.0) == 1
    # Of four sides of 24 pixels two keep 24 - 7 + 2 and one has its two ends of 2 or 3 beside them; corners are round.
    assert edge_agreement(_square(27), truth, WHOLE, 1.0) == pytest.approx((2 * 19 + 5) / 96, abs=0.04)
    assert edge_agreement(np.zeros_like(truth), truth, WHOLE, 1.0) == 0
    assert edge_agreement(np.zeros_like(truth), np.zeros_like(truth), WHOLE, 1.0) == 1


def test_on_knees_agreement_ranks_what_rssim_cannot(
    knee: SimulatedKnee, other_knee: SimulatedKnee, reexamined: SimulatedKnee
) -> None:
    """The same knee examined again, another knee, nothing: RSSIM cannot tell the first from the last."""
    region = region_from_labels(knee.labels, knee.affine)
    region = JointRegion(region.top, region.bottom, region.left, region.right, region.slices[4:-4:6])
    predictions = (reexamined.volume, other_knee.volume, np.zeros_like(knee.volume))
    again, other, nothing = (edge_agreement(each, knee.volume, region, 1.0) for each in predictions)
    assert again > other + 0.1
    assert other > nothing == 0
    assert rssim(reexamined.volume, knee.volume, region, 1.0) < rssim_floor(knee.volume, region, 1.0) + 0.15


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="11 x 11"):
        ssim_per_slice(np.zeros((1, 8, 8)), np.zeros((1, 8, 8)), 1.0)
    with pytest.raises(ValueError, match="one shape"):
        rssim(np.zeros((1, 64, 64)), np.zeros((2, 64, 64)), WHOLE, 1.0)
    with pytest.raises(ValueError, match="within the volume"):
        rssim(np.zeros((1, 32, 32)), np.zeros((1, 32, 32)), WHOLE, 1.0)


def test_a_missing_library_names_the_extra() -> None:
    with pytest.raises(UsageError, match=r"monai-xray2mri\[evaluation\]"):
        optional_library("no_such_library.metrics")
