"""DDIM (Wang 2024a, Eq. 9) and DPM-Solver++(2M)."""

from __future__ import annotations

import diffusers
import pytest
import torch
from torch import Tensor

from monai_xray2mri.diffusion.samplers import ddim, dpm_solver
from monai_xray2mri.diffusion.schedule import NoiseSchedule


def perfect_model(z_0: Tensor, schedule: NoiseSchedule):  # type: ignore[no-untyped-def]
    """Knows the clean latent: predicts what it implies at any z_t."""

    def model(z_t: Tensor, t: Tensor) -> Tensor:
        a, s = schedule.coefficients(t, z_t)
        eps = (z_t - a * z_0) / s
        return schedule.target(z_0, t, eps)

    return model


@pytest.mark.parametrize("steps", [1, 2, 10])
@pytest.mark.parametrize("prediction", ["epsilon", "v"])
def test_a_perfect_model_is_followed_to_its_latent(steps: int, prediction: str) -> None:
    schedule = NoiseSchedule(1000, "scaled_linear", prediction)  # type: ignore[arg-type]
    z_0 = torch.randn(3, 4, 8, 8)
    found = ddim(perfect_model(z_0, schedule), torch.randn(3, 4, 8, 8), schedule, steps)
    torch.testing.assert_close(found, z_0, atol=1e-4, rtol=1e-4)


def test_each_step_is_equation_9() -> None:
    schedule = NoiseSchedule(100, "scaled_linear", "epsilon")
    weight = torch.randn(4, 4) * 0.3

    def model(z_t: Tensor, t: Tensor) -> Tensor:
        return torch.einsum("ij,bjhw->bihw", weight, z_t) + 0.01 * t[:, None, None, None]

    z = start = torch.randn(2, 4, 4, 4)
    steps = schedule.timesteps(5).tolist()
    for now, after in zip(steps, [*steps[1:], None], strict=True):
        bar = schedule.alpha_bar[now]
        bar_after = torch.ones(()) if after is None else schedule.alpha_bar[after]
        eps = model(z, torch.full((2,), now))
        z = bar_after.sqrt() * (z - (1 - bar).sqrt() * eps) / bar.sqrt() + (1 - bar_after).sqrt() * eps
    torch.testing.assert_close(ddim(model, start, schedule, 5), z, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("prediction", "name"), [("epsilon", "epsilon"), ("v", "v_prediction")])
def test_it_agrees_with_diffusers(prediction: str, name: str) -> None:
    schedule = NoiseSchedule(1000, "scaled_linear", prediction)  # type: ignore[arg-type]
    reference = diffusers.DDIMScheduler(
        1000, 0.00085, 0.012, "scaled_linear", clip_sample=False, prediction_type=name, timestep_spacing="trailing"
    )
    reference.set_timesteps(10)
    assert reference.timesteps.tolist() == schedule.timesteps(10).tolist()

    def model(z_t: Tensor, t: Tensor) -> Tensor:
        return torch.tanh(z_t) * (t[0] / 1000)

    z = start = torch.randn(2, 4, 4, 4)
    for t in reference.timesteps:
        z = reference.step(model(z, t.expand(2)), t, z).prev_sample
    torch.testing.assert_close(ddim(model, start, schedule, 10), z, atol=1e-4, rtol=1e-4)


def test_eta_adds_noise_and_needs_a_source() -> None:
    schedule = NoiseSchedule(1000, "scaled_linear", "epsilon")
    start = torch.randn(1, 4, 4, 4)

    def sample(seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        noise = lambda _: torch.randn(1, 4, 4, 4, generator=generator)  # noqa: E731
        return ddim(lambda z, t: 0.1 * z, start, schedule, 4, eta=1.0, noise=noise)

    assert torch.equal(sample(1), sample(1))
    assert not torch.allclose(sample(1), sample(2))
    with pytest.raises(ValueError, match="needs a source of noise"):
        ddim(lambda z, t: z, start, schedule, 4, eta=0.5)


def test_noise_is_asked_for_by_step_and_not_for_the_last() -> None:
    asked: list[int] = []

    def noise(index: int) -> Tensor:
        asked.append(index)
        return torch.zeros(1, 4, 2, 2)

    ddim(lambda z, t: z, torch.zeros(1, 4, 2, 2), NoiseSchedule(), 4, eta=0.5, noise=noise)
    assert asked == [0, 1, 2]


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_any_eta_keeps_the_marginals_of_equation_4(eta: float) -> None:
    """With the exact denoiser of data N(0, 0.5^2) every step ends at variance alpha_bar 0.5^2 + 1 - alpha_bar."""
    schedule = NoiseSchedule(1000, "cosine", "epsilon")
    variance = 0.25

    def exact(z_t: Tensor, t: Tensor) -> Tensor:  # E[eps|z_t] of Gaussian data
        a, s = schedule.coefficients(t, z_t)
        return s * z_t / (a**2 * variance + s**2)

    generator = torch.Generator().manual_seed(0)
    start = torch.randn(1, 4, 64, 64, generator=generator)
    found = ddim(exact, start, schedule, 200, eta, lambda _: torch.randn(start.shape, generator=generator))
    assert float(found.var()) == pytest.approx(variance, rel=0.05)  # 200 steps of 1000


def test_every_step_is_reported() -> None:
    seen: list[int] = []
    ddim(lambda z, t: z, torch.zeros(1, 4, 2, 2), NoiseSchedule(), 3, callback=seen.append)
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("prediction", ["epsilon", "v"])
@pytest.mark.parametrize("steps", [1, 2, 5, 20])
def test_dpm_solver_is_diffusers(steps: int, prediction: str) -> None:
    schedule = NoiseSchedule(1000, "scaled_linear", prediction)  # type: ignore[arg-type]
    torch.manual_seed(0)
    weight, z_t = torch.randn(4, 4) * 0.3, torch.randn(2, 4, 8, 8)

    def model(z: Tensor, t: Tensor) -> Tensor:
        return torch.einsum("ij,bjhw->bihw", weight, z) + 0.001 * t[:, None, None, None]

    alpha_bar = schedule.alpha_bar.double()
    betas = 1 - alpha_bar / torch.cat([torch.ones(1, dtype=torch.double), alpha_bar[:-1]])
    theirs = diffusers.DPMSolverMultistepScheduler(
        trained_betas=betas.numpy(), prediction_type="v_prediction" if prediction == "v" else "epsilon",
        algorithm_type="dpmsolver++", timestep_spacing="trailing", final_sigmas_type="zero",
    )  # fmt: skip
    theirs.set_timesteps(steps)
    assert theirs.timesteps.tolist() == schedule.timesteps(steps).tolist()
    expected = z_t
    for t in theirs.timesteps:
        expected = theirs.step(model(expected, t.expand(2)), t, expected).prev_sample
    torch.testing.assert_close(dpm_solver(model, z_t, schedule, steps), expected, atol=2e-4, rtol=2e-4)


def test_dpm_solver_follows_a_perfect_model_and_adds_no_noise() -> None:
    schedule, z_0 = NoiseSchedule(), torch.randn(3, 4, 8, 8)
    done: list[int] = []
    found = dpm_solver(perfect_model(z_0, schedule), torch.randn(3, 4, 8, 8), schedule, 4, callback=done.append)
    torch.testing.assert_close(found, z_0, atol=1e-3, rtol=1e-3)
    assert done == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="adds no noise"):
        dpm_solver(perfect_model(z_0, schedule), z_0, schedule, 4, eta=0.5)
