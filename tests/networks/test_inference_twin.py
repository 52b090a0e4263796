"""A network's twin for inference gives what the network gives."""

from __future__ import annotations

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn

from monai_xray2mri.networks.autoencoder import SliceAutoencoder
from monai_xray2mri.networks.condition import DepthEmbedding, FeatureEmbedding
from monai_xray2mri.networks.denoiser import SliceDenoiser
from monai_xray2mri.networks.inference import blocks, convolution, inference_twin, winograd
from monai_xray2mri.networks.inference.blocks import CrossAttention

CLOSE = {"atol": 2e-5, "rtol": 2e-5}


def denoiser(tokens_width: int = 8, scale_shift: bool = True) -> SliceDenoiser:
    torch.manual_seed(0)
    return SliceDenoiser(
        DepthEmbedding(64), FeatureEmbedding(5, 64), channels=(16, 16), attention=(False, True), context=tokens_width,
        heads=2, groups=4, scale_shift=scale_shift, sample_size=32,
    ).eval()  # fmt: skip


def inputs(tokens: int = 3, width: int = 8, batch: int = 2) -> tuple[Tensor, ...]:
    torch.manual_seed(1)
    context = torch.randn(1, tokens, width).expand(batch, -1, -1)
    latents = torch.randn(2, batch, 4, 32, 32)
    return latents[0], torch.tensor([3, 900]), latents[1], context, torch.tensor([0.1, 0.8]), torch.randn(batch, 5)


@pytest.mark.parametrize("scale_shift", [True, False], ids=["scaled", "shifted"])
@pytest.mark.parametrize("tokens", [3, 1])
@torch.inference_mode()
def test_a_denoiser(tokens: int, scale_shift: bool) -> None:
    network = denoiser(scale_shift=scale_shift)
    twin, given = inference_twin(network), inputs(tokens)
    assert any(isinstance(part, blocks.ResidualBlock) for part in twin.modules())
    assert any(isinstance(part, blocks.Transformer) for part in twin.modules())
    torch.testing.assert_close(twin(*given), network(*given), **CLOSE)
    other = (*given[:3], given[3] + 1, *given[4:])  # another context: keys are not those of the first
    torch.testing.assert_close(twin(*other), network(*other), **CLOSE)


@torch.inference_mode()
def test_several_guides_for_the_same_slices() -> None:
    network = denoiser()
    given = (*inputs()[:5], torch.randn(4, 5))
    torch.testing.assert_close(inference_twin(network)(*given), network(*given), **CLOSE)


@pytest.mark.parametrize("size", [8, 16])
@torch.inference_mode()
def test_an_autoencoder(size: int) -> None:
    torch.manual_seed(0)
    network = SliceAutoencoder(channels=(16, 16, 32), groups=4).eval()
    latent = torch.randn(2, 4, size, size)
    twin = inference_twin(network)
    assert not any(type(part) in (ResnetBlock2D, Upsample2D) for part in twin.kl.decoder.modules())
    torch.testing.assert_close(twin.decode(latent), network.decode(latent), **CLOSE)
    image = torch.rand(1, 1, 8 * size, 8 * size)
    torch.testing.assert_close(twin.encode(image), network.encode(image), **CLOSE)


@pytest.mark.parametrize("size", [(5, 7), (1, 1), (16, 9)])
@torch.inference_mode()
def test_upsampling_is_folded_up_to_the_borders(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    layer = Upsample2D(6, use_conv=True, out_channels=10).eval()
    image = torch.randn(2, 6, *size)
    torch.testing.assert_close(convolution.FoldedUpsample(layer, torch.float32)(image), layer(image), **CLOSE)


@pytest.mark.skipif(not torch._nnpack_available(), reason="PyTorch has no NNPACK here")
@pytest.mark.parametrize("side", [16, 33, 64])
@torch.inference_mode()
def test_winograd_is_the_plain_sum(side: int) -> None:
    torch.manual_seed(0)
    layer, image = nn.Conv2d(16, 24, 3, padding=1), torch.randn(2, 16, side, side - 1)
    torch.testing.assert_close(winograd.winograd(image, layer.weight, layer.bias), layer(image), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("pays", [True, False])
@torch.inference_mode()
def test_without_winograd_it_is_the_same(pays: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if pays and not torch._nnpack_available():
        pytest.skip("PyTorch has no NNPACK here")
    monkeypatch.setattr(convolution, "winograd_pays", lambda: pays)
    layer, image = nn.Conv2d(16, 16, 3, padding=1).eval(), torch.randn(1, 16, 32, 32)
    twin = inference_twin(nn.Sequential(layer).eval())
    assert twin[0].fewer == pays
    torch.testing.assert_close(twin(image), layer(image), atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_one_token_is_answered_without_a_question() -> None:
    torch.manual_seed(0)
    attention, norm = Attention(8, cross_attention_dim=6, heads=2, dim_head=4).eval(), nn.LayerNorm(8)
    twin, tokens, context = CrossAttention(attention, torch.float32), torch.randn(3, 5, 8), torch.randn(3, 1, 6)
    found = twin(tokens, norm, context)
    assert found.shape == (3, 1, 8)
    expected = attention(norm(tokens), encoder_hidden_states=context)
    torch.testing.assert_close(found.expand(3, 5, 8), expected, **CLOSE)


@torch.inference_mode()
def test_keys_of_a_context_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    answers = CrossAttention._answers
    monkeypatch.setattr(CrossAttention, "_answers", lambda self, context: asked.append(1) or answers(self, context))
    twin, given = inference_twin(denoiser()), inputs()
    blocks_of = sum(isinstance(part, CrossAttention) for part in twin.modules())
    for _ in range(3):  # steps
        twin(*given)
    assert len(asked) == blocks_of


@torch.inference_mode()
def test_the_network_is_left_as_it_is() -> None:
    network, given = denoiser(), inputs()
    names, before = list(network.state_dict()), network(*given)
    inference_twin(network, torch.bfloat16)
    assert list(network.state_dict()) == names
    assert torch.equal(network(*given), before)


def test_a_network_in_training_is_its_own_twin() -> None:
    network = denoiser().train()
    assert inference_twin(network) is network


@torch.inference_mode()
def test_a_part_with_hooks_stays() -> None:
    network, seen = denoiser(), []
    network.unet.conv_in.register_forward_hook(lambda *_: seen.append(1))
    inference_twin(network)(*inputs())
    assert seen == [1]


def test_parts_of_another_kind_stay() -> None:
    other = ResnetBlock2D(in_channels=8, groups=4, temb_channels=None, non_linearity="gelu").eval()
    assert type(inference_twin(other)) is ResnetBlock2D
    circular = nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular").eval()
    assert type(inference_twin(circular)) is nn.Conv2d


@torch.inference_mode()
def test_of_the_papers_kind() -> None:
    """Two layers a level and eight heads, as the paper's U-Net has them, in a small size."""
    torch.manual_seed(0)
    network = UNet2DConditionModel(
        sample_size=16, in_channels=8, out_channels=4, block_out_channels=(16, 32), layers_per_block=2,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=12, attention_head_dim=8, norm_num_groups=8,
    ).eval()  # fmt: skip
    given = torch.randn(2, 8, 16, 16), torch.tensor([5, 9]), torch.randn(2, 1, 12)
    torch.testing.assert_close(inference_twin(network)(*given).sample, network(*given).sample, **CLOSE)
