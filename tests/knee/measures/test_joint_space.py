"""Joint space on slabs whose width and angle are known, and on knees whose truth is."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from monai_xray2mri.knee.measures.crop import SIDES
from monai_xray2mri.knee.measures.joint_space import (
    joint_space,
    joint_space_from_labels,
    joint_space_from_volume,
    knee_size,
)
from monai_xray2mri.knee.measures.parts import Part
from monai_xray2mri.knee.measures.surfaces import JointReading, joint_surfaces, read_labels, read_volume, smooth_surface
from monai_xray2mri.simulation.knee.knee import SimulatedKnee
from tests.helpers.knees import acquired_affine

Slab = Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]


def _along_z(width: float, across: float = 0.0, along: float = 0.0) -> float:
    """Distance along z of two turned planes that lie ``width`` apart."""
    return width * math.sqrt(1 + math.tan(math.radians(across)) ** 2 + math.tan(math.radians(along)) ** 2)


@pytest.mark.parametrize("width, too_wide", [(0.6, 0.8), *((width, 0.625) for width in (0.0, 1.3, 2.2, 3.5, 5.0, 7.0))])
def test_slabs_of_known_width(slab: Slab, width: float, too_wide: float) -> None:
    """Within a pixel; a gap thinner than a pixel blurs over two and is read as such.

    The other compartment has another width, so that each is measured for itself; +x is medial in a right knee.
    """
    (*one, affine), (*other, _) = slab(width), slab(4.4)
    is_medial = affine[0, 0] * np.arange(one[0].shape[2]) + affine[0, 3] > 0
    volume, labels = (np.where(is_medial, *pair) for pair in zip(one, other, strict=True))
    found = joint_space_from_volume(volume, affine)
    assert width - 0.625 < found["M"] < width + too_wide
    assert found["L"] == pytest.approx(4.4, abs=0.625)
    found = joint_space_from_labels(labels, affine)
    assert found == {"M": pytest.approx(width, abs=0.625), "L": pytest.approx(4.4, abs=0.625)}


@pytest.mark.parametrize("across, along", [(6.0, 0.0), (-4.0, 5.0), (0.0, -8.0), (7.0, 7.0)])
def test_turned_slabs(slab: Slab, across: float, along: float) -> None:
    volume, labels, affine = slab(4.0, across, along)
    expected = _along_z(4.0, across, along)
    for found in joint_space_from_volume(volume, affine).values():
        assert found == pytest.approx(expected, abs=0.625)
    for found in joint_space_from_labels(labels, affine).values():
        assert found == pytest.approx(expected, abs=0.3)


def test_noise_does_not_matter(slab: Slab) -> None:
    volume, _, affine = slab(3.0, 3.0, 2.0, noise=0.03)
    for found in joint_space_from_volume(volume, affine).values():
        assert found == pytest.approx(_along_z(3.0, 3.0, 2.0), abs=0.625)


def test_the_surfaces_lie_where_probability_is_one_half() -> None:
    """A femur that fades out linearly between two rows ends where it passes one half: finer than a row."""
    crop = read_labels(np.zeros((40, 128, 160), np.uint8), acquired_affine((40, 128, 160))).crop
    parts = np.zeros((len(Part), *crop.values.shape), np.float32)
    parts[Part.FEMUR, :, :20], parts[Part.FEMUR, :, 20] = 1.0, 0.8
    parts[Part.TIBIA, :, 30:], parts[Part.TIBIA, :, 29] = 1.0, 0.4
    for side, found in joint_surfaces(crop, parts).items():
        assert (SIDES[side] * found.x > 0).all()
        np.testing.assert_allclose(found.femur, crop.z[0] - 0.625 * (20 + 0.3 / 0.8), atol=1e-6)
        np.testing.assert_allclose(found.tibia, crop.z[0] - 0.625 * (30 - 0.5 / 0.6), atol=1e-6)


def test_labels_end_at_the_borders_of_voxels(slab: Slab) -> None:
    _, labels, affine = slab(4.0)
    for found in read_labels(labels, affine).surfaces.values():
        np.testing.assert_allclose(found.femur, 2.0, atol=0.32)
        np.testing.assert_allclose(found.tibia, -2.0, atol=0.32)


def test_stray_heights_do_not_move_a_smooth_surface() -> None:
    random = np.random.default_rng(0)
    u, v = random.uniform(-1, 1, (2, 400))
    true = 1.0 + 0.5 * u - 0.8 * v**2
    height = true + 0.05 * random.standard_normal(400)
    height[::10] += 4.0
    np.testing.assert_allclose(smooth_surface(u, v, height, 2), true, atol=0.06)


def test_where_there_is_no_joint_nothing_is_measured() -> None:
    shape = (40, 128, 160)
    affine = acquired_affine(shape)
    assert all(math.isnan(found) for found in joint_space_from_volume(np.zeros(shape, np.float32), affine).values())
    assert all(math.isnan(found) for found in joint_space_from_labels(np.zeros(shape, np.uint8), affine).values())


def test_a_knee_is_measured_within_half_a_millimetre(knee: SimulatedKnee, narrow_knee: SimulatedKnee) -> None:
    for each in (knee, narrow_knee):
        by_volume = joint_space_from_volume(each.volume, each.affine)
        by_labels = joint_space_from_labels(each.labels, each.affine)
        for side, true in each.truth.joint_space_mm.items():
            assert by_volume[side] == pytest.approx(true, abs=0.6)
            assert by_labels[side] == pytest.approx(true, abs=0.6)


def test_a_larger_knee_is_seen_to_be_larger() -> None:
    """A femur 69 mm and a tibia 67.1 mm wide are the reference knee's; ten per cent more is size 1.1."""
    crop = read_labels(np.zeros((40, 128, 160), np.uint8), acquired_affine((40, 128, 160))).crop
    for factor in (1.0, 1.1):
        parts = np.zeros((len(Part), *crop.values.shape), np.float32)
        for part, width, rows in ((Part.FEMUR, 69.0, slice(0, 28)), (Part.TIBIA, 67.1, slice(36, 64))):
            parts[part, :, rows, np.abs(crop.x) <= factor * width / 2] = 1.0
        reading = JointReading(crop, parts, joint_surfaces(crop, parts))
        assert knee_size(reading) == pytest.approx(factor, abs=0.012)


def test_only_the_modeled_slices_are_needed(knee: SimulatedKnee) -> None:
    """A generated volume holds slices 13 to 62; its affine begins there."""
    affine = knee.affine.copy()
    affine[:3, 3] += 13 * affine[:3, 2]
    found = joint_space_from_volume(knee.volume[13:63], affine)
    assert found == joint_space(read_volume(knee.volume[13:63], affine))


def test_bad_geometry_is_refused(slab: Slab) -> None:
    volume, _, affine = slab(4.0)
    with pytest.raises(ValueError, match="columns to x"):
        joint_space_from_volume(volume, affine[[1, 0, 2, 3]])
    turned = affine.copy()
    turned[0, 1] = 0.1
    with pytest.raises(ValueError, match="columns to x"):
        joint_space_from_volume(volume, turned)
    with pytest.raises(ValueError, match="voxels of"):
        joint_space_from_volume(volume, affine @ np.diag([2.0, 2.0, 1.0, 1.0]))
    with pytest.raises(ValueError, match="voxels of"):
        joint_space_from_volume(volume, affine @ np.diag([1.0, -1.0, 1.0, 1.0]))
    far = affine.copy()
    far[0, 3] += 200
    with pytest.raises(ValueError, match="joint's centre"):
        joint_space_from_volume(volume, far)
