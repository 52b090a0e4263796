"""Conditions: codec, reduction of slices, places, alignment, and the null condition."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from monai_xray2mri.networks.pixel_codec import PixelCodec
from monai_xray2mri.simulation.cones import draw_cones
from monai_xray2mri.systems.mri_xdiffusion.alignment import NEAR, AlignedSlices
from monai_xray2mri.systems.mri_xdiffusion.denoiser import SectionDenoiser
from monai_xray2mri.systems.mri_xdiffusion.network import CrossSectionDiffusion
from monai_xray2mri.systems.mri_xdiffusion.places import PlacedContext, mean_pose, place_numbers
from monai_xray2mri.systems.mri_xdiffusion.planes import (
    POSE_NUMBERS,
    places,
    plane_rotation,
    poses,
    random_rotations,
    section_grid,
    split_places,
    ticks,
)
from monai_xray2mri.systems.mri_xdiffusion.slices import (
    REDUCTIONS,
    PairNetwork,
    matrix_product,
    mean_product,
    reduce_images,
)

SIZE = 16
MIDDLE = places(torch.eye(3)[None], torch.zeros(1))  # [1,10]


def test_the_codec_folds_pixels_and_back_and_its_background_is_zero() -> None:
    image = torch.rand(3, 1, 8, 12) * 2 - 1
    codec = PixelCodec()
    latent = codec.encode(image)
    assert latent.shape == (3, 16, 2, 3) and not list(codec.parameters())
    torch.testing.assert_close(codec.decode(latent), image)
    assert not codec.encode(-torch.ones(1, 1, 8, 8)).any()


def test_products_are_of_neighbors_and_their_mean_is_over_k_minus_one() -> None:
    slices = torch.rand(2, 4, 5, 5)
    wanted = sum(slices[:, index] * slices[:, index + 1] for index in range(3)) / 3
    torch.testing.assert_close(mean_product(slices)[:, 0], wanted)
    wanted = sum(slices[:, index] @ slices[:, index + 1].mT for index in range(3)) / 3 / 5
    torch.testing.assert_close(matrix_product(slices)[:, 0], wanted)
    repeated = slices[:, :1].expand(-1, 6, -1, -1)
    torch.testing.assert_close(mean_product(repeated)[:, 0], slices[:, 0] ** 2)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_one_slice_is_itself(reduction: str) -> None:
    image, latent = torch.rand(2, 1, 5, 5) * 2 - 1, torch.rand(2, 1, 3, 4, 4)
    torch.testing.assert_close(reduce_images(image, reduction), image)
    torch.testing.assert_close(PairNetwork(3)(latent), latent[:, 0])


def test_the_released_place_is_axis_and_depth() -> None:
    rotations = torch.stack([plane_rotation(axis) for axis in range(3)])
    told = place_numbers(places(rotations, torch.tensor([0.1, -0.2, 0.3])), "axis")
    torch.testing.assert_close(told, torch.tensor([[1, 0, 0, 0.1], [0, 1, 0, -0.2], [0, 0, 1, 0.3]]))
    flipped = torch.diag(torch.tensor([-1.0, 1.0, -1.0]))[None]  # depth runs against the axis
    assert place_numbers(places(flipped, torch.tensor([0.4])), "axis").tolist()[0] == pytest.approx([1, 0, 0, -0.4])


def test_the_context_has_zero_123s_projection_and_changes_nothing_at_first() -> None:
    projection = PlacedContext(768, 4, told=False)
    assert projection.projection.weight.shape == (768, 772)
    tokens = torch.rand(2, 1, 768)
    torch.testing.assert_close(projection(tokens, torch.rand(2, 4), torch.zeros(2, 1, 11)), tokens)


def test_each_slice_tells_its_own_pose() -> None:
    told = PlacedContext(8, 10, told=True)
    torch.nn.init.normal_(told.projection.weight)
    given = torch.rand(1, 2, POSE_NUMBERS)
    tokens = torch.rand(1, 1, 8).expand(1, 6, 8)  # two slices of three tokens
    first = told(tokens, torch.rand(1, 10), given)
    torch.testing.assert_close(first[:, 0], first[:, 2])
    assert not torch.allclose(first[:, 2], first[:, 3], atol=1e-3)
    present = torch.cat([given[:, :1], torch.zeros(1, 1, POSE_NUMBERS)], dim=1)
    present[:, 0, -1] = 1
    torch.testing.assert_close(mean_pose(present)[:, 0], present[:, 0])
    assert not mean_pose(torch.zeros(1, 3, POSE_NUMBERS)).any()


def aligned_values(found: torch.Tensor, slot: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Image [H,W], distance and closeness [h,w] of a slot."""
    values, distance, closeness = found[0, 18 * slot : 18 * (slot + 1)].split([16, 1, 1])
    return torch.nn.functional.pixel_shuffle(values, 4)[0], distance[0], closeness[0]


def test_a_slice_at_the_targets_own_place_is_the_target() -> None:
    rotation = random_rotations(1, np.random.default_rng(0))
    place = places(rotation, torch.tensor([0.2]))
    image = torch.rand(1, 1, SIZE, SIZE)
    latent = torch.nn.functional.pixel_unshuffle(image, 4)[:, None]
    alignment = AlignedSlices(16, 4)
    found = alignment(latent, poses(place)[:, None], place)
    assert found.shape == (1, alignment.channels, 4, 4) == (1, 36, 4, 4)
    values, distance, closeness = aligned_values(found, 0)
    torch.testing.assert_close(values, image[0, 0], atol=1e-5, rtol=0)
    torch.testing.assert_close(distance, torch.zeros(4, 4), atol=1e-6, rtol=0)
    torch.testing.assert_close(closeness, torch.ones(4, 4), atol=1e-5, rtol=0)
    assert not found[:, 18:].any()  # there is no second slice


