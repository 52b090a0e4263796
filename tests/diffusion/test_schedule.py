"""Forward process and schedules (Wang 2024a, Eq. 2-4, 8-10)."""

from __future__ import annotations

import diffusers
import pytest
import torch
from torch import Tensor

from monai_xray2mri.diffusion.schedule import NoiseSchedule, cosine_alpha_bar, scaled_linear_alpha_bar


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(scaled_linear_alpha_bar, "scaled_linear"), (cosine_alpha_bar, "squaredcos_cap_v2")],
)
def test_1000_steps_agree_with_diffusers(ours: object, theirs: str) -> None:
    reference = diffusers.DDIMScheduler(1000, beta_schedule=theirs, beta_start=0.00085, beta_end=0.012)
    torch.testing.assert_close(ours(1000), reference.alphas_cumprod, rtol=2e-4, atol=1e-6)  # type: ignore[operator]


def test_2000_steps_of_paper_000_follow_the_1000_of_its_weights() -> None:
    """At t of 2000 the noise is that of t / 2 of 1000, so that pretrained weights see what they know."""
    long, short = scaled_linear_alpha_bar(2000), scaled_linear_alpha_bar(1000)
    torch.testing.assert_close(long[1::2], short, rtol=0.02, atol=1e-3)


def test_the_network_is_told_the_time_at_which_its_weights_know_this_noise() -> None:
    """The pairs (noise, told time) of T = 2000 lie on the curve of T = 1000; plain t / 2 misses it by more."""
    long, short = (
        NoiseSchedule(2000, "scaled_linear", "epsilon", network_steps=1000),
        NoiseSchedule(1000, "scaled_linear"),
    )
    t = torch.arange(2000)
    told = long.network_time(t).double()
    assert float(told.max()) == 999
    assert float(told.min()) == 0

    def log_snr(alpha_bar: Tensor) -> Tensor:
        return (alpha_bar.double() / (1 - alpha_bar.double())).log()

    def off(time: Tensor) -> Tensor:
        """Distance in log SNR from the curve of T = 1000, interpolated."""
        low = time.floor().long().clamp(max=998)
        curve = torch.lerp(log_snr(short.alpha_bar)[low], log_snr(short.alpha_bar)[low + 1], time - low)
        return (log_snr(long.alpha_bar) - curve).abs()

    assert off(told)[1:].max() < 0.07
    assert off(told)[10:].max() < 0.011
    assert off(t.double() / 2)[10:].max() > 0.05


def test_the_network_of_this_schedule_is_told_t_itself() -> None:
    t = torch.tensor([0, 7, 999])
    assert NoiseSchedule(1000).network_time(t) is t
    assert NoiseSchedule(1000, network_steps=1000).network_time(t) is t


def test_equation_4_is_the_iterated_equation_2() -> None:
    schedule = NoiseSchedule(100, "scaled_linear", "epsilon")
    alpha = schedule.alpha_bar / torch.cat([torch.ones(1), schedule.alpha_bar[:-1]])
    mean, variance = torch.ones(()), torch.zeros(())
    for step in alpha:  # z_t = sqrt(alpha_t) z_{t-1} + sqrt(1 - alpha_t) eps
        mean, variance = step.sqrt() * mean, step * variance + 1 - step
    a, s = schedule.coefficients(torch.tensor([99]), torch.zeros(1))
    torch.testing.assert_close(a[0], mean)
    torch.testing.assert_close(s[0] ** 2, variance)


@pytest.mark.parametrize("prediction", ["epsilon", "v", "sample"])
def test_a_perfect_prediction_gives_back_latent_and_noise(prediction: str) -> None:
    schedule = NoiseSchedule(1000, "cosine", prediction)  # type: ignore[arg-type]
    z_0, eps, t = torch.randn(4, 4, 8, 8), torch.randn(4, 4, 8, 8), torch.tensor([0, 10, 500, 900])
    z_t = schedule.add_noise(z_0, t, eps)
    found_z_0, found_eps = schedule.split(schedule.target(z_0, t, eps), z_t, t)
    torch.testing.assert_close(found_z_0, z_0, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(found_eps, eps, atol=1e-3, rtol=1e-3)


def test_an_error_of_the_sample_weighs_as_that_of_v() -> None:
    of_v, of_sample = NoiseSchedule(1000, "cosine", "v"), NoiseSchedule(1000, "cosine", "sample")
    z_0, eps, t = torch.randn(3, 4, 8, 8), torch.randn(3, 4, 8, 8), torch.tensor([10, 500, 900])
    z_t, wrong = of_v.add_noise(z_0, t, eps), z_0 + 0.1 * torch.randn_like(z_0)
    a, s = of_v.coefficients(t, z_0)
    error_of_v = ((a * z_t - wrong) / s - of_v.target(z_0, t, eps)).square()
    error_of_sample = of_sample.error_weight(t, z_0) * (wrong - z_0).square()
    torch.testing.assert_close(error_of_sample[1:], error_of_v[1:])
    assert (error_of_sample[0] < error_of_v[0]).all()  # there is a largest weight
    assert (of_v.error_weight(t, z_0) == 1).all()


def test_the_noisiest_step_comes_first() -> None:
    steps = NoiseSchedule(1000).timesteps(20)
    assert steps[0] == 999
    assert len(steps.unique()) == 20
    assert bool((steps.diff() < 0).all())
    assert NoiseSchedule(1000).timesteps(1).tolist() == [999]
    assert NoiseSchedule(1000).timesteps(1000).tolist() == list(range(999, -1, -1))


@pytest.mark.parametrize("count", [0, 1001])
def test_impossible_numbers_of_steps_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=r"within 1\.\.1000"):
        NoiseSchedule(1000).timesteps(count)


def test_unknown_rules_are_refused() -> None:
    with pytest.raises(ValueError, match="rule must be one of"):
        NoiseSchedule(rule="quadratic")
    with pytest.raises(ValueError, match="more than 12 steps"):
        NoiseSchedule(10, "scaled_linear")
    with pytest.raises(ValueError, match="network_steps must be"):
        NoiseSchedule(network_steps=0)
    with pytest.raises(ValueError, match="prediction must be"):
        NoiseSchedule(prediction="x")  # type: ignore[arg-type]
