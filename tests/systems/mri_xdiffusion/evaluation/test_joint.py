"""From the cube to the scanner's grid and back, and what is read there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monai_xray2mri.knee.measures.crop import JointCrop
from monai_xray2mri.knee.measures.parts import Part
from monai_xray2mri.knee.measures.surfaces import JointReading, Surfaces
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.systems.mri_xdiffusion.data.making import KNEE_SIDE_MM, knee_volume
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import BODIES, BODY_SIZE, Anatomy, Extent, VolumeCase
from monai_xray2mri.systems.mri_xdiffusion.evaluation.joint import (
    joint_line_degrees,
    part_dice,
    part_volumes_ml,
    scanner_grid,
    true_lesions,
)
from monai_xray2mri.systems.mri_xdiffusion.evaluation.studies.lesions import largest_lesion, moved
from monai_xray2mri.systems.mri_xdiffusion.volumes.cube import to_cube


@pytest.fixture(scope="module")
def scan() -> np.ndarray:
    """A smooth volume [80,256,256], slice 0 posterior."""
    z, y, x = np.meshgrid(*(np.linspace(0, 1, n, dtype=np.float32) for n in (80, 256, 256)), indexing="ij")
    return 0.5 * z + 0.3 * y + 0.2 * x


@pytest.fixture(scope="module")
def case(scan: np.ndarray) -> VolumeCase:
    cube = to_cube(knee_volume(scan), KNEE_SIDE_MM, BODY_SIZE)
    anatomy = Anatomy(np.eye(4), np.zeros(scan.shape, np.uint8))
    return VolumeCase("1", "1", BODIES, cube.voxels, Extent.of(cube.acquired), KNEE_SIDE_MM, anatomy)


def test_the_scanners_grid_is_that_of_the_scan(scan: np.ndarray, case: VolumeCase) -> None:
    found = scanner_grid(case.voxels, case)
    assert found.shape == scan.shape
    np.testing.assert_allclose(found, scan, atol=0.02)


def test_lesions_are_found_where_the_cube_has_them(case: VolumeCase) -> None:
    lesions = np.zeros((80, 256, 256), np.uint8)
    lesions[10:14, 100:110, 100:110] = 1 + LESION_FEATURES.index("XRCYTM")  # posterior, 234 mm3
    lesions[60, 100:102, 100:102] = 1 + LESION_FEATURES.index("XRCHL")  # too small to be seen
    seen = replace(case, anatomy=Anatomy(np.eye(4), lesions))
    assert true_lesions(seen)["XRCYTM"] is True and true_lesions(seen)["XRCHL"] is None
    assert true_lesions(seen)["XRCHM"] is False and largest_lesion(case) is None
    stem, index = largest_lesion(seen) or ("", 0)
    along = case.box[0]
    assert stem == "XRCYTM" and along.start < index < along.stop
    share = (index + 0.5 - along.start) / (along.stop - along.start)
    assert share == pytest.approx(1 - 12 / 80, abs=0.02)  # the cube counts from the front
    assert moved(index, 8, seen) == index - 8 and moved(along.start, 8, seen) == along.start + 8


def reading(degrees: float, femur: int = 4) -> JointReading:
    """Flat surfaces, the femur's turned; some of the crop is femur."""
    parts = np.zeros((len(Part), 2, 64, 128), np.float32)
    parts[Part.OTHER] = 0.5
    parts[Part.FEMUR, :, :femur] = 1
    surfaces = {}
    for side, sign in (("M", 1.0), ("L", -1.0)):
        x = sign * np.linspace(14, 30, 5)
        heights = np.tan(np.radians(degrees)) * np.tile(x, (2, 1))
        surfaces[side] = Surfaces(x, np.zeros(2), heights + 5, np.zeros_like(heights))
    crop = JointCrop(parts[0], np.zeros(128), np.zeros(2), np.zeros(64), (0, 1))
    return JointReading(crop, parts, surfaces)


def test_joint_lines_and_parts_are_read() -> None:
    assert joint_line_degrees(reading(3.0)) == pytest.approx(3.0) and joint_line_degrees(reading(-2.0)) < 0
    nothing = reading(0.0)
    for surfaces in nothing.surfaces.values():
        surfaces.femur[:] = np.nan
    assert np.isnan(joint_line_degrees(nothing))
    assert part_volumes_ml(reading(0.0))["femur"] == pytest.approx(2 * 4 * 128 * 1.5 * 0.625**2 / 1000)
    dice = part_dice(reading(0.0, 4), reading(0.0, 8))
    assert dice["femur"] == pytest.approx(2 * 4 / 12) and dice["tibia"] == 1.0
