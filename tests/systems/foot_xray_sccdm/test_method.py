"""SCCDM's denoiser, refinement and difference domain against the paper's numbers and equations."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from monai_xray2mri.diffusion.samplers import ddim
from monai_xray2mri.diffusion.schedule import NoiseSchedule
from monai_xray2mri.systems.foot_xray_sccdm.difference import gray, half_difference, radiograph_of
from monai_xray2mri.systems.foot_xray_sccdm.multiscale_unet import Denoised, MultiScaleUNet, _sinusoids
from monai_xray2mri.systems.foot_xray_sccdm.refinement import Refinement, blurred, fuse_scales


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ({}, 37_539_809),
        ({"branches": False}, 20_760_193),
        ({"attention_levels": (1,)}, 37_128_289),
        ({"attention_levels": (3,)}, 38_115_169),
    ],
)
def test_the_published_number_of_parameters(options: dict[str, object], parameters: int) -> None:
    with torch.device("meta"):
        assert count(MultiScaleUNet(**options)) == parameters  # type: ignore[arg-type]


@pytest.fixture
def small() -> MultiScaleUNet:
    torch.manual_seed(0)
    network = MultiScaleUNet(width=8, multipliers=(1, 2), blocks=1, attention_levels=(1,), groups=4).eval()
    torch.nn.init.normal_(network.tail[2].weight, std=0.1)
    return network


def test_what_the_network_gives(small: MultiScaleUNet) -> None:
    given = small(torch.randn(2, 1, 16, 16), torch.randn(2, 1, 16, 16), torch.tensor([3, 900]))
    assert given.prediction.shape == (2, 1, 16, 16)
    assert [level.shape for level in given.features] == [(2, 16, 8, 8), (2, 8, 16, 16)]
    assert given.attention is not None and given.attention.shape == (2, 1, 8, 8)
    torch.testing.assert_close(given.attention.mean(dim=(1, 2, 3)), torch.ones(2))


def test_noise_depends_on_image_condition_and_time(small: MultiScaleUNet) -> None:
    image, condition, t = torch.randn(1, 1, 16, 16), torch.randn(1, 1, 16, 16), torch.tensor([10])
    usual = small(image, condition, t).prediction
    for changed in (small(image + 1, condition, t), small(image, condition + 1, t), small(image, condition, t + 50)):
        assert (changed.prediction - usual).abs().max() > 1e-4


def test_what_a_narrow_network_cannot_carry_goes_by_its_side() -> None:
    narrow = MultiScaleUNet(3, 3, width=8, multipliers=(1,), blocks=1, attention_levels=(), groups=4, direct=True)
    assert narrow.gains is not None
    d_t, condition, t = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8), torch.tensor([3, 900])
    torch.testing.assert_close(narrow(d_t, condition, t).prediction, torch.zeros_like(d_t))
    torch.nn.init.normal_(narrow.gains.weight)
    gains = narrow.gains(torch.nn.functional.silu(narrow.embed(_sinusoids(t, 8))))[..., None, None]
    expected = gains[:, :3] * d_t + gains[:, 3:] * condition
    torch.testing.assert_close(narrow(d_t, condition, t).prediction, expected)
    assert (gains[0] - gains[1]).abs().max() > 1e-3
    with pytest.raises(ValueError, match="as many channels of both, got 3, 1"):
        MultiScaleUNet(3, 1, width=8, groups=4, direct=True)


def test_parts_can_be_left_out() -> None:
    bare = MultiScaleUNet(width=8, multipliers=(1, 2), blocks=1, attention_levels=(), groups=4, branches=False)
    assert bare(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8), torch.tensor([0])).attention is None
    with pytest.raises(ValueError, match="multiple of 4"):
        MultiScaleUNet(width=6, groups=3)


def test_the_linear_rule_is_that_of_ddpm() -> None:
    beta = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    schedule = NoiseSchedule(1000, "linear", "epsilon")
    torch.testing.assert_close(schedule.alpha_bar.double(), torch.cumprod(1 - beta, 0), rtol=1e-6, atol=1e-9)
    with pytest.raises(ValueError, match="more than 20 steps"):
        NoiseSchedule(20, "linear")


def linear_model(d_t: Tensor, t: Tensor) -> Tensor:
    return 0.4 * d_t + 0.001 * t[:, None, None, None]


def test_ddim_with_all_steps_is_equation_5() -> None:
    schedule = NoiseSchedule(50, "linear", "epsilon")
    start, noises = torch.randn(2, 1, 4, 4), torch.randn(50, 2, 1, 4, 4)
    d = start
    for index, t in enumerate(range(49, -1, -1)):
        bar, before = schedule.alpha_bar[t], schedule.alpha_bar[t - 1] if t else torch.ones(())
        eps = linear_model(d, torch.full((2,), t))
        sigma = ((1 - before) / (1 - bar)).sqrt() * (1 - bar / before).sqrt()
        d_0 = (d - (1 - bar).sqrt() * eps) / bar.sqrt()
        d = before.sqrt() * d_0 + (1 - before - sigma**2).clamp(min=0).sqrt() * eps
        d = d + sigma * noises[index] * (t > 0)
    found = ddim(linear_model, start, schedule, 50, eta=1.0, noise=lambda index: noises[index])
    torch.testing.assert_close(found, d, atol=2e-4, rtol=1e-4)


def denoised(d_t: Tensor, t: Tensor) -> Denoised:
    generator = torch.Generator().manual_seed(int(t[0]))
    features = (torch.rand(2, 3, 4, 4, generator=generator), torch.rand(2, 2, 8, 8, generator=generator))
    return Denoised(linear_model(d_t, t), features, torch.rand(2, 1, 4, 4, generator=generator) + 0.5)


def test_a_step_is_algorithm_1() -> None:
    """The mean of Ho et al. (2020) of the d_t that Eq. 6 to 8 altered."""
    schedule = NoiseSchedule(50, "linear", "epsilon")
    refinement = Refinement()
    model, refine = refinement.bind(denoised, schedule)
    assert refine is not None
    d_t, t = torch.randn(2, 1, 8, 8), torch.tensor([30, 30])
    bar, before = schedule.alpha_bar[30], schedule.alpha_bar[29]
    alpha = bar / before
    eps = model(d_t, t)
    given = denoised(d_t, t)
    d_0 = (d_t - (1 - bar).sqrt() * eps) / bar.sqrt()  # Eq. 6
    smooth = bar.sqrt() * blurred(d_0) + (1 - bar).sqrt() * eps
    mask = fuse_scales(given.features, d_t.shape[-2:])
    refined = (1 - mask) * d_t + mask * smooth  # Eq. 7
    assert given.attention is not None
    gate = refinement.gate(given.attention, d_t.shape[-2:])
    attended = (1 - gate) * refined + gate * smooth  # Eq. 8
    mean = (attended - (1 - alpha) / (1 - bar).sqrt() * eps) / alpha.sqrt()
    z_0, same_eps = refine(d_t, d_0, eps, t)
    variance = (1 - before) / (1 - bar) * (1 - alpha)
    found = before.sqrt() * z_0 + (1 - before - variance).sqrt() * same_eps
    torch.testing.assert_close(found, mean, atol=1e-5, rtol=1e-4)


def test_guidance_steers_away_from_the_altered_image() -> None:
    schedule = NoiseSchedule(50, "linear", "epsilon")
    refinement = Refinement("guidance", guidance=0.1)
    model, refine = refinement.bind(denoised, schedule)
    assert refine is not None
    d_t, t = torch.randn(2, 1, 8, 8), torch.tensor([30, 30])
    eps = model(d_t, t)
    d_0, _ = schedule.split(eps, d_t, t)
    a, s = schedule.coefficients(t, d_t)
    altered = refinement.altered(d_t, a * blurred(d_0) + s * eps, denoised(d_t, t))
    z_0, guided = refine(d_t, d_0, eps, t)
    torch.testing.assert_close(guided, eps + 0.1 * (eps - linear_model(altered, t)))
    torch.testing.assert_close(a * z_0 + s * guided, d_t)  # the mean follows from the unaltered d_t


def test_without_refinement_nothing_is_altered() -> None:
    schedule = NoiseSchedule(50, "linear", "epsilon")
    model, refine = Refinement("none").bind(denoised, schedule)
    assert refine is None
    start = torch.randn(2, 1, 8, 8)
    assert torch.equal(ddim(model, start, schedule, 5), ddim(linear_model, start, schedule, 5))
    with pytest.raises(ValueError, match="paper, guidance, none"):
        Refinement("other")  # type: ignore[arg-type]


def test_masks_lie_between_0_and_1_and_the_gate_is_either() -> None:
    given = denoised(torch.randn(2, 1, 8, 8), torch.tensor([1, 1]))
    mask = fuse_scales(given.features, torch.Size((8, 8)))
    assert mask.shape == (2, 1, 8, 8) and mask.min() >= 0 and mask.max() <= 1
    attention = torch.tensor([0.2, 1.0, 1.2, 1.6]).view(1, 1, 2, 2)
    assert Refinement().gate(attention, torch.Size((2, 2))).flatten().tolist() == [0, 1, 1, 1]
    unscaled = Refinement(threshold=1.1, scaled=False)
    assert unscaled.gate(attention, torch.Size((2, 2))).flatten().tolist() == [0, 0, 1, 1]


def test_the_blur_keeps_what_is_even() -> None:
    even = torch.full((1, 2, 8, 8), 0.7)
    torch.testing.assert_close(blurred(even), even)
    dot = torch.zeros(1, 1, 9, 9)
    dot[..., 4, 4] = 1
    assert blurred(dot).sum() == pytest.approx(1.0, abs=1e-4)
    assert blurred(dot)[0, 0, 4, 4] == pytest.approx(0.16210, abs=1e-4)


def test_the_difference_leads_back_to_the_radiograph() -> None:
    photograph, radiograph = gray(torch.rand(2, 3, 8, 8)), 2 * torch.rand(2, 1, 8, 8) - 1
    half = half_difference(radiograph, photograph)
    assert half.abs().max() <= 1
    torch.testing.assert_close(radiograph_of(half, photograph), radiograph)
    torch.testing.assert_close(gray(torch.ones(1, 3, 2, 2)), torch.ones(1, 1, 2, 2))
