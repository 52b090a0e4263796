"""Reconstruction term of Wang 2024b, Algorithm 1, and batches of the joint guide."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion
from monai_xray2mri.training.denoiser import ForwardDiffusion, WeightedSquaredError
from monai_xray2mri.training.reconstruction import DiffusionAndReconstruction, WithNoisyLatents


def batch(network: SliceDiffusion, count: int = 3) -> dict[str, Tensor]:
    channels, *latent = network.latent_shape()
    return {
        "latent": torch.randn(count, channels, *latent),
        "image": torch.rand(count, 1, 64, 64) * 2 - 1,
        "image_latent": torch.randn(count, channels, *latent),
        "guide": torch.rand(count, 61),
        "place": torch.rand(count),
    }


def prepared(network: SliceDiffusion) -> tuple[Tensor, Any, Tensor]:
    forward = ForwardDiffusion(network, guide_groups=[61])
    given = batch(network)
    noisy, targets, _, _ = WithNoisyLatents(forward)(given)
    return noisy, targets, given["latent"]


def test_targets_hold_what_the_clean_latent_follows_from(tiny_network: SliceDiffusion) -> None:
    noisy, ((wanted, _), again, t), latent = prepared(tiny_network)
    assert again is noisy
    clean, _ = tiny_network.schedule.split(wanted, noisy, t)
    torch.testing.assert_close(clean, latent, atol=1e-4, rtol=1e-4)


def test_a_perfect_prediction_costs_nothing_and_another_what_it_draws_wrong(tiny_network: SliceDiffusion) -> None:
    noisy, targets, latent = prepared(tiny_network)
    (wanted, _), _, t = targets
    loss = DiffusionAndReconstruction(tiny_network, WeightedSquaredError(), weight=2.0)
    assert loss(wanted, targets) == 0
    prediction = wanted + 0.3 * torch.randn_like(wanted)
    clean, _ = tiny_network.schedule.split(prediction, noisy, t)
    decoded = [tiny_network.autoencoder.decode(z / tiny_network.latent_scale) for z in (clean, latent)]
    reconstruction = (decoded[0] - decoded[1]).square().mean()  # Eq. 6
    expected = WeightedSquaredError()(prediction, targets[0]) + 2 * reconstruction
    torch.testing.assert_close(loss(prediction, targets), expected, rtol=1e-3, atol=1e-6)


def test_the_gradient_reaches_the_prediction_and_not_the_decoder(tiny_network: SliceDiffusion) -> None:
    tiny_network.requires_grad_(False)
    _, targets, _ = prepared(tiny_network)
    prediction = torch.zeros_like(targets[0][0], requires_grad=True)
    loss = DiffusionAndReconstruction(tiny_network, WeightedSquaredError())
    assert not list(loss.parameters())
    assert not loss.state_dict()
    loss.reconstruction(prediction, *targets[0][:1], *targets[1:]).backward()
    assert prediction.grad is not None
    assert prediction.grad.abs().sum() > 0


def test_a_part_of_the_batch_can_be_decoded(tiny_network: SliceDiffusion) -> None:
    _, targets, _ = prepared(tiny_network)
    prediction = targets[0][0].clone()
    prediction[1:] += 1
    one = DiffusionAndReconstruction(tiny_network, WeightedSquaredError(), decoded=1)
    every = DiffusionAndReconstruction(tiny_network, WeightedSquaredError())
    arguments = (targets[0][0], *targets[1:])
    assert one.reconstruction(prediction, *arguments) == 0
    assert every.reconstruction(prediction, *arguments) > 0


def test_joint_batches_hold_the_features_beside_the_description(tiny_network: SliceDiffusion) -> None:
    class Mean(torch.nn.Module):
        feature_width = 61

        def forward(self, radiograph: Tensor) -> Tensor:
            return torch.cat([torch.zeros(len(radiograph), 61), radiograph.mean((2, 3)).expand(-1, 69)], dim=1)

    tiny_network.describe = Mean()
    forward = ForwardDiffusion(tiny_network, guide_groups=[61, 5, 64], drop_guide=0, drop_group=0)
    given = batch(tiny_network)
    guide = forward(given)[3]["guide"]
    assert torch.equal(guide[:, :61], given["guide"])
    torch.testing.assert_close(guide[:, 61:], given["image"].mean((2, 3)).expand(-1, 69))


@pytest.mark.parametrize("prediction", ["epsilon", "v"])
def test_the_reconstruction_works_for_both_predictions(tiny_network: SliceDiffusion, prediction: str) -> None:
    tiny_network.schedule.prediction = prediction  # type: ignore[assignment]
    _, targets, _ = prepared(tiny_network)
    loss = DiffusionAndReconstruction(tiny_network, WeightedSquaredError())
    assert loss(targets[0][0] + 0.1, targets).isfinite()
