"""The networks of papers 000 and 001, in paper and compact size."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from monai_xray2mri.networks.autoencoder import SliceAutoencoder
from monai_xray2mri.networks.condition import DepthCode, RadiographEncoder
from monai_xray2mri.networks.denoiser import SliceDenoiser

PAPER_DENOISER = {
    "channels": (320, 640, 1280, 1280),
    "layers": 2,
    "attention": (True, True, True, False),
    "context": 768,
    "heads": 8,
    "groups": 32,
    "film": False,
}


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def tiny_denoiser(film: bool = True) -> SliceDenoiser:
    return SliceDenoiser(channels=(8, 8, 16, 16), context=8, heads=2, groups=4, sample_size=8, film=film).eval()


def arguments(batch: int = 2) -> dict[str, Tensor]:
    return {
        "noisy": torch.randn(batch, 4, 8, 8),
        "t": torch.full((batch,), 500),
        "radiograph_latent": torch.randn(batch, 4, 8, 8),
        "context": torch.randn(batch, 4, 8),
        "depth": torch.full((batch,), 0.25),
        "features": torch.zeros(batch, 61),
    }


def test_paper_size_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        denoiser = SliceDenoiser(**PAPER_DENOISER)
        autoencoder = SliceAutoencoder(1, 3, (128, 256, 512, 512), layers=2, groups=32, attention=True)
    assert count(denoiser.unet) == 859_532_484
    assert denoiser.unet.config["in_channels"] == 8
    assert denoiser.unet.config["out_channels"] == 4
    assert count(autoencoder) == 83_653_863
    assert autoencoder.factor == 8


def test_compact_size_keeps_the_budget() -> None:
    autoencoder, denoiser, encoder = SliceAutoencoder(), SliceDenoiser(), RadiographEncoder()
    assert 2 * (count(autoencoder) + count(denoiser) + count(encoder)) < 14e6
    latent, context = torch.randn(1, 4, 32, 32), torch.randn(1, 64, 64)
    with FlopCounterMode(display=False) as flops:
        denoiser(latent, torch.tensor([1]), latent, context, torch.tensor([0.5]), torch.zeros(1, 61))
    assert flops.get_total_flops() < 1.5e9
    with FlopCounterMode(display=False) as flops:
        autoencoder.decode(latent)
    assert flops.get_total_flops() < 8e9


def test_the_latent_is_an_eighth() -> None:
    autoencoder = SliceAutoencoder(channels=(8, 8, 8), groups=4)
    latent = autoencoder.encode(torch.zeros(2, 1, 64, 48))
    assert latent.shape == (2, 4, 8, 6)
    assert autoencoder.decode(latent).shape == (2, 1, 64, 48)


def test_grey_is_repeated_and_averaged() -> None:
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


@pytest.mark.parametrize("film", [True, False])
def test_features_act_in_the_up_path_only(film: bool) -> None:
    denoiser, given = tiny_denoiser(film), arguments()
    seen: dict[str, Tensor] = {}
    denoiser.unet.mid_block.register_forward_hook(lambda _m, _i, out: seen.__setitem__("middle", out))
    without = denoiser(**given)
    middle = seen["middle"]
    with_feature = denoiser(**{**given, "features": torch.eye(61)[:2]})
    assert torch.equal(seen["middle"], middle)
    assert not torch.allclose(without, with_feature)


@pytest.mark.parametrize("film", [True, False])
def test_depth_acts_in_the_down_path(film: bool) -> None:
    denoiser, given = tiny_denoiser(film), arguments()
    seen: dict[str, Tensor] = {}
    denoiser.unet.mid_block.register_forward_hook(lambda _m, _i, out: seen.__setitem__("middle", out))
    denoiser(**given)
    middle = seen["middle"]
    denoiser(**{**given, "depth": torch.full((2,), 0.75)})
    assert not torch.allclose(seen["middle"], middle)


@pytest.mark.parametrize("name", ["radiograph_latent", "context"])
def test_the_radiograph_is_used(name: str) -> None:
    denoiser, given = tiny_denoiser(), arguments()
    assert not torch.allclose(denoiser(**given), denoiser(**{**given, name: given[name] + 1}))


def test_gradients_reach_every_parameter() -> None:
    denoiser = tiny_denoiser().train()
    denoiser(**arguments()).square().mean().backward()
    without = [name for name, parameter in denoiser.named_parameters() if parameter.grad is None]
    assert without == []


def test_depth_codes_of_neighbouring_slices_differ() -> None:
    code = DepthCode()(torch.linspace(0, 1, 50))
    assert code.shape == (50, 17)
    assert (code[1:] - code[:-1]).norm(dim=1).min() > 0.05


def test_the_radiograph_gives_a_grid_of_tokens() -> None:
    encoder = RadiographEncoder(channels=(8, 8, 8, 8), context=8, image_size=64)
    assert encoder(torch.zeros(3, 1, 64, 64)).shape == (3, 4, 8)
