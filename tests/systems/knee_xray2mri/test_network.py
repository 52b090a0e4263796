"""Slices to volume (Wang 2024a, Algorithm 2)."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from monai_xray2mri.diffusion.depth_noise import VolumeNoise
from monai_xray2mri.diffusion.schedule import NoiseSchedule
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion
from tests.conftest import make_tiny_network

ONE_STORED_UNIT = 2 / 4095
"""Of the MR series, in the network's range [-1, 1]."""


@pytest.fixture
def film() -> Tensor:
    return torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(3)) * 2 - 1


def noise(network: SliceDiffusion, seed: int = 0, **kernel: float) -> VolumeNoise:
    return network.draw_noise(torch.Generator().manual_seed(seed), network.settings.altered(**kernel))


def test_a_volume_has_one_slice_per_depth(tiny_network: SliceDiffusion, film: Tensor) -> None:
    volume = tiny_network.generate(film, noise=noise(tiny_network))
    assert volume.shape == (1, 1, 5, 64, 64)
    assert volume.abs().max() <= 1
    assert tiny_network.generate(film, noise=noise(tiny_network), slices=7).shape == (1, 1, 7, 64, 64)


@pytest.mark.parametrize(("share", "options"), [(1.0, {}), (0.3, {"guidance": 2.0, "eta": 1.0})])
def test_the_chunk_does_not_change_the_result(
    tiny_network: SliceDiffusion, film: Tensor, share: float, options: dict[str, float]
) -> None:
    settings = tiny_network.settings.altered(**options)
    volumes = [
        tiny_network.generate(film, noise=noise(tiny_network, noise_shared=share), settings=settings, chunk=chunk)
        for chunk in (1, 3, 100)
    ]
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
    volume = tiny_network.generate(film, noise=noise(tiny_network, noise_shared=0.5))[0, 0]
    assert (volume - volume[:1]).abs().amax(dim=(1, 2))[1:].min() > 10 * ONE_STORED_UNIT


def test_slices_of_another_number_lie_in_the_same_range(tiny_network: SliceDiffusion, film: Tensor) -> None:
    assert tiny_network.depths(9)[::2].tolist() == tiny_network.depths(5).tolist()
    settings = tiny_network.settings.altered(eta=0.5)
    for kernel in ({}, {"noise_shared": 0.2, "noise_length_mm": 1.0}):
        coarse = tiny_network.generate(film, noise=noise(tiny_network, **kernel), settings=settings, slices=5)
        fine = tiny_network.generate(film, noise=noise(tiny_network, **kernel), settings=settings, slices=9)
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


def test_radiograph_and_features_have_scales_of_their_own(tiny_network: SliceDiffusion, film: Tensor) -> None:
    depth, z, t = torch.tensor([0.5]), torch.randn(1, 4, 8, 8), torch.tensor([500])
    condition = tiny_network.condition(film, torch.eye(61)[:1])
    with torch.no_grad():
        null, alone, both = (
            tiny_network.bind(given, depth, 1.0)(z, t)
            for given in (tiny_network.null_condition(1), tiny_network.condition(film), condition)
        )
        for scale, feature_scale in ((1.0, 4.0), (2.0, 0.0), (2.0, 3.0), (0.0, 1.0)):
            expected = null + scale * (alone - null) + feature_scale * (both - alone)
            torch.testing.assert_close(tiny_network.bind(condition, depth, scale, feature_scale)(z, t), expected)
        torch.testing.assert_close(tiny_network.bind(condition, depth, 1.0, 0.0)(z, t), alone)


def test_a_scale_that_is_asked_for_holds_for_the_features_too() -> None:
    own = make_tiny_network(guidance=1.0, feature_guidance=3.0).settings

    def scales(**settings: float | None) -> tuple[float, float]:
        chosen = own.altered(**settings)
        return chosen.guidance, chosen.feature_guidance

    assert scales() == scales(guidance=None, feature_guidance=None) == (1.0, 3.0)
    assert scales(guidance=2.0) == (2.0, 2.0)
    assert scales(feature_guidance=0.0) == (1.0, 0.0)
    assert scales(guidance=2.0, feature_guidance=5.0) == (2.0, 5.0)
    assert make_tiny_network(guidance=1.5).settings.feature_guidance == 1.5
    with pytest.raises(TypeError, match="color"):
        own.altered(color=1)


