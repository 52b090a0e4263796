"""The cost of a step, measured without numbers, against known answers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser
from torch import nn

from monai_xray2mri.errors import UsageError
from monai_xray2mri.training.dry_run import LiveMemory, StepCost, measure_step, normalize_in_float32
from tests.training.conftest import SMALL


def cost(bundle: Path, stage: str = "denoiser", processes: int = 1, **options: object) -> StepCost:
    parser = ConfigParser()
    files = ["train", "train_autoencoder"] if stage == "autoencoder" else ["train"]
    parser.read_config([str(bundle / "configs" / f"{name}.json") for name in ("inference", *files)])
    parser.update({"precision": "$torch.bfloat16", **SMALL, "batch_size": 8, **options})
    return measure_step(parser, stage, processes)


def test_live_memory_counts_what_lives_and_its_peak() -> None:
    with LiveMemory() as memory:
        kept = torch.zeros(1000)
        dropped = kept + 1
        view = kept[:10]
        del dropped
        memory.restart()
        (kept * 2) + 1
    assert view.shape == (10,)
    assert memory.live == 4000
    assert memory.peak == 12_000


def test_live_memory_of_a_known_backward_pass() -> None:
    """Of a linear map and a product the backward pass needs the inputs; the peak holds them and the gradients."""
    with LiveMemory() as memory:
        layer, x = nn.Linear(100, 100, bias=False), torch.zeros(50, 100)
        memory.restart()
        y = layer(x)
        assert memory.live == 4 * (100 * 100 + 2 * 50 * 100)
        y.sum().backward()
        assert memory.live == 4 * (2 * 100 * 100 + 2 * 50 * 100)


def test_normalisation_is_in_float32_as_on_a_gpu() -> None:
    layer, x = nn.GroupNorm(2, 4), torch.zeros(1, 4, 2, 2, dtype=torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
        normalize_in_float32(layer)
        assert layer(x).dtype == torch.float32


def test_a_step_is_made_of_its_parts(bundle: Path) -> None:
    whole = cost(bundle)
    trained = 4e-9 * whole.trained_parameters
    assert whole.gradients_gb == whole.average_gb == pytest.approx(trained)
    assert whole.optimizer_gb == pytest.approx(2 * trained, rel=0.01)
    assert whole.weights_gb == pytest.approx(4e-9 * whole.parameters, rel=0.05)
    parts = whole.weights_gb + whole.gradients_gb + whole.optimizer_gb + whole.average_gb + whole.activations_gb
    assert whole.peak_gb == pytest.approx(parts)
    assert whole.precision == "bfloat16"
    assert "memory per process" in "\n".join(whole.lines())
    mixing = {"blocks": ["down_1", "mid", "up_2"], "rank": 16}
    mixed = cost(bundle, **{"diffusion_def#mixing": mixing, "stack_slices": 4})
    assert mixed.trained_parameters > whole.trained_parameters
    assert 1.001 * whole.flops < mixed.flops < 1.5 * whole.flops


def test_division_and_recomputation_trade_memory_for_time(bundle: Path) -> None:
    whole, divided = cost(bundle), cost(bundle, accumulate=4, processes=2)
    assert divided.micro_batch == 1
    assert divided.activations_gb < 0.5 * whole.activations_gb
    assert divided.flops == pytest.approx(whole.flops / 2, rel=1e-6)
    again = cost(bundle, checkpoint_activations=True)
    assert again.activations_gb < 0.8 * whole.activations_gb
    assert 1.05 * whole.flops < again.flops < 1.4 * whole.flops
    full = cost(bundle, precision="$None")
    assert full.precision == "float32" and full.activations_gb > whole.activations_gb
    with pytest.raises(UsageError, match="multiple of 3"):
        cost(bundle, accumulate=3)


def test_the_autoencoder_has_a_step_too(bundle: Path) -> None:
    step = cost(bundle, "autoencoder")
    assert 0 < step.trained_parameters < step.parameters
    assert step.flops > 0 and step.activations_gb > 0
