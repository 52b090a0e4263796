"""The autoencoder (Wang 2024a, Eq. 1 and 6)."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from monai_xray2mri.networks.autoencoder import SliceAutoencoder


def test_paper_size_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        autoencoder = SliceAutoencoder(1, 3, (128, 256, 512, 512), layers=2, groups=32, attention=True)
    assert sum(parameter.numel() for parameter in autoencoder.parameters()) == 83_653_863
    assert autoencoder.factor == 8


def test_a_decoded_slice_keeps_the_budget() -> None:
    with FlopCounterMode(display=False) as flops:
        SliceAutoencoder().decode(torch.randn(1, 4, 32, 32))
    assert flops.get_total_flops() < 8e9


def test_the_latent_is_an_eighth() -> None:
    autoencoder = SliceAutoencoder(channels=(8, 8, 8), groups=4)
    latent = autoencoder.encode(torch.zeros(2, 1, 64, 48))
    assert latent.shape == (2, 4, 8, 6)
    assert autoencoder.decode(latent).shape == (2, 1, 64, 48)


def test_gray_is_repeated_and_averaged() -> None:
    autoencoder = SliceAutoencoder(1, 3, (8, 8), layers=1, groups=4)
    reconstruction, kl = autoencoder(torch.randn(2, 1, 16, 16))
    assert reconstruction.shape == (2, 1, 16, 16)
    assert kl.shape == (2,)
    assert bool((kl > 0).all())


def test_kl_vanishes_only_for_a_standard_normal_posterior() -> None:
    autoencoder = SliceAutoencoder(channels=(8, 8, 8), groups=4)
    for parameter in autoencoder.kl.quant_conv.parameters():
        torch.nn.init.zeros_(parameter)  # mean 0, log variance 0
    _, kl = autoencoder(torch.randn(1, 1, 32, 32))
    assert kl.abs().max() < 1e-4


def test_equations_1_and_6_the_mean_is_encoded_and_the_reconstruction_learnt() -> None:
    """z_0 = E(x) is deterministic; a few steps on |x - D(E(x))|^2 alone bring D(E(x)) nearer to x."""
    autoencoder = SliceAutoencoder(channels=(8, 8, 8), groups=4)
    x = torch.rand(2, 1, 32, 32).round() * 2 - 1
    torch.testing.assert_close(autoencoder.encode(x), autoencoder.posterior(x).mean)
    optimizer = torch.optim.Adam(autoencoder.parameters(), lr=3e-3)
    losses = []
    for _ in range(30):
        loss = (autoencoder.decode(autoencoder.encode(x)) - x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]
