"""Auto-weights and structure of the CoLa-Diff-style baseline."""

from __future__ import annotations

import torch

from monai_xray2mri.networks.coladiff import AutoWeight, StructuralImageEncoder, bone_outlines


def test_auto_weights_begin_at_one_and_a_half_and_follow_the_norm() -> None:
    weight, maps = AutoWeight(4), torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(weight(maps), 1.5 * maps)
    with torch.no_grad():
        weight.nu.fill_(1.0)
    maps[:, 0] *= 10
    factors = (weight(maps) / maps).mean(dim=(2, 3))
    assert (factors[:, 0] > factors[:, 1:].amax(dim=1)).all()
    torch.testing.assert_close(weight(3 * maps) / 3, weight(maps), rtol=1e-4, atol=1e-5)  # of any size alike


def test_outlines_lie_where_the_brightness_changes() -> None:
    film = torch.full((1, 1, 32, 32), -1.0)
    film[..., 16:] = 1.0
    found = bone_outlines(film)
    assert found.max() == 1 and (found[..., 15:17] == 1).all()
    assert (found[..., :10] == -1).all() and (found[..., 22:] == -1).all()
    assert torch.isfinite(bone_outlines(torch.zeros(1, 1, 32, 32))).all()


def test_the_encoder_takes_the_place_of_the_other() -> None:
    encoder = StructuralImageEncoder((8, 8, 8, 8), 8, 64)
    film = torch.randn(2, 1, 64, 64).clamp(-1, 1).requires_grad_()
    tokens = encoder(film)
    assert tokens.shape == (2, *encoder.tokens)
    with torch.no_grad():
        for weight in encoder.weights:
            weight.nu.fill_(0.5)  # at 0 nothing reaches mu
    (encoder(film) * torch.randn(tokens.shape)).sum().backward()
    assert all(each.grad is not None and each.grad.abs().sum() > 0 for each in encoder.parameters())
