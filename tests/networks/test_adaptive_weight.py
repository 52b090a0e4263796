"""Eq. 9 to 14 of Wang 2024b against plain formulas, and what the guide promises the denoiser."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from monai_xray2mri.networks.adaptive_weight import AdaptiveWeight, AdaptiveWeightEmbedding, JointGuide
from monai_xray2mri.networks.condition import DepthEmbedding
from monai_xray2mri.networks.denoiser import SliceDenoiser


def given(batch: int = 3) -> tuple[Tensor, Tensor]:
    return torch.randn(batch, 5).softmax(dim=1), torch.rand(batch, 64).softmax(dim=1)


def scattered(**sizes: int) -> AdaptiveWeight:
    """A module whose learnable numbers are not where they start."""
    module = AdaptiveWeight(**sizes)
    for parameter in (module.log_mu, module.nu, module.offset):
        torch.nn.init.normal_(parameter)
    return module.double().requires_grad_(False)


def test_every_equation_holds_number_by_number() -> None:
    module = scattered(channels=3, tokens=4)
    p, i = (value.double() for value in given(1))
    maps = module.maps(p, i)
    gain = [
        [
            math.exp(module.log_mu[which, c]) * math.sqrt(sum(float(v) ** 2 for v in maps[which, 0, c]) + 1e-5)
            for c in range(3)
        ]
        for which in (0, 1)
    ]  # Eq. 9 and 10
    weight = [[gain[which][c] / (gain[0][c] + gain[1][c] + 1e-8) for c in range(3)] for which in (0, 1)]  # Eq. 11
    torch.testing.assert_close(module.gains(maps)[:, 0], torch.tensor(weight).double())
    changed = torch.empty(2, 3, 4).double()
    for which in (0, 1):
        for c in range(3):
            logit = float(module.nu[which, c]) * weight[which][c] + float(module.offset[which, c])
            changed[which, c] = maps[which, 0, c] * (1 + 1 / (1 + math.exp(-logit)))  # Eq. 12
    torch.testing.assert_close(module.modulate(maps)[:, 0], changed)
    projected_p, projected_i = module.query.weight @ maps[0, 0], module.key.weight @ maps[1, 0]  # W_p p, W_i i: [C,N]
    expected = (projected_p.T @ projected_i / math.sqrt(3)).softmax(dim=1)  # Eq. 13
    torch.testing.assert_close(module.attention(maps)[0], expected)
    torch.testing.assert_close(module(p, i)[0], expected @ (changed[0] + changed[1]).T)  # Eq. 14


def test_at_the_start_both_maps_are_multiplied_by_exactly_one_and_a_half() -> None:
    module = AdaptiveWeight()
    maps = module.maps(*given())
    assert torch.equal(module.modulate(maps), 1.5 * maps)


def test_gains_are_shares_that_follow_the_larger_norm() -> None:
    module = AdaptiveWeight()
    p, i = given()
    maps = module.maps(p, i)
    torch.testing.assert_close(module.gains(maps).sum(dim=0), torch.ones(3, 24))
    louder = torch.stack([10 * maps[0], maps[1]])
    assert (module.gains(louder)[0] > module.gains(maps)[0]).all()


def test_the_joint_weight_is_a_distribution_that_is_not_degenerate() -> None:
    module = AdaptiveWeight()
    torch.nn.init.normal_(module.query.weight)
    torch.nn.init.normal_(module.key.weight)
    weight = module.attention(20 * module.maps(*given()))
    torch.testing.assert_close(weight.sum(dim=2), torch.ones(3, 8))
    assert weight.amax() > 0.2  # not the softmax of equal scores, 1/8


@pytest.mark.parametrize("which", [0, 1])
def test_the_embedding_responds_to_probability_intensity_and_depth(which: int) -> None:
    guide = AdaptiveWeightEmbedding(embedding=32)
    assert guide.width == 69
    (p, i), (other_p, other_i) = given(), given()
    depth = torch.tensor([0.1, 0.5, 0.9])
    first = guide(torch.cat([p, i], dim=1), depth)
    changed = torch.cat([other_p, i] if which == 0 else [p, other_i], dim=1)
    assert first.shape == (3, 32)
    assert not torch.allclose(first, guide(changed, depth), atol=1e-5)
    assert not torch.allclose(first, guide(torch.cat([p, i], dim=1), depth + 0.05), atol=1e-5)


def test_unknown_adds_nothing_and_stays_finite_with_its_gradients() -> None:
    guide = AdaptiveWeightEmbedding(embedding=16)
    nothing = torch.zeros(2, 69, requires_grad=True)
    assert torch.equal(guide.weight(nothing[:, :5], nothing[:, 5:]), torch.zeros(2, 8, 24))
    guide(nothing, torch.tensor([0.0, 1.0])).square().sum().backward()
    gradients = [nothing.grad, *(parameter.grad for parameter in guide.parameters())]
    assert all(value is not None and value.isfinite().all() for value in gradients)


def test_all_that_the_paper_calls_learnable_learns() -> None:
    guide = AdaptiveWeightEmbedding(embedding=16)
    torch.nn.init.normal_(guide.weight.nu)  # mu acts through nu, which leaves its start of 0 with the first step
    guide(torch.cat(given(), dim=1), torch.rand(3)).square().sum().backward()
    for parameter in guide.weight.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0


def test_the_joint_guide_takes_both_papers_guidance() -> None:
    guide = JointGuide(embedding=32)
    assert guide.width == 61 + 69
    features, depth = torch.zeros(3, 61), torch.rand(3)
    features[:, 30] = 1
    described = torch.cat(given(), dim=1)
    both = guide(torch.cat([features, described], dim=1), depth)
    torch.testing.assert_close(both, guide.radiographic(features, depth) + guide.adaptive(described, depth))


def test_the_denoiser_takes_it_as_its_guide() -> None:
    sizes = {"channels": (8, 8, 16, 16), "context": 8, "heads": 2, "groups": 4, "sample_size": 8}
    denoiser = SliceDenoiser(DepthEmbedding(32), AdaptiveWeightEmbedding(32), **sizes)  # type: ignore[arg-type]
    latent, t, depth = torch.randn(3, 4, 8, 8), torch.full((3,), 500), torch.rand(3)
    out = denoiser(latent, t, latent, torch.randn(3, 4, 8), depth, torch.cat(given(), dim=1))
    assert out.shape == latent.shape
