"""What every method shares, shown with a system that is no knee: pictures drawn from a given one and a place."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from monai_xray2mri.diffusion.guidance import Condition
from monai_xray2mri.diffusion.latent_diffusion import LatentDiffusion
from monai_xray2mri.diffusion.sampler_settings import SamplerSettings
from monai_xray2mri.diffusion.schedule import NoiseSchedule
from monai_xray2mri.networks.condition import FeatureEmbedding
from monai_xray2mri.networks.denoiser import SliceDenoiser

SIDE = 8
SETTINGS = SamplerSettings(3, 1.0, 1.0, 0.0, 1.0, 1.5, 0.0)


class Pixels(torch.nn.Module):
    """An autoencoder that changes nothing: diffusion in the space of the pixels."""

    factor, latent_channels = 1, 1

    def encode(self, image: Tensor) -> Tensor:
        return image

    def decode(self, latent: Tensor) -> Tensor:
        return latent


class Pictures(LatentDiffusion):
    """Knows its pictures: the given one, darker by the sum of the numbers of its place."""

    def __init__(self, **options: Any) -> None:
        schedule = NoiseSchedule(100, "cosine", "v")
        super().__init__(Pixels(), torch.nn.Identity(), schedule, SETTINGS, tokens=(0, 0), image_size=SIDE, **options)
        self.asked: list[int] = []

    def condition(self, picture: Tensor) -> Condition:
        return Condition(picture * self.latent_scale, picture.new_zeros(1, 0, 0), picture.new_zeros(1, 0))

    def null_condition(self, batch: int) -> Condition:
        nothing = torch.zeros(batch, 1, SIDE, SIDE)
        return Condition(nothing, nothing.new_zeros(batch, 0, 0), nothing.new_zeros(batch, 0))

    def denoise(self, z_t: Tensor, t: Tensor, condition: Condition, place: Tensor) -> Tensor:
        self.asked.append(len(z_t))
        darker = place.reshape(len(place), -1).sum(dim=1)[:, None, None, None]
        z_0 = condition.image_latent - darker * self.latent_scale
        a, s = self.schedule.coefficients(t, z_t)
        return self.schedule.target(z_0, t, (z_t - a * z_0) / s)


@pytest.fixture
def picture() -> Tensor:
    return torch.rand(1, 1, SIDE, SIDE)


class Zeros:
    """Noise that is none."""

    def initial(self, places: Tensor) -> Tensor:
        return torch.zeros(len(places), 1, SIDE, SIDE)

    def step(self, index: int, places: Tensor) -> Tensor:
        return torch.zeros(len(places), 1, SIDE, SIDE)


@pytest.mark.parametrize(
    "places",
    [torch.linspace(0, 0.5, 7), torch.rand(7, 3) / 4, torch.zeros(7, 0)],
    ids=["depths", "planes", "nowhere"],
)
@pytest.mark.parametrize("chunk", [3, 25])
def test_a_place_is_a_depth_a_plane_or_nothing(picture: Tensor, places: Tensor, chunk: int) -> None:
    system, done = Pictures(latent_scale=0.4), []
    images = system.sample(system.condition(picture), places, noise=Zeros(), chunk=chunk, callback=done.append)
    darker = places.reshape(7, -1).sum(dim=1)[:, None, None, None]
    torch.testing.assert_close(images, (picture - darker).clamp(-1, 1), atol=1e-4, rtol=0)
    assert sum(done) == 7


def test_the_caller_chooses_the_sampler(picture: Tensor) -> None:
    def halved(model, z_t, schedule, steps, eta, noise, callback):  # type: ignore[no-untyped-def]
        given.update(steps=steps, eta=eta, shape=tuple(noise(0).shape))
        return schedule.split(model(z_t, torch.full((len(z_t),), 99)), z_t, torch.full((len(z_t),), 99))[0] / 2

    system, given = Pictures(), {}
    settings = SETTINGS.altered(steps=5, eta=1.0)
    places = torch.zeros(2, 0)
    images = system.sample(system.condition(picture), places, noise=Zeros(), sampler=halved, settings=settings)
    torch.testing.assert_close(images, picture.expand(2, -1, -1, -1) / 2, atol=1e-3, rtol=0)
    assert given == {"steps": 5, "eta": 1.0, "shape": (2, 1, SIDE, SIDE)}


def test_guidance_asks_for_the_null_condition_too(picture: Tensor) -> None:
    system, places = Pictures(), torch.zeros(4, 3)
    condition, z_t, t = system.condition(picture).expand(4), torch.randn(4, 1, SIDE, SIDE), torch.full((4,), 50)
    both, alone = (system.bind(condition, places, scale)(z_t, t) for scale in (2.0, 1.0))
    assert system.asked == [8, 4]
    null, alike = system.null_condition(4), system.null_like(condition)
    assert all(torch.equal(getattr(null, part), getattr(alike, part)) for part in ("image_latent", "context", "guide"))
    free = system.denoise(z_t, t, null, places)
    torch.testing.assert_close(both, free + 2 * (alone - free), atol=1e-4, rtol=1e-4)


def test_noise_belongs_to_the_result_and_fits_its_latents() -> None:
    system, places = Pictures(pixel_mm=2.0, range_mm=40.0), torch.linspace(0, 1, 5)
    settings = SETTINGS.altered(noise_shared=0.25, noise_length_mm=4.0, noise_aspect=0.1)
    first, again = (system.draw_noise(torch.Generator().manual_seed(3), settings).initial(places) for _ in range(2))
    assert first.shape == (5, *system.latent_shape()) == (5, 1, SIDE, SIDE)
    assert torch.equal(first, again)
    kernel = system.noise_kernel(settings)
    assert (kernel.share, kernel.length_mm, kernel.range_mm, kernel.aspect, kernel.pixel_mm) == (0.25, 4, 40, 0.1, 2)
    shared = system.draw_noise(torch.Generator().manual_seed(3)).initial(places)
    assert torch.equal(shared, shared[:1].expand_as(shared))


def test_impossible_noise_is_refused_before_the_first_result() -> None:
    class Loud(Pictures):
        def __init__(self) -> None:
            LatentDiffusion.__init__(
                self, Pixels(), torch.nn.Identity(), NoiseSchedule(), SETTINGS.altered(noise_shared=2.0), tokens=(0, 0)
            )

    with pytest.raises(ValueError, match="share must be within"):
        Loud()


def test_a_method_without_condition_is_none() -> None:
    with pytest.raises(TypeError, match="abstract"):
        LatentDiffusion(Pixels(), torch.nn.Identity(), NoiseSchedule(), SETTINGS, tokens=(0, 0))  # type: ignore[abstract]


def test_the_denoiser_takes_any_place_or_none() -> None:
    class PlaneEmbedding(torch.nn.Module):
        def __init__(self, numbers: int, embedding: int) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(numbers, embedding)

        def forward(self, place: Tensor) -> Tensor:
            return self.linear(place)

    sizes: dict[str, Any] = {
        "channels": (8, 8, 16, 16), "context": 8, "heads": 2, "groups": 4, "condition_channels": 6,
    }  # fmt: skip
    noisy, image, context = torch.randn(2, 4, 8, 8), torch.randn(2, 6, 8, 8), torch.randn(2, 4, 8)
    t, plane, nothing = torch.full((2,), 5), torch.rand(2, 3), torch.zeros(2, 0)
    somewhere = SliceDenoiser(PlaneEmbedding(3, 32), **sizes)
    assert somewhere.guide_width == 0
    first, other = (somewhere(noisy, t, image, context, place, nothing) for place in (plane, plane + 1))
    assert first.shape == noisy.shape
    assert not torch.allclose(first, other)
    nowhere = SliceDenoiser(**sizes)
    assert nowhere(noisy, t, image, context, nothing, nothing).shape == noisy.shape
    assert SliceDenoiser(None, FeatureEmbedding(5, 32), **sizes).guide_width == 5
