"""Easy Consistency Tuning: pairs of noises, the loss, and a stage that can be interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigWorkflow
from torch import Tensor

from monai_xray2mri.diffusion.samplers import consistency
from monai_xray2mri.diffusion.schedule import NoiseSchedule
from monai_xray2mri.errors import UsageError
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion
from monai_xray2mri.training.few_steps import ConsistencyDenoising, ConsistencyLoss, ConsistencyPairs, shares
from monai_xray2mri.training.order import Division
from monai_xray2mri.training.weights import save_state
from tests.training.conftest import END_OF_RUN
from tests.training.test_reconstruction import batch
from tests.training.test_resume import make_autoencoder, same

FEW = {"iterations": 4, "epoch_length": 3, "batch_size": 4, "save_interval": 2, "val_slices": 4, "val_interval": 4}


def test_noise_and_time_are_each_others_inverse() -> None:
    schedule = NoiseSchedule()
    steps = torch.tensor([0, 1, 250, 500, 998, 999])
    torch.testing.assert_close(schedule.time_of_noise(schedule.noise_levels[steps]), steps.float(), atol=1e-2, rtol=0)
    assert schedule.time_of_noise(torch.zeros(1)).item() == -1
    assert schedule.time_of_noise(torch.tensor([1e9])).item() == 999
    halfway = schedule.time_of_noise((schedule.noise_levels[400:402].log().mean().exp())[None]).item()
    assert 400.4 < halfway < 400.6
    signal, noise = shares(schedule.noise_levels[steps], torch.zeros(6, 1))
    torch.testing.assert_close(signal[:, 0], schedule.alpha_bar[steps].sqrt(), atol=1e-6, rtol=1e-3)
    torch.testing.assert_close(noise[:, 0], (1 - schedule.alpha_bar[steps]).sqrt(), atol=1e-6, rtol=1e-3)


def test_both_noises_lie_on_one_path_and_come_together(tiny_network: SliceDiffusion) -> None:
    division = Division(8)
    pairs = ConsistencyPairs(tiny_network, iterations=80, doublings=4, guide_groups=[61], division=division)
    given = batch(tiny_network, 8)
    nearest = []
    for iteration in (0, 20, 79):
        division.move_to(iteration)
        noisy, _, _, arguments = pairs(given)
        sigma, less = arguments["sigma"], arguments["less_sigma"]
        assert (less < sigma).all()
        (a, s), (b, r) = shares(sigma, noisy), shares(less, noisy)
        clean = given["latent"] * tiny_network.latent_scale
        torch.testing.assert_close(
            (noisy - a * clean) * r, (arguments["less_noisy"] - b * clean) * s, atol=1e-4, rtol=0
        )
        nearest.append((less / sigma).max().item())
    assert nearest == sorted(nearest)
    # q = 2 and n >= 1: half the way at first, 1/16 of it behind four halvings
    assert nearest[0] <= 0.5
    assert nearest[2] <= 1 - 1 / 16
    assert pairs.less(torch.tensor([1e-3])).item() == 0 or pairs.halvings > 2


def test_at_the_start_of_a_path_there_is_nothing_to_estimate(tiny_network: SliceDiffusion) -> None:
    module = ConsistencyDenoising(tiny_network)
    noisy, _, _, arguments = ConsistencyPairs(tiny_network, 8, guide_groups=[61])(batch(tiny_network, 3))
    clean = torch.randn_like(noisy)
    arguments |= {"less_noisy": clean, "less_sigma": torch.zeros(3)}
    estimate, wanted = module(noisy, **arguments)
    assert torch.equal(wanted, clean)
    estimate.sum().backward(retain_graph=True)
    grown = [parameter.grad.abs().sum().item() for parameter in module.parameters() if parameter.grad is not None]
    assert sum(grown) > 0
    module.zero_grad()
    wanted.sum().backward()
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in module.parameters())


def test_an_estimate_is_that_of_the_sampler(tiny_network: SliceDiffusion) -> None:
    """One step of the sampler from T-1 is what the stage tunes."""
    module, schedule = ConsistencyDenoising(tiny_network), tiny_network.schedule
    pairs = ConsistencyPairs(tiny_network, 8, start_share=1.0, guide_groups=[61], drop_condition=0.0)
    noisy, _, _, arguments = pairs(batch(tiny_network, 2))
    condition, _ = module.condition(*(arguments[name] for name in ("image", "image_latent", "guide", "keep")))

    def model(z_t: Tensor, t: Tensor) -> Tensor:
        return tiny_network.denoise(z_t, t, condition, arguments["place"])

    with torch.no_grad():
        estimate, _ = module(noisy, **arguments)
        torch.testing.assert_close(consistency(model, noisy, schedule, 1), estimate, atol=2e-3, rtol=0)


def test_several_steps_add_fresh_noise() -> None:
    schedule, asked = NoiseSchedule(), []

    def noise(index: int) -> Tensor:
        asked.append(index)
        return torch.full((1, 1, 2, 2), float(index + 1))

    def model(z_t: Tensor, t: Tensor) -> Tensor:  # the v of z_0 = 0
        a, s = schedule.coefficients(t, z_t)
        return a * z_t / s

    seen: list[int] = []
    z_0 = consistency(model, torch.ones(1, 1, 2, 2), schedule, 3, noise=noise, callback=seen.append)
    torch.testing.assert_close(z_0, torch.zeros(1, 1, 2, 2), atol=1e-5, rtol=0)
    assert asked == [0, 1] and seen == [0, 1, 2]
    with pytest.raises(ValueError, match="source of noise"):
        consistency(model, torch.ones(1, 1, 2, 2), schedule, 2)


def test_the_loss_counts_small_differences_by_their_square() -> None:
    one, balance = torch.ones(2, 1, 1, 1), torch.tensor([1.0, 3.0])
    wanted = torch.zeros(2, 4, 8, 8)
    loss = ConsistencyLoss(c=1.0)
    assert loss(torch.stack([wanted, wanted]), (one, balance)) == 0
    small, large = (loss(torch.stack([wanted + size, wanted]), (one, balance)).item() for size in (1e-2, 1e3))
    assert small == pytest.approx(2 * 1e-4 / 2, rel=1e-2)
    assert large == pytest.approx(2 * 1e3, rel=1e-2)


def test_another_prediction_is_refused(tiny_network: SliceDiffusion) -> None:
    tiny_network.schedule.prediction = "epsilon"
    with pytest.raises(UsageError, match="must predict v, to be tuned"):
        ConsistencyDenoising(tiny_network)


def test_the_stage_interrupted_and_resumed_is_bitwise_as_uninterrupted(
    run_stage: Callable[..., ConfigWorkflow], bundle: Path, knees: Path, validation_knees: Path, tmp_path: Path
) -> None:
    files = ["train", "validate", "train_few_steps"]
    few = {**FEW, "validation_dir": str(validation_knees), "picture_interval": 4, "doublings": 2}
    (tmp_path / "start").mkdir()
    save_state(make_autoencoder(run_stage), tmp_path / "start" / "autoencoder.pt")
    start = run_stage(["train"], knees, tmp_path / "start", iterations=1, batch_size=4, epoch_length=1)
    network = start.parser.get_parsed_content("network")
    save_state(network, tmp_path / "start.pt")
    few["initial_weights"] = str(tmp_path / "start.pt")
    run_stage(files, knees, tmp_path / "whole", **few)
    run_stage(files, knees, tmp_path / "parts", **few, **{END_OF_RUN: 2})
    assert torch.load(tmp_path / "parts" / "denoiser_checkpoint.pt", weights_only=True)["step"] == 2
    run_stage(files, knees, tmp_path / "parts", **few, resume=True)
    for file in ("denoiser_checkpoint.pt", "model.pt"):
        whole, parts = (torch.load(tmp_path / folder / file, weights_only=True) for folder in ("whole", "parts"))
        same(whole, parts)
    assert list((tmp_path / "whole" / "pictures").glob("*.png"))
    assert json.loads((tmp_path / "whole" / "model_best.json").read_text())["validation_loss"] > 0
    tuned, before = torch.load(tmp_path / "whole" / "model.pt", weights_only=True), network.state_dict()
    assert torch.equal(tuned["latent_scale"], before["latent_scale"].half())
    key = next(name for name in before if name.startswith("denoiser") and name.endswith("conv_in.weight"))
    assert not torch.equal(tuned[key], before[key].half())


def test_tuning_brings_the_estimates_of_a_path_together(tiny_network: SliceDiffusion) -> None:
    """On one batch, whose noise stays the same, the loss falls by a third."""
    module, loss = ConsistencyDenoising(tiny_network), ConsistencyLoss()
    pairs = ConsistencyPairs(tiny_network, 8, guide_groups=[61], drop_condition=0.0)
    noisy, given, _, arguments = pairs(batch(tiny_network, 8))
    optimizer = torch.optim.AdamW(module.parameters(), lr=5e-3)
    seen = []
    for _ in range(40):
        error = loss(module(noisy, **arguments), given)
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        seen.append(error.item())
    assert sum(seen[-5:]) < 2 / 3 * sum(seen[:5])
