"""Training sections: what a batch holds, where it comes from, and stores that are filled in pieces."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from monai_xray2mri.errors import UsageError
from monai_xray2mri.simulation.cones import draw_cones
from monai_xray2mri.systems.mri_xdiffusion.data.making import MaskedCones, knee_volume
from monai_xray2mri.systems.mri_xdiffusion.data.sources import ConeSections, StoredSections
from monai_xray2mri.systems.mri_xdiffusion.data.store import VolumeStore
from monai_xray2mri.systems.mri_xdiffusion.data.stream import SectionStream, section_rms
from monai_xray2mri.systems.mri_xdiffusion.planes import plane_axis, section_grid, split_places
from monai_xray2mri.systems.mri_xdiffusion.volumes.cube import Cube
from monai_xray2mri.training.recipe.stage import Turn

SIZE = 16


@pytest.fixture(scope="module")
def source() -> ConeSections:
    return ConeSections("validation", 20)


def test_a_batch_holds_sections_and_slices_where_it_says(source: ConeSections) -> None:
    batch = SectionStream(source, 4, 6, SIZE, slices={"3": 1.0}).batch(0, 1)
    assert {name: tuple(value.shape) for name, value in batch.items()} == {
        "target": (6, 1, SIZE, SIZE),
        "image": (6, 3, SIZE, SIZE),
        "place": (6, 10),
        "guide": (6, 33),
        "mask": (6, 1, SIZE, SIZE),
    }
    cones = draw_cones(source.seeds)
    given = batch["guide"].unflatten(1, (3, 11))[:, :, :10]
    for images, place in ((batch["target"], batch["place"][:, None]), (batch["image"], given)):
        for row in range(6):
            points = section_grid(place[row], SIZE)
            every = cones.values(points.expand(20, -1, -1, -1, -1)) * 2 - 1  # of all cones: the row's is one of them
            assert (every - images[row]).abs().amax(dim=(1, 2, 3)).min() < 1e-5
    assert (batch["guide"].unflatten(1, (3, 11))[..., 10] == 1).all() and (batch["mask"] == 1).all()


def test_a_batch_follows_from_seed_epoch_and_number(source: ConeSections) -> None:
    stream = SectionStream(source, 4, 2, SIZE, slices={"1": 0.5, "2": 0.5})
    again = SectionStream(source, 9, 2, SIZE, slices={"1": 0.5, "2": 0.5})
    for key in ("target", "image", "place"):
        assert torch.equal(stream.batch(1, 2)[key], again.batch(1, 2)[key])
        assert not torch.equal(stream.batch(1, 2)["place"], stream.batch(1, 3)["place"])
        assert not torch.equal(stream.batch(1, 2)["place"], stream.batch(2, 2)["place"])
    numbers = {stream.batch(0, number)["image"].shape[1] for number in range(12)}
    assert numbers == {1, 2}


def test_targets_lie_in_all_directions_and_now_and_then_in_a_plane(source: ConeSections) -> None:
    stream = SectionStream(source, 1, 2000, SIZE, plane_share=0.15)
    place = stream._targets(np.random.default_rng(0))
    rotation, depth = split_places(place)
    in_plane = (rotation.abs() == 1).sum(dim=(1, 2)) == 3
    assert 0.12 < in_plane.float().mean() < 0.18
    assert len(depth.unique()) == SIZE
    assert len(rotation[in_plane].flatten(1).unique(dim=0)) == 3


def test_slices_of_one_axis_are_even_and_others_are_orthogonal(source: ConeSections) -> None:
    rng = np.random.default_rng(0)
    volumes = np.zeros(50, int)
    parallel = SectionStream(source, 1, 50, SIZE, orthogonal_share=0.0)._inputs(5, volumes, rng)
    rotation, depth = split_places(parallel)
    assert (rotation == rotation[:, :1]).all()
    torch.testing.assert_close(depth.diff(dim=1), torch.full((50, 4), 0.4))
    assert depth.abs().max() <= 1
    chosen = SectionStream(source, 1, 50, SIZE, orthogonal_share=0.0, uneven_share=1.0)._inputs(5, volumes, rng)
    steps = split_places(chosen)[1].diff(dim=1)
    assert steps.min() >= 0 and steps.std(dim=1).min() > 0.01 and split_places(chosen)[1].abs().max() <= 1
    crossing = SectionStream(source, 1, 50, SIZE, orthogonal_share=1.0)._inputs(3, volumes, rng)
    normals = split_places(crossing)[0][:, :, 2]
    torch.testing.assert_close(normals @ normals.mT, torch.eye(3).expand(50, 3, 3))


def test_impossible_streams_are_refused(source: ConeSections) -> None:
    for slices in ({"0": 1.0}, {"1": 0.0}, {"1": -1.0, "2": 2.0}):
        with pytest.raises(UsageError, match="numbers of slices"):
            SectionStream(source, 1, 1, SIZE, slices=slices)
    with pytest.raises(UsageError, match="must be one of"):
        ConeSections("all")
    with pytest.raises(UsageError, match="at most 1000"):
        ConeSections("test", 1001)


def test_the_scale_is_the_root_mean_square_over_a_background_of_zero(source: ConeSections) -> None:
    stream = SectionStream(source, 1, 64, SIZE)
    batch = (stream.batch(0, 0)["target"] + 1) / 2
    assert section_rms(stream, 1) == pytest.approx(float(batch.square().mean().sqrt()), rel=1e-5)


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """One volume of each split, of which half the depth was acquired."""
    store = VolumeStore.of_cubes(tmp_path / "set", ["a", "b"], ["training", "validation"], 4, 8.0, source="test")
    acquired = np.array([[-1, -1, -0.5], [1, 1, 0.5]])
    for row, value in enumerate((0.2, 1.2)):
        store.write_cube(row, Cube(np.full((4, 4, 4), value, np.float32), acquired, np.eye(4)))
    return store.directory


def test_stored_volumes_are_cut_where_they_were_acquired(filled: Path) -> None:
    stream = SectionStream(StoredSections(filled), 1, 200, SIZE)
    batch = stream.batch(0, 0)
    inside = section_grid(batch["place"], SIZE)[..., 2].abs() <= 0.5
    within = (section_grid(batch["place"], SIZE).abs() <= 1).all(dim=-1)
    assert torch.equal(batch["mask"][:, 0] == 1, inside & within)
    known = batch["target"][batch["mask"] == 1]
    torch.testing.assert_close(known, torch.full_like(known, 51 / 255 * 2 - 1))
    assert (batch["target"][batch["mask"] == 0] == -1).all()
    several = SectionStream(StoredSections(filled), 1, 200, SIZE, slices={"5": 1.0}, orthogonal_share=0.0).batch(0, 0)
    rotation, depth = split_places(several["guide"].unflatten(1, (5, 11))[:, :, :10])
    along = plane_axis(rotation[:, 0]) == 0
    assert 0.45 < depth[along].abs().max() <= 0.5 and depth[~along].abs().max() > 0.9
    other, where = StoredSections(filled, "validation").sections(0, batch["place"], SIZE)
    torch.testing.assert_close(other, where.float())  # 1.2 was clipped to 1
    with pytest.raises(UsageError, match="split test"):
        StoredSections(filled, "test")


def test_a_store_is_filled_in_pieces_and_read_when_it_is_whole(tmp_path: Path) -> None:
    stage = MaskedCones(tmp_path / "cones", training=3, validation=1, size=8)
    assert (stage.progress().done, stage.progress().total) == (0, 4)
    heard: list[int] = []
    turn = Turn(heard=lambda units: (heard.append(units), setattr(turn, "end", time.monotonic())))
    stage.work(turn)
    assert heard == [1] and stage.progress().done == 1
    with pytest.raises(UsageError, match="complete"):
        StoredSections(tmp_path / "cones")
    again = MaskedCones(tmp_path / "cones", training=3, validation=1, size=8)
    again.work(Turn())
    assert again.progress().complete and len(StoredSections(tmp_path / "cones")) == 3
    with pytest.raises(UsageError, match="another set"):
        MaskedCones(tmp_path / "cones", training=2, validation=2, size=8).work(Turn())


def test_a_simulated_knee_is_turned_to_the_front() -> None:
    voxels = np.zeros((80, 256, 256), np.float32)
    voxels[0, 0, 0] = 1  # posterior, superior, right
    volume = knee_volume(voxels)
    slice_, row, column = np.argwhere(volume.voxels == 1)[0]
    right, posterior, superior = volume.affine[:3] @ [column, row, slice_, 1]
    assert right < 0 < posterior and superior > 0
    assert np.linalg.det(volume.affine[:3, :3]) > 0
