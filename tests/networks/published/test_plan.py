"""Published weights in our network, against a plain implementation of Zero-123 that knows nothing of diffusers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser
from torch import Tensor
from torch.nn import functional as F

from monai_xray2mri.commands.import_weights import network_to_fill
from monai_xray2mri.errors import UsageError, WeightsError
from monai_xray2mri.networks.published.keys import average_key, source_of
from monai_xray2mri.networks.published.plan import plan_import
from monai_xray2mri.networks.published.writer import write_state_dict
from tests.conftest import REPOSITORY, make_tiny_network
from tests.helpers.published import TINY, Zero123, scattered, state_of, tiny_bundle

SHIPPED = REPOSITORY / "bundle" / "knee_xray2mri"
State = dict[str, Tensor]


@pytest.fixture(scope="module")
def models() -> tuple[Zero123, Zero123]:
    """Last weights and moving average."""
    torch.manual_seed(1)
    return scattered(Zero123(**TINY)), scattered(Zero123(**TINY))  # type: ignore[return-value]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundles") / "paper", SHIPPED)


@pytest.fixture
def checkpoint(models: tuple[Zero123, Zero123], tmp_path: Path) -> Callable[..., Path]:
    """Writes the state dict, changed by the function given, as a Lightning checkpoint."""

    def write(change: Callable[[State], Any] = lambda state: None) -> Path:
        state = state_of(*models)
        change(state)
        torch.save({"state_dict": state, "global_step": 105000}, tmp_path / "zero123.ckpt")
        return tmp_path / "zero123.ckpt"

    return write


def filled(source: Path, bundle: Path, **options: bool) -> Any:
    """The network with the imported weights, as a user's program makes it."""
    plan = plan_import(source, network_to_fill(bundle, "tiny", 0), **options)
    write_state_dict(source.with_suffix(".pt"), plan.state)
    parser = ConfigParser()
    parser.read_config([str(bundle / "configs" / name) for name in ("inference.json", "tiny.json")])
    network = parser.get_parsed_content("network_def")
    network.load_state_dict(torch.load(source.with_suffix(".pt"), weights_only=True))
    return network.eval()


def denoise(network: Any, z: Tensor, t: Tensor, latent: Tensor, context: Tensor) -> Tensor:
    depth, features = torch.rand(len(z)), torch.randint(2, (len(z), 61)).float()
    return network.denoiser(z, t, latent, context, depth, features)


def draw() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return torch.randn(2, 4, 8, 8), torch.tensor([3, 870]), torch.randn(2, 4, 8, 8), torch.randn(2, 1, 8)


@pytest.mark.parametrize("ema", [True, False])
@torch.no_grad()
def test_one_denoising_step_is_zero_123_s(
    ema: bool, models: tuple[Zero123, Zero123], checkpoint: Callable[..., Path], tiny: Path
) -> None:
    """Whatever depth and features are: the added conditioning is a no-op until it is trained."""
    network = filled(checkpoint(), tiny, ema=ema)
    z, t, latent, context = draw()
    expected = models[ema].model.diffusion_model(torch.cat([z, latent], dim=1), t, context)
    assert expected.std() > 0.1
    torch.testing.assert_close(denoise(network, z, t, latent, context), expected, atol=1e-5, rtol=1e-5)
    other = models[not ema].model.diffusion_model(torch.cat([z, latent], dim=1), t, context)
    assert (denoise(network, z, t, latent, context) - other).abs().max() > 0.1


@torch.no_grad()
def test_condition_and_autoencoder_are_zero_123_s(
    models: tuple[Zero123, Zero123], checkpoint: Callable[..., Path], tiny: Path
) -> None:
    network, (plain, _) = filled(checkpoint(), tiny), models
    image = torch.rand(2, 1, 64, 64) * 2 - 1
    color, tower_size = image.expand(-1, 3, -1, -1), (16, 16)
    resized = F.interpolate(color, tower_size, mode="bicubic", align_corners=True)
    condition = network.condition(image)
    latent = plain.first_stage_model.encode(color)
    close = {"atol": 1e-5, "rtol": 1e-4}
    torch.testing.assert_close(condition.context, plain.context(resized), **close)
    torch.testing.assert_close(condition.image_latent, latent, **close)  # unscaled
    torch.testing.assert_close(network.encode(image), 0.2 * latent, **close)
    decoded = plain.first_stage_model.decode(latent).mean(dim=1, keepdim=True).clamp(-1, 1)
    torch.testing.assert_close(network.decode(0.2 * latent), decoded, **close)
    null = network.null_condition(1)
    assert not null.context.any()
    assert not null.image_latent.any()


def test_every_number_arrives_and_half_precision_rounds_it(checkpoint: Callable[..., Path], tiny: Path) -> None:
    source = checkpoint()
    state = torch.load(source, weights_only=True)["state_dict"]
    network = network_to_fill(tiny, "tiny", 0)
    plan = plan_import(source, network, ema=False)
    wanted = ("model.diffusion_model.", "first_stage_model.", "cond_stage_model.model.visual.", "cc_projection.")
    sent = torch.cat([value.flatten() for name, value in state.items() if name.startswith(wanted)])
    arrived = torch.cat([plan.state[name].make().flatten() for name in plan.imported])
    assert torch.equal(arrived.sort().values, sent.sort().values)
    assert set(plan.imported) | set(plan.own) == set(network.state_dict())
    assert {name.split(".")[1] for name in plan.own if "." in name} == {"depth_embedding", "guide"}
    half = plan_import(source, network, half=True).state
    assert {tensor.dtype for name, tensor in half.items() if name in plan.imported} == {torch.float16}
    assert half["latent_scale"].dtype == torch.float32