def test_slices_are_seen_at_the_foot_points_of_the_target() -> None:
    """An image that is linear on its plane, seen from a plane at right angles and from a tilted one."""
    y, x = torch.meshgrid(ticks(SIZE), ticks(SIZE), indexing="ij")
    image = (1 + 0.3 * x - 0.2 * y)[None, None]
    latent = torch.nn.functional.pixel_unshuffle(image, 4)[:, None]
    given = poses(places(torch.eye(3)[None], torch.tensor([0.25])))[:, None]  # its plane is z = 0.25
    for rotation in (plane_rotation(2), random_rotations(1, np.random.default_rng(4))[0]):
        place = places(rotation[None], torch.tensor([-0.1]))
        values, distance, closeness = aligned_values(AlignedSlices(16, 4)(latent, given, place), 0)
        points = section_grid(place, SIZE)[0]
        on_image = (points[..., :2].abs() < 1 - 1 / SIZE).all(dim=-1)
        wanted = 1 + 0.3 * points[..., 0] - 0.2 * points[..., 1]
        torch.testing.assert_close(values[on_image], wanted[on_image], atol=1e-4, rtol=0)
        torch.testing.assert_close(distance, section_grid(place, 4)[0, ..., 2] - 0.25, atol=1e-5, rtol=0)
        torch.testing.assert_close(closeness, (-distance.abs() / NEAR).exp())


def test_each_cell_takes_the_nearest_slices_that_are_there() -> None:
    depth = torch.tensor([-0.8, 0.1, 0.9, 0.3])
    given = poses(places(torch.eye(3).expand(4, 3, 3), depth))[None].clone()
    given[0, 3] = 0  # the nearest but one is missing
    latent = torch.arange(1.0, 5.0)[None, :, None, None, None].expand(1, 4, 16, 4, 4)
    values, distance, _ = aligned_values(AlignedSlices(16, 4)(latent, given, MIDDLE), 0)
    assert (values == 2).all() and distance[0, 0] == pytest.approx(-0.1)
    values, distance, _ = aligned_values(AlignedSlices(16, 4)(latent, given, MIDDLE), 1)
    assert (values == 1).all() and distance[0, 0] == pytest.approx(0.8)
    nothing = AlignedSlices(16, 4)(latent * 0, torch.zeros_like(given), MIDDLE)
    assert not nothing.any()


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("place", ["axis", "rotation"])
@pytest.mark.parametrize("number", [1, 3])
def test_every_condition_serves_every_number_of_slices(
    make_network: Callable[..., CrossSectionDiffusion], reduction: str, place: str, number: int
) -> None:
    network = make_network(reduction, aligned=False, place=place)
    images = draw_cones([0]).volume(SIZE)[:, 4 : 4 + number] * 2 - 1
    given = poses(places(torch.eye(3).expand(number, 3, 3), ticks(SIZE)[4 : 4 + number]))[None]
    condition = network.condition(images, given).expand(2)
    with torch.inference_mode():
        z_t, t, target = torch.randn(2, *network.latent_shape()), torch.tensor([50, 50]), MIDDLE.expand(2, 10)
        predicted = network.denoise(z_t, t, condition, target)
        guided = network.bind(condition, target, 3.0, 3.0)(z_t, t)
        free = network.denoise(z_t, t, network.null_like(condition), target)
    assert predicted.shape == z_t.shape
    torch.testing.assert_close(guided, free + 3 * (predicted - free), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(free, predicted, atol=1e-4)


def test_no_slice_is_the_same_however_many_there_are_not(network: CrossSectionDiffusion) -> None:
    z_t, t = torch.randn(1, *network.latent_shape()), torch.tensor([50])
    three = network.condition(torch.rand(1, 3, SIZE, SIZE), torch.rand(1, 3, POSE_NUMBERS))
    with torch.inference_mode():
        free = [network.denoise(z_t, t, null, MIDDLE) for null in (network.null_condition(1), network.null_like(three))]
    torch.testing.assert_close(free[0], free[1], atol=1e-5, rtol=1e-4)


def test_a_network_that_is_not_told_does_not_use_the_poses(make_network: Callable[..., CrossSectionDiffusion]) -> None:
    network = make_network("mean_product", aligned=False, told=False)
    image, z_t, t = torch.rand(1, 1, SIZE, SIZE), torch.randn(1, *network.latent_shape()), torch.tensor([50])
    with torch.inference_mode():
        one, other = (
            network.denoise(z_t, t, network.condition(image, torch.rand(1, 1, POSE_NUMBERS)), MIDDLE) for _ in range(2)
        )
    assert torch.equal(one, other)


def test_conditions_that_contradict_each_other_are_refused(make_network: Callable[..., CrossSectionDiffusion]) -> None:
    for wrong in ({"place": "nowhere"}, {"reduction": "sum"}, {"told": False}, {"reduction": "mlp"}):
        with pytest.raises(ValueError, match=r"must be one of|need"):
            SectionDenoiser(**wrong)
    network = make_network()
    with pytest.raises(ValueError, match="alike"):
        CrossSectionDiffusion(
            PixelCodec(), make_network("mlp", aligned=False).denoiser, network.image_encoder, network.schedule,
            side_mm=1.0, image_size=SIZE,
        )  # fmt: skip


def test_places_come_apart_as_they_were_put_together() -> None:
    rotation, depth = random_rotations(3, np.random.default_rng(0)), torch.rand(3)
    apart = split_places(places(rotation, depth))
    assert torch.equal(apart[0], rotation) and torch.equal(apart[1], depth)