@pytest.mark.parametrize(
    ("scales", "known", "down", "up"),
    [
        ((1.0, None), True, 3, 3),
        ((2.0, None), True, 6, 6),
        ((1.0, 2.0), True, 3, 6),  # only the features differ, which the up path alone sees
        ((1.0, 2.0), False, 3, 3),
        ((2.0, 3.0), True, 9, 9),
        ((2.0, 3.0), False, 6, 6),
    ],
)
def test_guidance_costs_one_call_of_all_that_count(
    tiny_network: SliceDiffusion, film: Tensor, scales: tuple[float, float | None], known: bool, down: int, up: int
) -> None:
    calls: list[tuple[int, int]] = []
    tiny_network.denoiser.register_forward_pre_hook(lambda _m, given: calls.append((len(given[0]), len(given[5]))))
    features = torch.eye(61)[:1] if known else None
    settings = tiny_network.settings.altered(guidance=scales[0], feature_guidance=scales[1])
    tiny_network.generate(film, features, noise=noise(tiny_network), settings=settings, slices=3)
    assert calls == [(down, up)] * settings.steps


def test_features_of_several_kinds_share_the_down_path(tiny_network: SliceDiffusion, film: Tensor) -> None:
    denoiser, z, t, depth = tiny_network.denoiser, torch.randn(2, 4, 8, 8), torch.tensor([500, 20]), torch.rand(2)
    latent, context, _ = tiny_network.condition(film).expand(2)
    features = torch.eye(61)[:6]
    with torch.no_grad():
        together = denoiser(z, t, latent, context, depth, features)
        apart = [denoiser(z, t, latent, context, depth, features[first : first + 2]) for first in (0, 2, 4)]
    torch.testing.assert_close(together, torch.cat(apart))
    assert not torch.allclose(together[:2], together[2:4])


def test_the_condition_is_encoded_once(tiny_network: SliceDiffusion, film: Tensor) -> None:
    encoded: list[int] = []
    tiny_network.radiograph_encoder.register_forward_pre_hook(lambda _m, given: encoded.append(len(given[0])))
    settings = tiny_network.settings.altered(guidance=2.0)
    tiny_network.generate(film, noise=noise(tiny_network), settings=settings, chunk=1)
    assert encoded == [1]


def test_eta_draws_noise_of_the_volume_and_zero_draws_none(tiny_network: SliceDiffusion, film: Tensor) -> None:
    calm, one, again, other = (
        tiny_network.generate(film, noise=noise(tiny_network, seed), settings=tiny_network.settings.altered(eta=eta))
        for seed, eta in ((1, 0.0), (1, 1.0), (1, 1.0), (2, 1.0))
    )
    assert torch.equal(one, again)
    assert not torch.allclose(calm, one)
    assert not torch.allclose(one, other)
    tiny_network.settings = tiny_network.settings.altered(eta=1.0)
    assert torch.equal(tiny_network.generate(film, noise=noise(tiny_network, 1)), one)


