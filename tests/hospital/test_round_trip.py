"""Film, Orthanc, worker, second Orthanc, SimpleITK: what the film shows at a place lies there in the volume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from monai_xray2mri.knee.measures.surfaces import read_volume
from monai_xray2mri.radiograph.knee.joint import JOINT_ROW
from monai_xray2mri.systems.registry import default_bundle, system_of
from tests.helpers.dicom_objects import played_with_orthanc

SIDES = ("right", "left")
MAGNIFICATION = 1.08
"""Of the joint onto the film, as the bundle has it."""


@pytest.fixture(scope="module")
def trip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, list[float]]]]:
    """The folder with film and slices, and the film's landmarks (row, column) by side and name."""
    folder = tmp_path_factory.mktemp("trip")
    return folder, played_with_orthanc("round_trip_session.py", str(folder))


def opened(folder: Path) -> sitk.Image:
    """A series as SimpleITK opens it."""
    reader = sitk.ImageSeriesReader()
    (series,) = reader.GetGDCMSeriesIDs(str(folder))
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder), series))
    return reader.Execute()


def as_right_knee(image: sitk.Image, side: str) -> tuple[np.ndarray, np.ndarray]:
    """Voxels [S,H,W] in 0 to 1, slice 0 posterior, and their affine, mirrored for a left knee."""
    voxels = sitk.GetArrayFromImage(image).astype(np.float32)
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    if affine[1, 2] > 0:  # slices run to the back
        affine[:3, 3] += (len(voxels) - 1) * affine[:3, 2]
        affine[:3, 2] *= -1
        voxels = voxels[::-1]
    if side == "left":
        affine[0, 3] = -(affine[0, 3] + (voxels.shape[2] - 1) * affine[0, 0])
        voxels = voxels[:, :, ::-1]
    return np.ascontiguousarray(voxels) / voxels.max(), affine


def places(folder: Path, points: dict[str, dict[str, list[float]]]) -> dict[str, dict[str, np.ndarray]]:
    """Where the landmarks of the film lie in the volume, (x, z) in LPS mm, by the geometry that is promised.

    The volume's origin is the centre of the joint, which the film's region has in the middle of its width, at
    `JOINT_ROW` of its height; lengths at the detector are larger by the magnification.
    """
    bundle = default_bundle()
    system = system_of(bundle)
    found = {}
    for case in system.plan(folder / "film", system.request(), bundle).cases:
        box, scale = case.roi.box, case.roi.width_mm / case.roi.box.columns / MAGNIFICATION
        row, column = box.top + JOINT_ROW * box.rows, box.center[1]
        found[case.side.word] = {
            name: np.array([place[1] + 0.5 - column, row - 0.5 - place[0]]) * scale
            for name, place in points[case.side.word].items()
        }
    return found


@pytest.mark.parametrize("side", SIDES)
def test_simpleitk_opens_the_series_on_the_promised_grid(trip, side):
    image = opened(trip[0] / side)
    assert image.GetSize() == (256, 256, 50) and np.allclose(image.GetSpacing(), (0.625, 0.625, 1.5))
    middle = image.TransformContinuousIndexToPhysicalPoint([(size - 1) / 2 for size in image.GetSize()])
    assert np.allclose(middle, 0, atol=1e-3)


@pytest.mark.parametrize("compartment", ["medial", "lateral"])
@pytest.mark.parametrize("side", SIDES)
def test_the_joint_line_lies_where_the_film_shows_it(trip, side, compartment):
    folder, points = trip
    on_film = places(folder, points)[side]
    plateau, condyle = on_film[f"{compartment} plateau"], on_film[f"{compartment} condyle"]
    surfaces = read_volume(*as_right_knee(opened(folder / side), side)).surfaces[compartment[0].upper()]
    across = plateau[0] if side == "right" else -plateau[0]
    near = np.abs(surfaces.x - across) <= 3
    middle = np.abs(surfaces.y) <= 12
    heights = (surfaces.tibia + surfaces.femur)[np.ix_(middle, near)] / 2
    assert abs(np.nanmedian(heights) - (plateau[1] + condyle[1]) / 2) <= 3.0
