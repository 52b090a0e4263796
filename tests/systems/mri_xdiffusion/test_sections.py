"""Cross-sections (X-Diffusion, Eq. 2 and 3): rotations, planes, masks, and the way back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from monai_xray2mri.simulation.cones import draw_cones
from monai_xray2mri.systems.mri_xdiffusion.planes import (
    azimuth,
    places,
    plane_axis,
    plane_rotation,
    random_rotations,
    section_grid,
    ticks,
    view_places,
)
from monai_xray2mri.systems.mri_xdiffusion.sections import SampledVolume, ViewAverage, turn

SIZE = 24


@pytest.fixture(scope="module")
def noise() -> Tensor:
    return torch.rand(SIZE, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def test_rotations_are_uniform_on_so3() -> None:
    rotation = random_rotations(4000, np.random.default_rng(0))
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3).expand(4000, 3, 3), atol=1e-5, rtol=0)
    assert (torch.linalg.det(rotation) > 0).all()
    torch.testing.assert_close(rotation.mean(dim=0), torch.zeros(3, 3), atol=0.04, rtol=0)
    # The angle of a uniform rotation has the density (1 - cos) / pi: its cosine's mean is -1/2.
    cosine = (rotation.diagonal(dim1=1, dim2=2).sum(dim=1) - 1) / 2
    assert abs(float(cosine.mean()) + 0.5) < 0.03


@pytest.mark.parametrize(
    ("axis", "taken"),
    [(0, lambda volume: volume), (1, lambda volume: volume.flip(0).transpose(0, 1)),
     (2, lambda volume: volume.flip(0).permute(2, 1, 0))],
)  # fmt: skip
def test_a_section_of_a_plane_is_the_volume_at_its_index(noise: Tensor, axis: int, taken) -> None:
    sections, known = SampledVolume(noise).sections(view_places(plane_rotation(axis), SIZE), SIZE)
    torch.testing.assert_close(sections, taken(noise), atol=2e-5, rtol=0)
    assert known.all()
    assert plane_axis(plane_rotation(axis)[None]).tolist() == [axis]


@pytest.mark.parametrize("quarter", [1, 2, 3, 4])
def test_quarter_turns_of_azimuth_are_exact(noise: Tensor, quarter: int) -> None:
    turned, known = turn(noise, azimuth(90 * quarter))
    torch.testing.assert_close(turned, torch.rot90(noise, quarter, (0, 2)), atol=2e-5, rtol=0)
    assert known.all()
    assert set(azimuth(90 * quarter).unique().tolist()) <= {-1.0, 0.0, 1.0}


def test_a_volume_turned_and_turned_back_is_the_volume_where_it_is_known() -> None:
    cone = draw_cones([5]).volume(64)[0]
    rotation = random_rotations(1, np.random.default_rng(3))[0]
    turned, _ = turn(cone, rotation)
    back, known = turn(turned, rotation.T)
    error = (back - cone)[known].square().mean()
    assert 10 * torch.log10(cone.max() ** 2 / error) > 35  # interpolation, twice
    assert not known.all() and (back[~known] == 0).all()


def test_sections_of_a_function_and_of_its_volume_agree() -> None:
    cones = draw_cones([11])
    rotation = random_rotations(1, np.random.default_rng(0))[0]
    place = view_places(rotation, 64)[20:44:6]
    exact = cones.values(section_grid(place, 64)[None])[0]
    sampled, _ = SampledVolume(cones.volume(64)[0]).sections(place, 64)
    assert exact.max() > 0.3
    assert 10 * torch.log10(1 / (exact - sampled).square().mean()) > 28


def test_anisotropic_volumes_are_sampled_where_they_lie() -> None:
    """A linear function of space is the same, whatever grid it was sampled on; beyond the grid it is unknown."""
    slope = torch.tensor([0.3, -0.2, 0.5])
    start, end = (-0.8, -1.0, -0.5), (0.8, 1.0, 0.7)
    steps = (16, 20, 9)  # columns, rows, slices
    x, y, z = (
        first + (last - first) * (torch.arange(count) + 0.5) / count
        for first, last, count in zip(start, end, steps, strict=True)
    )
    grid = torch.stack(torch.meshgrid(z, y, x, indexing="ij")[::-1], dim=-1)
    volume = SampledVolume(grid @ slope, start, end)
    place = places(random_rotations(6, np.random.default_rng(1)), torch.linspace(-0.3, 0.3, 6))
    values, known = volume.sections(place, 32)
    points = section_grid(place, 32)
    inside = ((points > torch.tensor(start)) & (points < torch.tensor(end))).all(dim=-1)
    assert torch.equal(known, inside)
    half = torch.tensor([(last - first) / count for first, last, count in zip(start, end, steps, strict=True)]) / 2
    well = ((points > torch.tensor(start) + half) & (points < torch.tensor(end) - half)).all(dim=-1)
    torch.testing.assert_close(values[well], (points @ slope)[well], atol=1e-5, rtol=0)
    assert (values[~known] == 0).all() and well.any() and not known.all()


def test_what_was_not_acquired_is_masked_though_the_grid_has_it(noise: Tensor) -> None:
    volume = SampledVolume(noise, low=(-1, -1, -0.5), high=(1, 1, 0.5))
    _, known = volume.sections(view_places(torch.eye(3), SIZE), SIZE)
    assert torch.equal(known.flatten(1).all(dim=1), ticks(SIZE).abs() < 0.5)
    assert torch.equal(known.flatten(1).any(dim=1), ticks(SIZE).abs() < 0.5)


def test_the_average_counts_a_view_where_it_is_known(noise: Tensor) -> None:
    """Corners that a turned view does not reach keep what the other view says, not half of it."""
    mean, greatest = ViewAverage(SIZE), ViewAverage(SIZE, "max")
    backs = [turn(*view) for view in ((noise, torch.eye(3)), (torch.zeros_like(noise), azimuth(45)))]
    for average in (mean, greatest):
        for back, known in backs:
            average.add(back, known)
    assert mean.volume()[0, 0, 0] == pytest.approx(float(noise[0, 0, 0]), abs=2e-5)
    middle = SIZE // 2
    torch.testing.assert_close(mean.volume()[middle, 3, middle], noise[middle, 3, middle] / 2, atol=1e-5, rtol=0)
    torch.testing.assert_close(greatest.volume(), noise, atol=2e-5, rtol=0)
    for average in (mean, greatest):
        spread = average.spread()
        assert spread[0, 0, 0] == 0  # one view says something there
        torch.testing.assert_close(spread[middle, 3, middle], noise[middle, 3, middle].abs() / 2**0.5)
    with pytest.raises(ValueError, match="mean"):
        ViewAverage(SIZE, "median")
