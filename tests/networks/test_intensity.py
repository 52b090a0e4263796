"""The intensity distribution of Wang 2024b."""

from __future__ import annotations

import numpy as np
import torch

from monai_xray2mri.networks.intensity import intensity_distribution
from monai_xray2mri.radiograph.knee.region import normalize_region


def test_it_is_the_share_of_pixels_per_gray_level() -> None:
    film = torch.rand(2, 1, 32, 32) * 2 - 1
    found = intensity_distribution(film)
    assert found.shape == (2, 64)
    for one, image in zip(found, film, strict=True):
        counts, _ = np.histogram(image.numpy(), np.linspace(-1, 1, 65))
        np.testing.assert_allclose(one.numpy(), counts / 1024, atol=1e-7)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(2))


def test_the_ends_of_the_range_and_what_lies_beyond_are_counted() -> None:
    film = torch.tensor([[[[-1.0, 1.0], [-3.0, 3.0]]]])
    found = intensity_distribution(film)[0]
    assert found[0] == found[-1] == 0.5


def test_it_does_not_change_with_the_place_of_pixels_nor_with_the_batch() -> None:
    film = torch.rand(3, 1, 16, 16) * 2 - 1
    whole = intensity_distribution(film)
    assert torch.equal(whole, intensity_distribution(film.flip(3)))
    assert torch.equal(whole[1:2], intensity_distribution(film[1:2]))


def test_gain_and_offset_of_the_film_do_not_reach_it_but_gamma_does() -> None:
    pixels = np.random.default_rng(0).uniform(0.1, 0.9, (64, 64))

    def distribution(image: np.ndarray) -> torch.Tensor:
        return intensity_distribution(torch.from_numpy(normalize_region(image, mirrored=False, size=64))[None, None])

    first = distribution(pixels)
    torch.testing.assert_close(first, distribution(3 * pixels + 7), atol=2e-3, rtol=0)
    assert (first - distribution(pixels**3)).abs().max() > 0.02
