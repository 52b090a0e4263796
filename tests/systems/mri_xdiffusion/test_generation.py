"""Volumes from views (X-Diffusion, Eq. 3), with a network that knows the truth."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from monai_xray2mri.diffusion.guidance import Condition
from monai_xray2mri.simulation.cones import Cones, draw_cones
from monai_xray2mri.systems.mri_xdiffusion.generation import Views, generate_view, generate_volume
from monai_xray2mri.systems.mri_xdiffusion.network import CrossSectionDiffusion
from monai_xray2mri.systems.mri_xdiffusion.planes import azimuth, places, poses, section_grid, view_places

SIZE = 16
MIDDLE = places(torch.eye(3)[None], torch.zeros(1))


@pytest.fixture(scope="module")
def cones() -> Cones:
    return draw_cones([2])


@pytest.fixture
def knowing(network: CrossSectionDiffusion, cones: Cones, monkeypatch: pytest.MonkeyPatch) -> CrossSectionDiffusion:
    """The denoiser predicts what the cone's section at its place makes of z_t."""

    def denoise(z_t: Tensor, t: Tensor, condition: Condition, place: Tensor) -> Tensor:
        section = cones.values(section_grid(place, SIZE)[None])[0][:, None] * 2 - 1
        z_0 = network.encode(section)
        a, s = network.schedule.coefficients(t, z_t)
        return network.schedule.target(z_0, t, (z_t - a * z_0) / s)

    monkeypatch.setattr(network, "denoise", denoise)
    return network


def condition_of(network: CrossSectionDiffusion, cones: Cones) -> Condition:
    image = cones.values(section_grid(MIDDLE, SIZE)[None])[0][None] * 2 - 1
    return network.condition(image, poses(MIDDLE)[None])


def generators(count: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in range(count)]


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_a_view_is_all_sections_in_its_direction(knowing: CrossSectionDiffusion, cones: Cones, eta: float) -> None:
    rotation, done = azimuth(50), []
    view = generate_view(
        knowing, condition_of(knowing, cones), rotation, generators(1)[0],
        settings=knowing.settings.altered(eta=eta), chunk=5, callback=done.append,
    )  # fmt: skip
    wanted = cones.values(section_grid(view_places(rotation, SIZE), SIZE)[None])[0]
    torch.testing.assert_close(view, wanted, atol=1e-3, rtol=0)
    assert sum(done) == SIZE


@pytest.mark.parametrize(
    "views", [Views.around(1), Views.around(4), Views.planes(), Views.samples(2), Views.planes("max")]
)
def test_views_at_right_angles_give_the_volume_itself(
    knowing: CrossSectionDiffusion, cones: Cones, views: Views
) -> None:
    given = generators(len(views.rotations))
    volume = generate_volume(knowing, condition_of(knowing, cones), views, given)
    torch.testing.assert_close(volume, cones.volume(SIZE)[0], atol=1e-3, rtol=0)


def test_one_view_is_its_own_average_and_samples_differ(network: CrossSectionDiffusion, cones: Cones) -> None:
    condition = condition_of(network, cones)
    view = generate_view(network, condition, torch.eye(3), generators(1)[0])
    torch.testing.assert_close(
        generate_volume(network, condition, Views.around(1), generators(1)), view, atol=2e-5, rtol=0
    )
    other = generate_view(network, condition, torch.eye(3), generators(2)[1])
    assert (view - other).abs().mean() > 1e-3
    mean = generate_volume(network, condition, Views.samples(2), generators(2))
    torch.testing.assert_close(mean, (view + other) / 2, atol=2e-5, rtol=0)


def test_views_go_around_the_vertical_axis() -> None:
    rotations = Views.around(5).rotations
    assert len(rotations) == 5 and torch.equal(rotations[-1], torch.eye(3))
    for number, rotation in enumerate(rotations, start=1):
        torch.testing.assert_close(rotation, azimuth(72 * number))
        torch.testing.assert_close(rotation @ torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.0, 1.0, 0.0]))


def test_noise_is_of_unit_variance_alike_for_near_sections_and_folded_as_pixels_are(
    network: CrossSectionDiffusion,
) -> None:
    settings = network.settings.altered(noise_length_mm=4.0, noise_aspect=0.2)
    place = view_places(torch.eye(3), SIZE)
    drawn = [network.draw_noise(generator, settings) for generator in generators(30)]
    noise = torch.stack([one.initial(place) for one in drawn])  # [30,S,C,h,w]
    assert noise.shape[1:] == (SIZE, *network.latent_shape())
    assert noise.square().mean() == pytest.approx(1, abs=0.05)
    pixels = torch.nn.functional.pixel_shuffle(noise, 4)[:, :, 0]  # [30,S,H,W]
    neighbors, far = ((pixels[:, 0] * pixels[:, step]).mean() for step in (1, SIZE - 1))
    assert neighbors > 0.8 and abs(far) < 0.25
    coarse = pixels.mean(dim=(2, 3))  # long wavelengths reach farther
    fine = pixels[..., ::2] - pixels[..., 1::2]
    alike = [float((part[:, 0] * part[:, 6]).mean() / part[:, 0].square().mean()) for part in (coarse, fine)]
    assert alike[0] > alike[1]
    steps = torch.stack([drawn[0].step(index, place) for index in (0, 0, 1)])
    assert torch.equal(steps[0], steps[1]) and not torch.equal(steps[0], steps[2])
    torch.testing.assert_close(drawn[0].initial(place[3:5]), noise[0, 3:5])
