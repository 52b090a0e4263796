"""The cube in the patient: what a slice shows lies where it was acquired, and so does what is generated."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from monai_xray2mri.systems.mri_xdiffusion.augmentation import AUGMENTATIONS, Augmentation
from monai_xray2mri.systems.mri_xdiffusion.drawing import laid_in
from monai_xray2mri.systems.mri_xdiffusion.framing import Frame, GivenSlice, slice_axis
from monai_xray2mri.systems.mri_xdiffusion.planes import (
    places,
    plane_rotation,
    poses,
    section_grid,
    split_places,
    ticks,
)
from monai_xray2mri.systems.mri_xdiffusion.sections import SampledVolume, slices_along, turn, volume_along
from monai_xray2mri.systems.mri_xdiffusion.volumes.reading import ORDER, oriented
from monai_xray2mri.types import Volume

SIDE, SIZE = 60.0, 20
SLOPE = np.array([1.0, 2.0, -3.0])
TILT = np.array([[0.98, -0.17, 0.1], [0.17, 0.98, 0.05], [-0.1, -0.04, 0.99]])


def linear(affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A linear function of LPS mm at the voxels of a grid [S,H,W]."""
    indices = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij")[::-1], axis=-1)
    return ((indices @ affine[:3, :3].T + affine[:3, 3]) @ SLOPE + 500).astype(np.float32)


def slice_of(axis: int, tilt: bool = False, depth: float = 7.0) -> GivenSlice:
    """A slice of 66 x 63 mm in canonical order, ``depth`` mm from (10, 20, 30) along an axis of [S,H,W]."""
    directions = np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])  # columns left, rows to the feet, slices backwards
    directions = np.linalg.qr(TILT @ directions)[0] * np.sign(np.diag(directions.T @ directions))
    directions *= np.sign((directions * [[1, 0, 0], [0, 0, 1], [0, -1, 0]]).sum(axis=0))
    if not tilt:
        directions = np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])
    shape, spacing = [22, 21, 33], np.array([2.0, 3.0, 3.0])
    shape[axis], spacing[2 - axis] = 1, 4.0
    affine = np.eye(4)
    affine[:3, :3] = directions * spacing
    middle = (10, 20, 30) + depth * directions[:, 2 - axis]
    affine[:3, 3] = middle - affine[:3, :3] @ ((np.array(shape[::-1]) - 1) / 2)
    return GivenSlice(1, Volume(linear(affine, tuple(shape)), affine))


def frame_of(given: GivenSlice, axis: int, mirrored: bool = False) -> Frame:
    return Frame.around([given], np.array([10.0, 20.0, 30.0]), axis, SIDE, SIZE, mirrored)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("tilt", [False, True])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_slice_is_seen_where_it_was_acquired(axis: int, tilt: bool, mirrored: bool) -> None:
    """The image is a linear function of LPS mm: a pixel tells where it lies."""
    given = slice_of(axis, tilt)
    frame = frame_of(given, axis, mirrored)
    assert np.linalg.norm(frame.center - [10, 20, 30]) <= SIDE / SIZE / 2 + 1e-9
    pixels, known, pose = frame.section(given)
    points = section_grid(pose[None, :10], SIZE)[0].double().numpy()
    if mirrored:
        points = points * [-1, 1, 1]
    wanted = (points * SIDE / 2 @ frame.axes.T + frame.center) @ SLOPE + 500
    inner = known.numpy() & (np.abs(points) < 0.9).all(axis=-1)
    assert inner.sum() > 200
    np.testing.assert_allclose(pixels.numpy()[inner], wanted[inner], atol=0.1)  # 0.03 mm
    place = (float(pose[9]) + 1) * SIZE / 2 - 0.5
    assert place == pytest.approx(round(place), abs=1e-4)  # it lies on a section of the cube


@pytest.mark.parametrize("orientation", ["LIP", "LPS", "PIR", "RAI"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_generated_voxel_lies_where_it_says(orientation: str, mirrored: bool) -> None:
    frame = frame_of(slice_of(0, tilt=True), 0, mirrored)
    cube = torch.from_numpy(linear(frame.affine, (SIZE,) * 3))
    box = np.array([[-1, -0.8, -0.5], [1, 0.7, 0.5]])
    seen = cube.flip(2) if mirrored else cube
    volume = frame.volume(seen, box, orientation)
    np.testing.assert_allclose(volume.voxels, linear(volume.affine, volume.voxels.shape), atol=0.01)
    assert sorted(volume.voxels.shape) == [10, 15, 20]
    assert np.linalg.det(volume.affine[:3, :3]) > 0
    assert oriented(volume, ORDER).voxels.shape == (10, 15, 20)
    np.testing.assert_allclose(volume.affine[:3, :3].T @ volume.affine[:3, :3], np.eye(3) * 9, atol=1e-9)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_an_input_is_laid_in_as_the_network_saw_it(axis: int) -> None:
    pixels, known, pose = frame_of(slice_of(axis), axis, mirrored=True).section(slice_of(axis))
    cube = laid_in(torch.full((SIZE,) * 3, -1.0), pixels, pose, known)
    again, _ = SampledVolume(cube).sections(pose[None, :10], SIZE)
    torch.testing.assert_close(again[0][known], pixels[known], atol=1e-2, rtol=0)
    assert (cube == -1).sum() == SIZE**3 - known.sum()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_along_an_axis_are_sections_in_its_direction(axis: int) -> None:
    volume = torch.rand(6, 6, 6)
    sections = slices_along(volume, axis)
    torch.testing.assert_close(sections, turn(volume, plane_rotation(axis))[0], atol=1e-5, rtol=0)
    assert torch.equal(volume_along(sections, axis), volume)


def test_the_axis_of_slices_is_read_from_their_orientation() -> None:
    found = {letters: slice_axis(letters) for letters in ("LIP", "LIA", "LPS", "LPI", "PIR", "PIL")}
    assert found == {
        "LIP": (0, False), "LIA": (0, True), "LPS": (1, True), "LPI": (1, False), "PIR": (2, True), "PIL": (2, False),
    }  # fmt: skip


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("name", ["flips", "turns", "scales"])
def test_what_is_changed_in_its_plane_is_changed_back(axis: int, name: str) -> None:
    """A volume whose sections are the changed slices becomes the volume itself, where it is known."""
    y, x = torch.meshgrid(ticks(SIZE), ticks(SIZE), indexing="ij")
    section = 0.5 + 0.2 * x - 0.1 * y
    truth = volume_along(section.expand(SIZE, SIZE, SIZE) + 0.1 * ticks(SIZE)[:, None, None], axis)
    given = slices_along(truth, axis)[7]
    pose = poses(places(plane_rotation(axis)[None], ticks(SIZE)[7:8]))[None]
    for change in AUGMENTATIONS[name][1:]:
        slices, moved = change.slices(given[None, None] * 2 - 1, pose)
        depth = float(split_places(moved)[1])
        assert depth == pytest.approx(float(ticks(SIZE)[7]) * change.scale)
        changed = (slices[0, 0] + 1) / 2 + 0.1 * ((ticks(SIZE) - depth) / change.scale)[:, None, None]
        back, known = change.undo(volume_along(changed, axis), torch.ones(SIZE, SIZE, SIZE, dtype=torch.bool), axis)
        assert known.float().mean() > 0.9 / change.scale**3
        torch.testing.assert_close(back[known], truth[known], atol=0.02, rtol=0)
    assert not Augmentation(scale=4).fits(poses(places(plane_rotation(axis)[None], torch.tensor([0.3])))[None])
