"""A run that was interrupted ends as one that was not; what is no checkpoint of it is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigWorkflow

from monai_xray2mri.errors import UsageError, WeightsError, Xray2MRIError
from monai_xray2mri.networks.adaptive_weight import AdaptiveWeightEmbedding
from monai_xray2mri.training.weights import load_weights, save_state
from tests.conftest import make_tiny_network
from tests.training.conftest import END_OF_RUN

RunStage = Callable[..., ConfigWorkflow]
FEW = {"iterations": 6, "epoch_length": 4, "batch_size": 4, "accumulate": 2, "save_interval": 2, "ema_decay": 0.9}


def same(one: Any, other: Any, place: str = "") -> None:
    """Assert that nested values are equal bit by bit."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), place
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), place
        for key in one:
            same(one[key], other[key], f"{place}.{key}")
    elif isinstance(one, list):
        assert len(one) == len(other), place
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            same(left, right, f"{place}.{number}")
    else:
        assert one == other, place


@pytest.mark.parametrize("stage", ["autoencoder", "denoiser"])
def test_interrupted_and_resumed_is_bitwise_as_uninterrupted(
    stage: str, run_stage: RunStage, knees: Path, tmp_path: Path
) -> None:
    files = ["train", "train_autoencoder"] if stage == "autoencoder" else ["train"]
    for folder in ("whole", "parts"):
        (tmp_path / folder).mkdir()
        save_state(make_autoencoder(run_stage), tmp_path / folder / "autoencoder.pt")
    run_stage(files, knees, tmp_path / "whole", **FEW)
    run_stage(files, knees, tmp_path / "parts", **FEW, **{END_OF_RUN: 3})  # within an epoch
    file = tmp_path / "parts" / f"{stage}_checkpoint.pt"
    assert torch.load(file, weights_only=True)["step"] == 3
    resumed = run_stage(files, knees, tmp_path / "parts", **FEW, resume=True)
    assert resumed.parser.get_parsed_content("train#trainer").state.iteration == 12
    whole, parts = (torch.load(tmp_path / folder / file.name, weights_only=True) for folder in ("whole", "parts"))
    same(whole, parts)
    weights = "autoencoder.pt" if stage == "autoencoder" else "model.pt"
    same(*(torch.load(tmp_path / folder / weights, weights_only=True) for folder in ("whole", "parts")))
    before = file.read_bytes()
    run_stage(files, knees, tmp_path / "parts", **FEW, resume=True)  # nothing is left to do
    assert file.read_bytes() == before


def make_autoencoder(run_stage: RunStage) -> torch.nn.Module:
    """An autoencoder of the small size with random weights, the same at every call."""
    from monai_xray2mri.networks.autoencoder import SliceAutoencoder

    torch.manual_seed(5)
    return SliceAutoencoder(channels=[8, 8, 8], groups=4)


def cause(error: BaseException | None) -> Xray2MRIError:
    while not isinstance(error, Xray2MRIError):
        assert error is not None
        error = error.__cause__ or error.__context__
    return error


def test_what_is_no_checkpoint_of_the_run_is_refused(run_stage: RunStage, knees: Path, tmp_path: Path) -> None:
    first = ["train", "train_autoencoder"]
    few = {**FEW, "iterations": 2}
    run_stage(first, knees, tmp_path, **few)
    file = tmp_path / "autoencoder_checkpoint.pt"
    good = file.read_bytes()

    def refusal(**changed: object) -> Xray2MRIError:
        with pytest.raises(Exception) as caught:
            run_stage(first, knees, tmp_path, **{**few, "iterations": 4, "resume": True, **changed})
        assert file.read_bytes() == content
        return cause(caught.value)

    content = good
    other = refusal(batch_size=8, seed=3)
    assert isinstance(other, UsageError)
    assert "seed 0 instead of 3, batch_size 4 instead of 8" in str(other)
    wider = refusal(**{"autoencoder_def#channels": [8, 8, 16]})
    assert isinstance(wider, WeightsError)
    assert "of another shape" in str(wider) and "instead of" in str(wider)
    content = good[: len(good) // 2]
    file.write_bytes(content)
    assert "undamaged" in str(refusal())
    torch.save({"state_dict": {}}, file)
    content = file.read_bytes()
    assert "must be a 'monai_xray2mri training checkpoint" in str(refusal())


def test_a_run_goes_on_with_other_micro_batches(run_stage: RunStage, knees: Path, tmp_path: Path) -> None:
    first = ["train", "train_autoencoder"]
    run_stage(first, knees, tmp_path, **FEW, **{END_OF_RUN: 3})
    run_stage(first, knees, tmp_path, **{**FEW, "accumulate": 1}, resume=True)
    content = torch.load(tmp_path / "autoencoder_checkpoint.pt", weights_only=True)
    assert content["step"] == content["lr_scheduler"]["last_epoch"] == 6


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    network = make_tiny_network()
    state = network.state_dict()
    name = next(iter(state))
    state["strange"] = state.pop(name)
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(WeightsError, match=rf"1 missing: {name}; 1 not of this network: strange"):
        load_weights(network, tmp_path / "model.pt")
    with pytest.raises(WeightsError, match="no such file"):
        load_weights(network, tmp_path / "other.pt")


def test_a_method_starts_from_the_weights_of_another(tmp_path: Path) -> None:
    first, second = make_tiny_network(), make_tiny_network()
    second.denoiser.guide = AdaptiveWeightEmbedding(embedding=32)
    save_state(first, tmp_path / "features.pt")
    with pytest.raises(WeightsError, match=r"denoiser\.guide"):
        load_weights(second, tmp_path / "features.pt")

    start = {name: value.clone() for name, value in second.denoiser.guide.state_dict().items()}
    load_weights(second, tmp_path / "features.pt", ["denoiser.guide"])
    same(second.denoiser.guide.state_dict(), start)
    same(second.autoencoder.state_dict(), first.autoencoder.state_dict())

    save_state(second, tmp_path / "koa.pt")
    third = make_tiny_network()
    third.denoiser.guide = AdaptiveWeightEmbedding(embedding=32)
    load_weights(third, tmp_path / "koa.pt", ["denoiser.guide"])
    same(third.state_dict(), second.state_dict())  # the same method goes on with all that it has learnt

    first.denoiser.depth_embedding = torch.nn.Identity()
    save_state(first, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="missing"):
        load_weights(second, tmp_path / "other.pt", ["denoiser.guide"])