def test_the_models_own_noise_is_the_default_and_a_request_replaces_it(film: Tensor) -> None:
    network = make_tiny_network(noise_shared=0.25, noise_length_mm=2.0, noise_aspect=0.1)
    assert noise(network).kernel.share == 0.25
    assert noise(network).kernel.length_mm == 2
    assert noise(network).kernel.range_mm == 6
    assert noise(network).kernel.aspect == 0.1
    assert noise(network).kernel.pixel_mm == network.pixel_mm * network.image_size / network.latent_shape()[1]
    assert noise(network, noise_shared=1.0).kernel.share == 1
    assert noise(network, noise_aspect=0.0).kernel.aspect == 0
    assert noise(network, noise_length_mm=3.0).kernel.length_mm == 3
    with pytest.raises(ValueError, match="share must be"):
        make_tiny_network(noise_shared=2.0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_lower_precision_changes_little_and_gives_float32(
    tiny_network: SliceDiffusion, film: Tensor, dtype: torch.dtype
) -> None:
    exact = tiny_network.generate(film, noise=noise(tiny_network))
    seen: list[torch.dtype] = []
    tiny_network.denoiser.unet.conv_in.register_forward_hook(lambda _m, _i, out: seen.append(out.dtype))
    lower = tiny_network.generate(film, noise=noise(tiny_network), dtype=dtype)
    assert set(seen) == {dtype}
    assert lower.dtype == torch.float32
    assert 0 < (lower - exact).abs().max() < 0.1
    assert next(tiny_network.parameters()).dtype == torch.float32


def test_the_guide_of_the_up_path_can_come_from_the_radiograph(film: Tensor) -> None:
    """Wang 2024b: KOA probability and intensity distribution are worked out from the radiograph itself."""

    class MeanBrightness(torch.nn.Module):
        def __init__(self, feature_width: int = 0) -> None:
            super().__init__()
            self.feature_width = feature_width
            self.gain = torch.nn.Parameter(torch.full((61,), 2.0))

        def forward(self, radiograph: Tensor) -> Tensor:
            return radiograph.mean(dim=(1, 2, 3))[:, None] * self.gain

    network = make_tiny_network(describe=MeanBrightness())
    assert "describe.gain" in network.state_dict()
    with torch.no_grad():
        described = network.condition(film).guide
        torch.testing.assert_close(described, 2 * film.mean().expand(1, 61))
        given = torch.eye(61)[:1]
        assert torch.equal(network.condition(film, given).guide, described)  # Wang 2024b is not guided by gradings
        assert not network.null_condition(1, given).guide.any()
        network.describe = MeanBrightness(feature_width=40)  # both papers' guides, side by side
        both = network.condition(film, given[:, :40]).guide
        assert torch.equal(both, torch.cat([given[:, :40], described[:, 40:]], dim=1))
        assert torch.equal(network.null_condition(1, given[:, :40]).guide[:, :40], given[:, :40])
        assert not network.null_condition(1, given[:, :40]).guide[:, 40:].any()
    assert not network.null_condition(1).guide.any()
    assert not any(name.startswith("describe") for name in make_tiny_network().state_dict())


def test_any_encoder_with_tokens_will_do(film: Tensor) -> None:
    class OneToken(torch.nn.Module):
        tokens = (1, 8)

        def forward(self, radiograph: Tensor) -> Tensor:
            return radiograph.mean(dim=(1, 2, 3))[:, None, None].expand(-1, *self.tokens)

    network = make_tiny_network()
    single = SliceDiffusion(
        network.autoencoder,
        network.denoiser,
        OneToken(),
        network.schedule,
        image_size=64,
        modeled_slices=(13, 17),
        steps=2,
    )
    assert single.null_context.shape == (1, 1, 8)
    settings = single.settings.altered(guidance=2.0)
    assert single.generate(film, noise=noise(single), settings=settings).shape == (1, 1, 5, 64, 64)


def test_the_denoiser_is_told_the_time_of_its_weights(film: Tensor) -> None:
    network = make_tiny_network()
    network.schedule = NoiseSchedule(2000, network_steps=1000)
    told: list[float] = []
    network.denoiser.register_forward_pre_hook(lambda _m, given: told.append(float(given[1][0])))
    network.generate(film, noise=noise(network))
    assert told == [999.0, 499.0]


def test_the_null_condition_travels_with_the_weights(tiny_network: SliceDiffusion) -> None:
    assert {"null_context", "latent_scale"} <= set(tiny_network.state_dict())


def test_the_latent_scale_is_undone_by_the_decoder(tiny_network: SliceDiffusion) -> None:
    image = torch.rand(1, 1, 64, 64) * 2 - 1
    plain = tiny_network.decode(tiny_network.encode(image))
    tiny_network.latent_scale.fill_(0.2)
    torch.testing.assert_close(tiny_network.decode(tiny_network.encode(image)), plain, atol=1e-5, rtol=1e-4)


def test_the_radiographs_latent_can_stay_unscaled(film: Tensor) -> None:
    scaled, unscaled = (make_tiny_network(latent_scale=0.2, scale_radiograph_latent=flag) for flag in (True, False))
    unscaled.load_state_dict(scaled.state_dict())
    assert float(scaled.latent_scale) == pytest.approx(0.2)
    with torch.no_grad():
        torch.testing.assert_close(scaled.image_latent(film), 0.2 * unscaled.image_latent(film))
        torch.testing.assert_close(scaled.encode(film), unscaled.encode(film))


def test_weights_bring_their_own_latent_scale() -> None:
    network = make_tiny_network(latent_scale=0.2)
    network.load_state_dict(make_tiny_network(latent_scale=0.7).state_dict())
    assert float(network.latent_scale) == pytest.approx(0.7)


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
    torch.testing.assert_close(network.image_latent(film), network.encode(film))


def test_monai_sees_slices_last(tiny_network: SliceDiffusion, film: Tensor) -> None:
    both = tiny_network(torch.cat([film, -film]))
    assert both.shape == (2, 1, 64, 64, 5)
    one = tiny_network.generate(film, noise=noise(tiny_network))
    torch.testing.assert_close(both[:1].permute(0, 1, 4, 2, 3), one)


def test_features_reach_the_volume(tiny_network: SliceDiffusion, film: Tensor) -> None:
    unknown = tiny_network(film)
    assert not torch.allclose(unknown, tiny_network(film, torch.ones(1, 61)))
    torch.testing.assert_close(unknown, tiny_network(film, torch.zeros(1, 61)))


def test_progress_counts_slices(tiny_network: SliceDiffusion, film: Tensor) -> None:
    seen: list[int] = []
    tiny_network.generate(film, noise=noise(tiny_network), chunk=2, callback=seen.append)
    assert seen == [1, 1, 1, 1, 1]  # two steps each for 2, 2 and 1 slices; half a slice is not told
    seen.clear()
    settings = tiny_network.settings.altered(steps=3)
    tiny_network.generate(film, noise=noise(tiny_network), settings=settings, slices=11, chunk=7, callback=seen.append)
    assert sum(seen) == 11
    assert all(isinstance(count, int) and count > 0 for count in seen)