@torch.no_grad()
def test_four_channels_become_eight_and_the_projection_the_identity(
    models: tuple[Zero123, Zero123], checkpoint: Callable[..., Path], tiny: Path
) -> None:
    def four_channels(state: State) -> None:
        for key in ("model.diffusion_model.input_blocks.0.0.weight", "model_ema.diffusion_modelinput_blocks00weight"):
            state[key] = state[key][:, :4].clone()
        del state["cc_projection.weight"], state["cc_projection.bias"]

    source = checkpoint(four_channels)
    plan = plan_import(source, network_to_fill(tiny, "tiny", 0))
    assert plan.layout == "image-conditioned"
    assert [name for name in plan.own if "projection" in name] == [
        "radiograph_encoder.projection.weight", "radiograph_encoder.projection.bias",
    ]  # fmt: skip
    network, (z, t, latent, context) = filled(source, tiny), draw()
    expected = models[1].model.diffusion_model(torch.cat([z, torch.zeros_like(z)], dim=1), t, context)
    torch.testing.assert_close(denoise(network, z, t, latent, context), expected, atol=1e-5, rtol=1e-5)
    embedding = torch.randn(1, 8)
    torch.testing.assert_close(network.radiograph_encoder.projection(F.pad(embedding, (0, 4), value=3)), embedding)


def test_the_real_size_is_mapped_key_by_key() -> None:
    with torch.device("meta"):
        published = Zero123().state_dict()
    network = network_to_fill(SHIPPED, "paper", 0)
    unet, autoencoder = network.denoiser.unet, network.autoencoder
    parts = ((unet, 859_532_484, 686), (autoencoder, 83_653_863, 248),
             (network.radiograph_encoder.tower, 303_966_208, 392))  # fmt: skip
    for part, numbers, tensors in parts:
        assert sum(parameter.numel() for parameter in part.parameters()) == numbers
        assert len(part.state_dict()) == tensors
    sources = {name: source_of(name, ema=False) for name in network.state_dict()}
    taken = {name: found for name, found in sources.items() if found is not None}
    assert {found.key for found in taken.values()} == set(published)
    for name, found in taken.items():
        assert found.convert(published[found.key]).shape == network.state_dict()[name].shape, name
    ours = [name for name in taken if name.startswith("denoiser.unet.")]
    mean = {found.key for found in (source_of(name, ema=True) for name in ours) if found is not None}
    assert mean == {average_key(key) for key in published if key.startswith("model.")}
    assert len(mean) == 686
    assert "model_ema.diffusion_modelinput_blocks00weight" in mean


def test_the_paper_s_settings_are_the_configuration_s() -> None:
    network = network_to_fill(SHIPPED, "paper", 0)
    assert float(network.latent_scale) == pytest.approx(0.2)
    assert (network.schedule.steps, network.schedule.network_steps) == (2000, 1000)
    assert network.schedule.prediction == "epsilon"
    assert (network.settings.eta, network.align, network.scale_radiograph_latent) == (0, False, False)
    assert network.latent_shape() == (4, 32, 32)


def rename(state: State) -> None:
    state["model_ema.diffusion_modelout2gain"] = state.pop("model_ema.diffusion_modelout2weight")
    state["first_stage_model.quant_conv.weight"] = torch.zeros(8, 8, 3, 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (rename, "1 missing: model_ema.diffusion_modelout2weight; "
                 r"1 of another shape: first_stage_model.quant_conv.weight \[8, 8, 3, 3\] for .*\[8, 8, 1, 1\]; "
                 "1 left over: model_ema.diffusion_modelout2gain"),
        (lambda state: state.update({"control_model.input.weight": torch.zeros(1)}), "1 left over: control_model"),
        (lambda state: state.pop("cc_projection.weight"), "8 channels, no cc_projection.weight"),
        (lambda state: [state.pop(key) for key in list(state) if key.startswith("model_ema.")], "--no-ema"),
        (lambda state: [state.pop(key) for key in list(state) if key.startswith("model")], "its first key is first"),
        (lambda state: state.update(betas=torch.linspace(1e-4, 0.02, 1000)), "1000 steps from 0.0001 to 0.02"),
        (lambda state: [state.pop(key) for key in list(state) if "resblocks.1" in key], "12 missing.*resblocks.1"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_listed(
    change: Callable[[State], Any], words: str, checkpoint: Callable[..., Path], tiny: Path
) -> None:
    source = checkpoint(change)
    with pytest.raises(WeightsError, match=words):
        plan_import(source, network_to_fill(tiny, "tiny", 0))


def test_the_compact_network_cannot_take_them(checkpoint: Callable[..., Path]) -> None:
    network = make_tiny_network().to("meta")
    with pytest.raises(UsageError, match=r"must exist in published checkpoints.*configs/paper\.json"):
        plan_import(checkpoint(), network)
