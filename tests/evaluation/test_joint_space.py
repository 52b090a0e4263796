"""Joint surfaces and joint space on slabs whose width and angle are known, and on knees."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from monai_xray2mri.evaluation.joint_space import joint_space_from_labels, joint_space_from_volume
from monai_xray2mri.evaluation.surfaces import (
    GOOD_MISFIT,
    compartment_profiles,
    joint_affine,
    surfaces_from_labels,
    surfaces_from_volume,
)
from monai_xray2mri.simulation.knee import SimulatedKnee, simulate_knee
from monai_xray2mri.simulation.seeds import VALIDATION

Slab = Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]


def _halves(slab: Slab, medial: float, lateral: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Volume, labels and affine of slabs with one width in each compartment; +x is medial in a right knee."""
    (*one, affine), (*other, _) = slab(medial), slab(lateral)
    is_medial = affine[0, 0] * np.arange(one[0].shape[2]) + affine[0, 3] > 0
    volume, labels = (np.where(is_medial, *pair) for pair in zip(one, other, strict=True))
    return volume, labels, affine


@pytest.mark.parametrize("width", [0.0, 0.6, 1.3, 2.2, 3.5, 5.0, 7.0])
def test_slabs_of_known_width(slab: Slab, width: float) -> None:
    """The other compartment keeps its cartilage, as in all but the worst knees."""
    volume, labels, affine = _halves(slab, medial=width, lateral=5.0)
    found = joint_space_from_volume(volume, affine)
    assert found == {"M": pytest.approx(width, abs=0.1), "L": pytest.approx(5.0, abs=0.1)}
    found = joint_space_from_labels(labels, affine)
    assert found == {"M": pytest.approx(width, abs=0.625), "L": pytest.approx(5.0, abs=0.625)}


@pytest.mark.parametrize("across, along", [(6.0, 0.0), (-4.0, 5.0), (0.0, -8.0), (7.0, 7.0)])
def test_turned_slabs_keep_their_width(slab: Slab, across: float, along: float) -> None:
    """The width is the least distance in space, not the vertical one, which the angle would lengthen."""
    volume, labels, affine = slab(4.0, across, along)
    for found in joint_space_from_volume(volume, affine).values():
        assert found == pytest.approx(4.0, abs=0.12)
    for found in joint_space_from_labels(labels, affine).values():
        assert found == pytest.approx(4.0, abs=0.4)


def test_noise_and_scale_of_the_intensities_do_not_matter(slab: Slab) -> None:
    volume, _, affine = slab(3.0, 3.0, 2.0, noise=0.03)
    for scale in (1.0, 1000.0):
        for found in joint_space_from_volume(scale * volume, affine).values():
            assert found == pytest.approx(3.0, abs=0.12)


def test_a_line_of_crystals_does_not_hide_the_joint_space(slab: Slab) -> None:
    volume, _, affine = slab(4.4)
    row = round((0.0 - affine[2, 3]) / affine[2, 1])
    volume[:, row - 1 : row + 1] = 0.06
    for found in joint_space_from_volume(volume, affine).values():
        assert found == pytest.approx(4.4, abs=0.2)


def test_the_surfaces_are_where_the_bones_end(slab: Slab) -> None:
    volume, labels, affine = slab(4.0)
    for found, tolerance in ((surfaces_from_volume(volume, affine), 0.1), (surfaces_from_labels(labels, affine), 0.35)):
        for each in found.values():
            np.testing.assert_allclose(each.femur, 2.0, atol=tolerance)
            np.testing.assert_allclose(each.tibia, -2.0, atol=tolerance)
            assert each.misfit.max() < GOOD_MISFIT


def test_where_there_is_no_joint_nothing_is_measured() -> None:
    shape, spacing = (40, 128, 160), (1.5, 0.625, 0.625)
    affine = joint_affine(spacing, shape)
    noise = np.random.default_rng(0).random(shape).astype(np.float32)
    assert all(math.isnan(found) for found in joint_space_from_volume(noise, affine).values())
    assert all(math.isnan(found) for found in joint_space_from_labels(np.zeros(shape, np.uint8), affine).values())


def test_the_affine_for_volumes_without_one_is_that_of_the_simulator(knee: SimulatedKnee) -> None:
    nominal = joint_affine((1.5, 0.625, 0.625), (80, 256, 256))
    np.testing.assert_allclose(nominal[:3, :3], knee.affine[:3, :3])
    np.testing.assert_allclose(nominal[:3, 3], knee.affine[:3, 3], atol=6.0)
    modelled = joint_affine((1.5, 0.625, 0.625), (80, 256, 256), first_slice=13)
    np.testing.assert_allclose(modelled @ [0, 0, 0, 1], nominal @ [0, 0, 13, 1])


def test_bad_geometry_is_refused(slab: Slab) -> None:
    volume, _, affine = slab(4.0)
    with pytest.raises(ValueError, match="columns to x"):
        compartment_profiles(volume, affine[[1, 0, 2, 3]], "M")
    turned = affine.copy()
    turned[0, 1] = 0.1
    with pytest.raises(ValueError, match="columns to x"):
        surfaces_from_volume(volume, turned)
    with pytest.raises(ValueError, match="joint's centre"):
        surfaces_from_volume(volume[:3], affine)
