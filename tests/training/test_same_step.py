"""A step as it is made fast is the plain step of Wang 2024a, within rounding."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from diffusers.models.resnet import ResnetBlock2D
from torch import nn

from monai_xray2mri.diffusion.guidance import Condition
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion
from monai_xray2mri.systems.knee_xray2mri.tiny_network import tiny_network
from monai_xray2mri.training.denoiser import ConditionalDenoising, ForwardDiffusion, WeightedSquaredError

Gradients = dict[str, torch.Tensor]


def plain_gradients(network: SliceDiffusion, batch: dict[str, torch.Tensor]) -> tuple[float, Gradients]:
    """Loss and gradients of Eq. 4 and 10, channels first, one image per slice."""
    for parameter in network.parameters():
        parameter.data = parameter.data.contiguous()
    network.train()
    t, eps, keep, known = ForwardDiffusion(network, [31, 30]).draw(batch["latent"])
    each, alpha_bar = batch["image_of"], network.schedule.alpha_bar[t].view(-1, 1, 1, 1)
    signal, noise = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    tokens = network.radiograph_encoder(batch["image"][each])
    condition = Condition(
        batch["image_latent"][each] * keep[:, 1].view(-1, 1, 1, 1),
        torch.where(keep[:, :1, None] > 0, tokens, network.null_context),
        batch["guide"] * known * keep[:, 2:],
    )
    z = batch["latent"]
    prediction = network.denoise(signal * z + noise * eps, t, condition, batch["place"])
    loss = (prediction - (signal * eps - noise * z)).square().mean()
    loss.backward()
    return float(loss.detach()), gradients(network)


def gradients(network: SliceDiffusion) -> Gradients:
    return {name: value.grad.clone() for name, value in network.named_parameters() if value.grad is not None}


def test_a_fast_step_is_a_plain_step() -> None:
    torch.manual_seed(0)
    fast = tiny_network()
    plain = deepcopy(fast)
    films, count = 3, 6
    batch = {
        "latent": torch.randn(count, 4, 8, 8),
        "image": torch.rand(films, 1, 64, 64),
        "image_latent": torch.randn(films, 4, 8, 8),
        "image_of": torch.arange(films).repeat(2),
        "guide": torch.rand(count, 61),
        "place": torch.rand(count),
    }
    torch.manual_seed(1)
    wanted, plain_slopes = plain_gradients(plain, batch)
    module, prepare = ConditionalDenoising(fast).train(), ForwardDiffusion(fast, [31, 30])
    blocks = [part for part in module.modules() if isinstance(part, ResnetBlock2D)]
    assert blocks and not any(block.training for block in blocks)
    torch.manual_seed(1)
    noisy, targets, _, given = prepare(batch)
    loss = WeightedSquaredError()(module(noisy, **given), targets)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(wanted, rel=1e-5)
    slopes = gradients(fast)
    assert slopes.keys() == plain_slopes.keys()
    largest = max(float(value.abs().max()) for value in plain_slopes.values())
    for name, value in plain_slopes.items():
        torch.testing.assert_close(slopes[name], value, rtol=1e-3, atol=1e-5 * largest, msg=name)


def test_fused_adamw_is_adamw() -> None:
    torch.manual_seed(0)
    start, slopes = torch.randn(1000), torch.randn(3, 1000)
    ends = []
    for options in ({"fused": True}, {"foreach": False}):
        weights = nn.Parameter(start.clone())
        optimizer = torch.optim.AdamW([weights], lr=1e-3, weight_decay=0.01, **options)
        for slope in slopes:
            weights.grad = slope.clone()
            optimizer.step()
        ends.append(weights.detach())
    torch.testing.assert_close(*ends, rtol=1e-6, atol=1e-7)
