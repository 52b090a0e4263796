from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from monai_xray2mri.radiograph.knee import joint
from monai_xray2mri.radiograph.resampling import REGION_SIZE
from monai_xray2mri.simulation.knee.anatomy.shape import KneeShape, Pose
from monai_xray2mri.simulation.knee.patient import draw_patient_knee
from monai_xray2mri.simulation.knee.people.seeds import knee_generator
from monai_xray2mri.simulation.knee.xray.radiography import (
    FILM_SOURCE,
    JOINT_ROW,
    MAGNIFICATION,
    REGION_MM,
    REGION_PIXELS,
    SOURCE_TO_DETECTOR_MM,
    SOURCE_TO_JOINT_MM,
    SamplePoints,
    attenuation,
    draw_pose,
    draw_region,
    ray_grid,
    true_region,
)
from monai_xray2mri.simulation.tools.beam import MU_BONE, MU_FAT, MU_MUSCLE
from tests.simulation.knee.conftest import COARSE_PIXEL_MM, HEALTHY, SEED


def test_regions_are_those_that_the_product_cuts_out():
    """Simulators know nothing of the product; this test holds their geometry to the product's."""
    assert (REGION_MM, JOINT_ROW, REGION_PIXELS) == (joint.REGION_MM, joint.JOINT_ROW, REGION_SIZE)


def test_bone_is_bright(knee):
    assert knee.radiograph[220:280, 120:180].mean() > knee.radiograph[150:290, -8:].mean()


def test_fibula_is_at_the_left(projected):
    """In a band below its head, where a right knee has the fibula at x = -37 mm and nothing at +37 mm."""
    band = projected()[100:128]
    fibula, opposite = (band[:, int((51.0 + x) / COARSE_PIXEL_MM)].mean() for x in (-37.0, 41.0))
    assert fibula > opposite + 0.1


def test_joint_space_is_darker_than_the_bones_above_and_below(projected):
    total = projected()
    for columns in (slice(36, 44), slice(92, 100)):
        profile = total[:, columns].mean(1)
        row = 66 + int(profile[66:90].argmin())
        assert 70 < row < 82
        assert profile[row] < profile[row - 14] - 0.1
        assert profile[row] < profile[row + 3 : row + 12].max() - 0.1


def test_attenuation_is_that_of_a_leg(projected):
    """Of 2 to 15 cm of fat and muscle at its edge, and of no more bone than a knee holds."""
    total = projected()
    beside_bone = float(total[75, 4:7].mean())
    assert 20 * min(MU_FAT) < beside_bone < 150 * MU_MUSCLE[5]
    assert float(total.max()) < 150 * MU_MUSCLE[5] + 35 * MU_BONE[5]


def test_condyles_fill_most_of_the_region(projected):
    row = projected()[56]
    inside = row > row.min() + 0.6 * (row.max() - row.min())
    assert 0.6 < float(inside.sum()) * COARSE_PIXEL_MM * MAGNIFICATION / REGION_MM < 0.95


def test_rays_run_from_the_focal_spot_through_the_joint_plane():
    """Every sample lies on the straight line from the source to its place in the plane y = 0, in world mm."""
    shape = KneeShape(scale=(1.1, 0.9, 1.05))
    samples = SamplePoints(torch.linspace(50, -50, 5), torch.linspace(-40, 40, 7))
    grid, step = ray_grid(shape, samples)
    points = grid.points()
    x, y, z = points.x * 1.1, points.y * 0.9, points.z * 1.05
    along = (SOURCE_TO_JOINT_MM - y) / SOURCE_TO_JOINT_MM
    across, up = (samples.x - FILM_SOURCE[0])[None, None], (samples.z - FILM_SOURCE[1])[None, :, None]
    torch.testing.assert_close(x, FILM_SOURCE[0] + along * across, rtol=0, atol=1e-4)
    torch.testing.assert_close(z, FILM_SOURCE[1] + along * up, rtol=0, atol=1e-4)
    assert step * 0.9 == pytest.approx(2.5)


def test_joint_is_magnified_as_its_distance_from_the_plate_says():
    assert pytest.approx(MAGNIFICATION) == SOURCE_TO_DETECTOR_MM / SOURCE_TO_JOINT_MM
    assert 100 < SOURCE_TO_DETECTOR_MM - SOURCE_TO_JOINT_MM < 150


def test_strips_and_crops_show_the_same_knee():
    """A tall image is projected in strips; any part of it alone gives the same line integrals, texture included."""
    shape, pathology = draw_patient_knee(SEED, HEALTHY)
    z, x = 60.0 - 0.25 * torch.arange(440), -45.0 + 0.5 * torch.arange(24)
    pose = Pose(flexion=20.0, beam_tilt=shape.slope)

    def projection(rows: slice, columns: slice) -> torch.Tensor:
        samples = SamplePoints(z[rows], x[columns])
        return attenuation(shape, pathology, pose, samples, knee_generator(SEED, "trabeculae"))

    whole = projection(slice(0, 440), slice(0, 24))
    part = projection(slice(200, 300), slice(5, 20))
    torch.testing.assert_close(whole[200:300, 5:20], part, rtol=1e-4, atol=2e-3)


@pytest.mark.parametrize("stem", ["XRCYFM", "XRCYTL", "XRCHM", "XRATTL"])
def test_hidden_features_change_no_pixel_at_visibility_0_and_more_with_more(projected, stem):
    shown = [(projected(visibility, **{stem: 1}) - projected(visibility)).abs().max() for visibility in (0.0, 0.5, 1.0)]
    assert shown[0] == 0
    assert 0.02 < shown[1] < shown[2]


def test_sclerosis_and_osteophytes_are_dense_at_their_sites(projected):
    x = torch.arange(136) * COARSE_PIXEL_MM - 50.6
    for stem, side in (("XRSCTM", 1), ("XRSCFL", -1), ("XROSTM", 1), ("XROSFL", -1)):
        added = (projected(**{stem: 3}) - projected()).clamp(min=0)
        assert float(added.max()) > 0.1
        assert 12 < side * float((added.sum(0) * x).sum() / added.sum()) < 45


def test_region_is_that_of_the_weights_give_or_take():
    sides, offsets = [], []
    for seed in range(200):
        region = draw_region(knee_generator(seed, "film"))
        sides.append(region.pixel_mm * 299 * MAGNIFICATION)
        offsets.append(float(region.x.mean()))
    assert np.mean(sides) == pytest.approx(REGION_MM, abs=0.5)
    assert 0.015 < np.std(sides) / REGION_MM < 0.025
    assert 1.6 < np.std(offsets) < 2.4
    assert np.abs(offsets).max() <= 4.01


def test_margin_widens_the_true_region_on_every_side_at_the_same_pixel_size():
    plain, wide = true_region(), true_region(0.1)
    assert len(wide.x) == len(plain.x) + 60
    assert wide.pixel_mm == pytest.approx(plain.pixel_mm)
    torch.testing.assert_close(wide.x[30:-30], plain.x)
    torch.testing.assert_close(wide.z[30:-30], plain.z)


def test_poses_are_those_of_fixed_flexion():
    shape = replace(KneeShape(), slope=5.0)
    poses = [draw_pose(shape, knee_generator(seed, "film")) for seed in range(200)]
    assert np.mean([pose.flexion for pose in poses]) == pytest.approx(20, abs=1)
    assert np.mean([pose.beam_tilt for pose in poses]) == pytest.approx(5, abs=0.4)
    assert min(pose.load for pose in poses) > 0
    assert 3 < np.std([pose.roll for pose in poses]) < 5
