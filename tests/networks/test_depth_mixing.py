"""Neighboring slices hear each other behind chosen blocks, by their distance in mm."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from monai_xray2mri.networks.condition import DepthEmbedding, FeatureEmbedding
from monai_xray2mri.networks.denoiser import SliceDenoiser
from monai_xray2mri.networks.depth_mixing import DepthMixing
from monai_xray2mri.networks.inference import inference_twin

BLOCKS = ("down_1", "mid", "up_2")
SIZES = {
    "channels": (8, 8, 16, 16),
    "context": 8,
    "heads": 2,
    "groups": 4,
    "sample_size": 8,
}


def mixing(blocks: Sequence[str] = ("mid",), **options: object) -> DepthMixing:
    return DepthMixing({"down_0": 8, "mid": 8}, 16, blocks=blocks, **options)


def denoiser(blocks: Sequence[str] | None = BLOCKS, loud: bool = False) -> SliceDenoiser:
    torch.manual_seed(0)
    made = SliceDenoiser(
        DepthEmbedding(32), FeatureEmbedding(61, 32), mixing=blocks and {"blocks": blocks, "rank": 4}, **SIZES
    ).eval()
    if loud:
        with torch.no_grad():
            for parameter in made.mixing.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
    return made


def arguments(slices: int, copies: int = 1) -> dict[str, Tensor]:
    torch.manual_seed(1)
    return {
        "noisy": torch.randn(slices, 4, 8, 8).repeat(copies, 1, 1, 1),
        "t": torch.full((copies * slices,), 500),
        "image_latent": torch.randn(copies * slices, 4, 8, 8),
        "context": torch.randn(1, 4, 8).expand(copies * slices, -1, -1),
        "place": torch.linspace(0, 1, slices).repeat(copies),
        "guide": torch.zeros(copies * slices, 61),
    }


def weights_by_distance(spacing: float, slices: int = 41) -> dict[float, list[float]]:
    """Weights at the taps -2, -1, 1, 2 of 1.5 mm of slices at some distances from the middle one."""
    found = mixing().neighbors(spacing * torch.arange(slices, dtype=torch.float32))
    middle = slices // 2
    return {
        round(spacing * (row - middle), 4): found[:, middle, row].tolist()
        for row in range(slices)
        if found[:, middle, row].any()
    }


def test_at_the_taps_spacing_each_tap_is_one_slice() -> None:
    assert weights_by_distance(1.5) == {-3: [1, 0, 0, 0], -1.5: [0, 1, 0, 0], 1.5: [0, 0, 1, 0], 3: [0, 0, 0, 1]}


def test_at_another_spacing_a_neighbor_lies_between_taps() -> None:
    found = weights_by_distance(2.0)
    assert found.keys() == {-4, -2, 2, 4}
    assert found[2.0] == pytest.approx([0, 0, 2 / 3, 1 / 3], abs=1e-3)
    assert found[4.0] == pytest.approx([0, 0, 0, 1 / 3], abs=1e-3)
    assert weights_by_distance(3.0) == {-3: [1, 0, 0, 0], 3: [0, 0, 0, 1]}
    assert weights_by_distance(4.5) == {}  # as far as the reach


@pytest.mark.parametrize("spacing", [0.15, 0.375, 0.75])
def test_of_close_slices_a_tap_takes_the_mean(spacing: float) -> None:
    found = torch.tensor(list(weights_by_distance(spacing, 2 * round(6 / spacing) + 1).values()))
    torch.testing.assert_close(found.sum(dim=0), torch.ones(4), atol=1e-5, rtol=0)


def test_the_ends_of_a_volume_and_other_volumes_are_no_neighbors() -> None:
    depth, volume = torch.tensor([0.0, 1.5, 3.0, 0.0, 1.5, 3.0]), torch.tensor([0, 0, 0, 1, 1, 1])
    layer = mixing()
    found = layer.neighbors(depth, volume)
    one = layer.neighbors(depth[:3])
    assert not one[:2, 0].any() and not one[2:, 2].any()
    assert torch.equal(found, torch.stack([torch.block_diag(tap, tap) for tap in one]))


def test_rounding_of_depths_makes_no_neighbors() -> None:
    depth = torch.linspace(0, 1, 50) * 73.5
    assert mixing().neighbors(depth).count_nonzero() == 2 * (49 + 48)


def test_weights_without_mixing_load_and_give_the_same_bits() -> None:
    plain, mixed = denoiser(None), denoiser()
    missing, unexpected = mixed.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected and all(name.startswith("mixing.") for name in missing) and len(missing) == 3 * 7
    near, given = mixed.mixing.neighbors(torch.arange(5) * 1.5), arguments(5)
    assert torch.equal(mixed(**given, neighbors=near), plain(**given))
    assert not any(name.startswith("mixing") for name in plain.state_dict())


@torch.inference_mode()
def test_slices_that_are_alike_are_left_alone() -> None:
    """Mixing adds what neighbors have more or less of, which is nothing where they are equal."""
    layer, hidden = mixing(), torch.randn(1, 8, 4, 4).expand(5, -1, -1, -1)
    for parameter in layer.parameters():
        parameter.add_(0.3 * torch.randn_like(parameter))
    layer.blocks["mid"].leave.bias.zero_()
    near, time = layer.neighbors(torch.arange(5) * 0.5), torch.randn(1, 16).expand(5, -1)
    torch.testing.assert_close(layer("mid", hidden, time, near), hidden, atol=1e-5, rtol=0)
    assert layer("down_0", hidden, time, near) is hidden  # no chosen block
    assert layer("mid", hidden, time, None) is hidden


@torch.inference_mode()
def test_a_change_is_heard_as_far_as_the_blocks_reach() -> None:
    network, given = denoiser(loud=True), arguments(21)
    near = network.mixing.neighbors(torch.arange(21) * 1.5)
    before = network(**given, neighbors=near)
    given["noisy"][10] += 1
    changed = (network(**given, neighbors=near) - before).abs().amax(dim=(1, 2, 3)) > 1e-6
    rows = torch.arange(21) == 10
    assert torch.equal(changed, network.mixing.heard(near, rows))
    assert changed.nonzero()[:, 0].tolist() == list(range(10 - 6, 10 + 7))  # three blocks of two slices to each side


@torch.inference_mode()
def test_copies_of_a_volume_and_several_guides_do_not_hear_each_other() -> None:
    network = denoiser(loud=True)
    near = network.mixing.neighbors(torch.arange(5) * 1.5)
    twice, once = arguments(5, copies=2), arguments(5)
    once |= {name: twice[name][:5] for name in ("image_latent", "context")}
    both = network(**twice, neighbors=near)
    torch.testing.assert_close(both[:5], network(**once, neighbors=near), atol=1e-5, rtol=1e-5)
    guides = torch.eye(61)[:10]
    several = network(**{**once, "guide": guides}, neighbors=near)
    for half in (slice(0, 5), slice(5, 10)):
        one = network(**{**once, "guide": guides[half]}, neighbors=near)
        torch.testing.assert_close(several[half], one, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_the_twin_for_inference_mixes_too() -> None:
    network, given = denoiser(loud=True), arguments(5)
    near = network.mixing.neighbors(torch.arange(5) * 1.5)
    expected, twin = network(**given, neighbors=near), inference_twin(network)
    torch.testing.assert_close(twin(**given, neighbors=near), expected, atol=2e-5, rtol=2e-5)
    assert not torch.allclose(network(**given), expected, atol=1e-3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = inference_twin(network, torch.bfloat16)(**given, neighbors=near)
    assert (low.float() - expected).square().mean().sqrt() < 0.05 * expected.std()


def test_gradients_reach_all_of_it_once_it_is_not_zero() -> None:
    network, given = denoiser(loud=True).train(), arguments(5)
    network(**given, neighbors=network.mixing.neighbors(torch.arange(5) * 1.5)).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.mixing.parameters())


def test_what_is_told_of_it() -> None:
    told = mixing(("down_0", "mid"), rank=4, tap_mm=2.0, taps=3).record()
    assert told == {"blocks": ["down_0", "mid"], "rank": 4, "tap_mm": 2.0, "taps": 3, "reach_mm": 8.0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blocks": ("middle",)}, "down_0, mid, each once, got middle"),
        ({"blocks": ()}, "got none"),
        ({"blocks": ("mid", "mid")}, "each once"),
        ({"tap_mm": 0.0}, "positive"),
        ({"taps": 0}, "positive"),
    ],
)
def test_impossible_mixing_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mixing(**options)
