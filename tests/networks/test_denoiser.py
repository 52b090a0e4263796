"""The denoiser of Wang 2024a and 2024b (Wang 2024a, Fig. 2), in paper and compact size."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from monai_xray2mri.networks.autoencoder import SliceAutoencoder
from monai_xray2mri.networks.condition import DepthEmbedding, FeatureEmbedding, ImageEncoder
from monai_xray2mri.networks.denoiser import SliceDenoiser

PAPER_DENOISER = {
    "channels": (320, 640, 1280, 1280),
    "layers": 2,
    "attention": (True, True, True, False),
    "context": 768,
    "heads": 8,
    "groups": 32,
    "scale_shift": False,
}


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def tiny_denoiser(scale_shift: bool = True) -> SliceDenoiser:
    sizes = {"channels": (8, 8, 16, 16), "context": 8, "heads": 2, "groups": 4, "sample_size": 8}
    return SliceDenoiser(DepthEmbedding(32), FeatureEmbedding(61, 32), scale_shift=scale_shift, **sizes).eval()


def arguments(batch: int = 2) -> dict[str, Tensor]:
    return {
        "noisy": torch.randn(batch, 4, 8, 8),
        "t": torch.full((batch,), 500),
        "image_latent": torch.randn(batch, 4, 8, 8),
        "context": torch.randn(batch, 4, 8),
        "place": torch.full((batch,), 0.25),
        "guide": torch.zeros(batch, 61),
    }


def test_paper_size_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        denoiser = SliceDenoiser(**PAPER_DENOISER)
    assert count(denoiser.unet) == 859_532_484
    assert denoiser.unet.config["in_channels"] == 8
    assert denoiser.unet.config["out_channels"] == 4


def test_compact_size_keeps_the_budget() -> None:
    denoiser = SliceDenoiser(DepthEmbedding(192), FeatureEmbedding(61, 192))
    assert 2 * (count(SliceAutoencoder()) + count(denoiser) + count(ImageEncoder())) < 14e6
    latent, context = torch.randn(1, 4, 32, 32), torch.randn(1, 64, 64)
    with FlopCounterMode(display=False) as flops:
        denoiser(latent, torch.tensor([1]), latent, context, torch.tensor([0.5]), torch.zeros(1, 61))
    assert flops.get_total_flops() < 1.5e9


@pytest.mark.parametrize("scale_shift", [True, False])
def test_features_act_in_the_up_path_only(scale_shift: bool) -> None:
    denoiser, given = tiny_denoiser(scale_shift), arguments()
    seen: dict[str, Tensor] = {}
    denoiser.unet.mid_block.register_forward_hook(lambda _m, _i, out: seen.__setitem__("middle", out))
    without = denoiser(**given)
    middle = seen["middle"]
    with_feature = denoiser(**{**given, "guide": torch.eye(61)[:2]})
    assert torch.equal(seen["middle"], middle)
    assert not torch.allclose(without, with_feature)


@pytest.mark.parametrize("scale_shift", [True, False])
def test_depth_acts_in_the_down_path(scale_shift: bool) -> None:
    denoiser, given = tiny_denoiser(scale_shift), arguments()
    seen: dict[str, Tensor] = {}
    denoiser.unet.mid_block.register_forward_hook(lambda _m, _i, out: seen.__setitem__("middle", out))
    denoiser(**given)
    middle = seen["middle"]
    denoiser(**{**given, "place": torch.full((2,), 0.75)})
    assert not torch.allclose(seen["middle"], middle)


@pytest.mark.parametrize("name", ["image_latent", "context"])
def test_the_radiograph_is_used(name: str) -> None:
    denoiser, given = tiny_denoiser(), arguments()
    assert not torch.allclose(denoiser(**given), denoiser(**{**given, name: given[name] + 1}))


def test_gradients_reach_every_parameter() -> None:
    denoiser = tiny_denoiser().train()
    denoiser(**arguments()).square().mean().backward()
    without = [name for name, parameter in denoiser.named_parameters() if parameter.grad is None]
    assert without == []


def test_equation_10_the_denoiser_learns_the_noise_from_what_it_is_given() -> None:
    """min |eps - eps_theta[z_t, t, (y, d, r)]|^2: the radiograph's latent tells z_0, so that the noise can be told."""
    denoiser = tiny_denoiser().train()
    given = arguments(8)
    z_0, eps = given["image_latent"], torch.randn(8, 4, 8, 8)
    given["noisy"] = 0.6 * z_0 + 0.8 * eps
    optimizer = torch.optim.Adam(denoiser.parameters(), lr=3e-3)
    for _ in range(40):
        loss = (eps - denoiser(**given)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.5 * float(eps.var())
