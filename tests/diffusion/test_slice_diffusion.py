"""Slices to volume (paper 000, Algorithm 2)."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from monai_xray2mri.diffusion.inferer import SliceDiffusionInferer
from monai_xray2mri.diffusion.slice_diffusion import SliceDiffusion
from tests.conftest import make_tiny_network

ONE_STORED_UNIT = 2 / 4095
"""Of the MR series, in the network's range [-1, 1]."""


@pytest.fixture
def film() -> Tensor:
    return torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(3)) * 2 - 1


def noise(network: SliceDiffusion, seed: int = 0) -> Tensor:
    return network.draw_noise(torch.Generator().manual_seed(seed))


def test_a_volume_has_one_slice_per_depth(tiny_network: SliceDiffusion, film: Tensor) -> None:
    volume = tiny_network.generate(film, noise=noise(tiny_network))
    assert volume.shape == (1, 1, 5, 64, 64)
    assert volume.abs().max() <= 1
    assert tiny_network.generate(film, noise=noise(tiny_network), slices=7).shape == (1, 1, 7, 64, 64)


def test_the_chunk_does_not_change_the_result(tiny_network: SliceDiffusion, film: Tensor) -> None:
    volumes = [tiny_network.generate(film, noise=noise(tiny_network), chunk=chunk) for chunk in (1, 2, 5, 100)]
    for volume in volumes[1:]:
        assert (volume - volumes[0]).abs().max() < ONE_STORED_UNIT / 2


def test_equal_noise_gives_equal_bits_and_other_noise_does_not(tiny_network: SliceDiffusion, film: Tensor) -> None:
    first, again, other = (tiny_network.generate(film, noise=noise(tiny_network, seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_the_initial_noise_is_shared_by_the_slices(tiny_network: SliceDiffusion, film: Tensor) -> None:
    """With a denoiser that ignores depth all slices are one."""
    for parameter in tiny_network.denoiser.depth_embedding.parameters():
        torch.nn.init.zeros_(parameter)
    first = tiny_network.denoiser.guide.mlp[0]
    with torch.no_grad():
        first.weight[:, 61:] = 0
    volume = tiny_network.generate(film, noise=noise(tiny_network))[0, 0]
    assert (volume - volume[:1]).abs().max() < 1e-5


def test_slices_of_another_number_lie_in_the_same_range(tiny_network: SliceDiffusion, film: Tensor) -> None:
    assert tiny_network.depths(9)[::2].tolist() == tiny_network.depths(5).tolist()
    coarse = tiny_network.generate(film, noise=noise(tiny_network), slices=5)
    fine = tiny_network.generate(film, noise=noise(tiny_network), slices=9)
    assert (fine[:, :, ::2] - coarse).abs().max() < ONE_STORED_UNIT / 2
    assert tiny_network.spacing(5) == pytest.approx(1.5)
    assert tiny_network.spacing(9) == pytest.approx(0.75)


def test_guidance_one_is_none_and_zero_ignores_the_condition(tiny_network: SliceDiffusion, film: Tensor) -> None:
    depth = torch.tensor([0.5])
    z, t = torch.randn(1, 4, 8, 8), torch.tensor([500])
    condition = tiny_network.condition(film, torch.eye(61)[:1])
    with torch.no_grad():
        plain = tiny_network.bind(condition, depth, 1.0)(z, t)
        null = tiny_network.bind(tiny_network.null_condition(1), depth, 1.0)(z, t)
        torch.testing.assert_close(tiny_network.bind(condition, depth, 0.0)(z, t), null)
        torch.testing.assert_close(tiny_network.bind(condition, depth, 3.0)(z, t), null + 3 * (plain - null))


def test_the_null_condition_travels_with_the_weights(tiny_network: SliceDiffusion) -> None:
    assert {"null_context", "latent_scale"} <= set(tiny_network.state_dict())


def test_the_latent_scale_is_undone_by_the_decoder(tiny_network: SliceDiffusion) -> None:
    image = torch.rand(1, 1, 64, 64) * 2 - 1
    plain = tiny_network.decode_slices(tiny_network.encode_slices(image))
    tiny_network.latent_scale.fill_(0.2)
    torch.testing.assert_close(
        tiny_network.decode_slices(tiny_network.encode_slices(image)), plain, atol=1e-5, rtol=1e-4
    )


def test_the_radiograph_is_drawn_to_the_scale_of_the_slices(tiny_network: SliceDiffusion) -> None:
    """A square of 55 mm at the detector is 55 / 1.06 mm wide in the joint plane, at the middle of 160 mm."""
    film = torch.full((1, 1, 64, 64), -1.0)
    film[..., 16:48, 16:48] = 1  # 32 of 64 pixels of 110 mm
    drawn = tiny_network.to_slice_scale(film)[0, 0]
    width_mm = float((drawn[32] + 1).sum() / 2 * 2.5)
    assert width_mm == pytest.approx(55 / 1.06, rel=0.05)
    assert drawn[0].max() == -1
    assert drawn.flip(0).allclose(drawn, atol=1e-5)


def test_without_alignment_the_radiograph_is_encoded_as_it_is(film: Tensor) -> None:
    network = make_tiny_network(align=False)
    torch.testing.assert_close(network.radiograph_latent(film), network.encode_slices(film))


def test_monai_sees_slices_last(tiny_network: SliceDiffusion, film: Tensor) -> None:
    both = tiny_network(torch.cat([film, -film]))
    assert both.shape == (2, 1, 64, 64, 5)
    one = tiny_network.generate(film, noise=noise(tiny_network))
    torch.testing.assert_close(both[:1].permute(0, 1, 4, 2, 3), one)


def test_features_reach_the_volume(tiny_network: SliceDiffusion, film: Tensor) -> None:
    unknown = tiny_network(film)
    assert not torch.allclose(unknown, tiny_network(film, torch.ones(1, 61)))
    torch.testing.assert_close(unknown, tiny_network(film, torch.zeros(1, 61)))


def test_the_inferer_takes_numbers_texts_and_blanks(tiny_network: SliceDiffusion, film: Tensor) -> None:
    plain = SliceDiffusionInferer(seed=0)(film, tiny_network)
    torch.testing.assert_close(
        SliceDiffusionInferer(seed="", steps="2", slices=None, guidance="")(film, tiny_network), plain
    )
    assert SliceDiffusionInferer(seed="1", slices="3")(film, tiny_network).shape == (1, 1, 64, 64, 3)
    assert not torch.allclose(SliceDiffusionInferer(seed=1)(film, tiny_network), plain)


def test_progress_counts_slices(tiny_network: SliceDiffusion, film: Tensor) -> None:
    seen: list[int] = []
    tiny_network.generate(film, noise=noise(tiny_network), chunk=2, callback=seen.append)
    assert seen == [2, 2, 1]
