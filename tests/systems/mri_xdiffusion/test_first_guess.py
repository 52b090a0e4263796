"""The first guess of a section, its fit, and a network that works on what differs from it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from monai_xray2mri.systems.mri_xdiffusion.alignment import AlignedSlices
from monai_xray2mri.systems.mri_xdiffusion.data.sources import ConeSections
from monai_xray2mri.systems.mri_xdiffusion.first_guess import FirstGuess, fit_first_guess
from monai_xray2mri.systems.mri_xdiffusion.network import CrossSectionDiffusion
from monai_xray2mri.systems.mri_xdiffusion.planes import places, plane_rotation, poses, section_grid, ticks

SIZE = 16
MIDDLE = places(torch.eye(3)[None], torch.zeros(1))  # [1,10]


def fitted_guess() -> FirstGuess:
    guess = FirstGuess(4, size=8, lags=16)
    guess.mean.copy_(torch.rand(8, 8, 8))
    fall = torch.arange(16) / 16
    guess.correlation.copy_(torch.stack([torch.exp(-fall * rate) for rate in (8.0, 5.0, 2.0)]))
    return guess


def test_the_first_guess_is_the_posterior_mean_of_a_gaussian_process() -> None:
    depths = torch.tensor([-0.25, 0.5])
    given = poses(places(torch.eye(3).expand(2, 3, 3), depths))[None]
    latent, alignment, guess = torch.rand(1, 2, 16, 4, 4), AlignedSlices(16, 4), fitted_guess()
    shown = torch.nn.functional.pixel_shuffle(latent[0], 4)[:, 0]

    def guessed(number: int, depth: float) -> torch.Tensor:
        place = places(torch.eye(3)[None], torch.tensor([depth]))
        found = guess(alignment.nearest_to(latent[:, :number], given[:, :number], place), place)
        return torch.nn.functional.pixel_shuffle(found[0], 4)[0, 0]

    def mean(depth: float) -> torch.Tensor:
        return guess.mean_at(section_grid(places(torch.eye(3)[None], torch.tensor([depth])), 16))[0]

    def along_z(distance: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(np.interp(distance * 8, np.arange(16), guess.correlation[2])).float()

    weights = torch.linalg.solve(along_z((depths[:, None] - depths).abs()), along_z((depths - 0.125).abs()))
    deviation = shown - torch.stack([mean(float(depth)) for depth in depths])
    expected = mean(0.125) + torch.einsum("k,khw->hw", weights, deviation)
    torch.testing.assert_close(guessed(2, 0.125), expected, atol=3e-3, rtol=0)
    torch.testing.assert_close(guessed(2, 0.5), shown[1], atol=3e-3, rtol=0)
    torch.testing.assert_close(guessed(1, -0.25), shown[0], atol=3e-3, rtol=0)
    nowhere, all_variance = guess(alignment.nearest_to(latent, torch.zeros_like(given), MIDDLE), MIDDLE)
    torch.testing.assert_close(all_variance, torch.ones_like(all_variance))  # what a guess begins with
    torch.testing.assert_close(torch.nn.functional.pixel_shuffle(nowhere, 4)[0, 0], mean(float(MIDDLE[0, 9])))


def test_across_slices_a_guess_is_exact_where_it_crosses_them() -> None:
    latent, alignment, guess = torch.rand(1, 1, 16, 4, 4), AlignedSlices(16, 4), fitted_guess()
    depth = float(ticks(16)[5])
    given = poses(places(torch.eye(3)[None], torch.tensor([depth])))[None]
    place = places(plane_rotation(1)[None], torch.tensor([float(ticks(16)[9])]))  # rows of the section run along z
    found = torch.nn.functional.pixel_shuffle(guess(alignment.nearest_to(latent, given, place), place)[0], 4)[0, 0]
    grid = section_grid(place, 16)[0]
    row = int((grid[:, 0, 2] - depth).abs().argmin())
    line = int((ticks(16) - grid[row, 0, 1]).abs().argmin())
    shown = torch.nn.functional.pixel_shuffle(latent[0, 0], 4)[0, line]
    torch.testing.assert_close(found[row], shown, atol=3e-3, rtol=0)


def test_a_fitted_guess_comes_nearer_than_mean_and_slice(make_network: Callable[..., CrossSectionDiffusion]) -> None:
    network = make_network(difference=True)
    cones = ConeSections("training", 60)
    assert fit_first_guess(network, cones) is network
    guess = network.denoiser.first_guess
    assert (guess.correlation[:, 0] == 1).all() and (guess.correlation[:, 8] < 0.9).all()
    errors = torch.zeros(3)
    for volume in range(30):
        depth = torch.tensor([0.0, 0.1])
        place = places(torch.eye(3).expand(2, 3, 3), depth)
        (given, wanted), _ = cones.sections(volume, place, SIZE)
        latents = network.image_latent(given[None, None] * 2 - 1)[:, None]
        near = network.denoiser.alignment.nearest_to(latents, poses(place[:1])[None], place[1:])
        found, _ = guess(near, place[1:])
        target = network.encode(wanted[None, None] * 2 - 1)
        mean = torch.nn.functional.pixel_unshuffle(guess.mean_at(section_grid(place[1:], SIZE))[:, None], 4)
        errors += torch.stack([(other - target).square().mean() for other in (found, mean, latents[:, 0])])
    assert errors[0] < 0.95 * errors[1:].min()


def test_of_a_network_that_adds_nothing_the_posterior_mean_is_left(
    make_network: Callable[..., CrossSectionDiffusion],
) -> None:
    network = make_network(difference=True)
    fit_first_guess(network, ConeSections("training", 20))
    for parameter in network.denoiser.unet.unet.conv_out.parameters():
        torch.nn.init.zeros_(parameter)
    slices, given, t = torch.rand(1, 1, SIZE, SIZE) * 2 - 1, poses(MIDDLE)[:, None], torch.tensor([60])
    condition, z_t = network.condition(slices, given), torch.randn(1, 16, 4, 4)
    a, s = network.schedule.coefficients(t, z_t)
    with torch.no_grad():
        for depth in (0.0, 0.3):
            place = places(torch.eye(3)[None], torch.tensor([depth]))
            near = network.denoiser.alignment.nearest_to(condition.image_latent[:, None], given, place)
            mean, variance = network.denoiser.first_guess(near, place)
            wanted = mean + a * variance / (a**2 * variance + s**2) * (z_t - a * mean)
            torch.testing.assert_close(network.denoise(z_t, t, condition, place), wanted, atol=1e-5, rtol=1e-4)
    assert float(network.denoiser.first_guess.variance.min()) > 0


def test_the_network_adds_nothing_on_a_given_slice(make_network: Callable[..., CrossSectionDiffusion]) -> None:
    network = make_network(difference=True)
    fit_first_guess(network, ConeSections("training", 20))
    slices, given, t = torch.rand(1, 1, SIZE, SIZE) * 2 - 1, poses(MIDDLE)[:, None], torch.tensor([90])
    condition, z_t = network.condition(slices, given), torch.randn(1, 16, 4, 4)
    with torch.no_grad():
        found = network.denoise(z_t, t, condition, MIDDLE)
        elsewhere = network.denoise(z_t, t, condition, places(torch.eye(3)[None], torch.tensor([0.5])))
        nothing = network.denoise(z_t, t, network.null_condition(1), MIDDLE)
    assert (found - condition.image_latent).abs().mean() < 0.1 * (elsewhere - condition.image_latent).abs().mean()
    assert nothing.isfinite().all()


def test_positions_are_exact_whatever_a_network_computes_in(make_network: Callable[..., CrossSectionDiffusion]) -> None:
    network = make_network(difference=True)
    slices, place = torch.rand(1, 1, SIZE, SIZE) * 2 - 1, places(torch.eye(3)[None], torch.tensor([0.317]))
    condition = network.condition(slices, poses(place)[:, None])
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found = network.denoise(torch.zeros(1, 16, 4, 4), torch.tensor([99]), condition, place)
    torch.testing.assert_close(found, condition.image_latent, atol=0.05, rtol=0)
