"""The engine of small networks, on a line to fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from monai_xray2mri.errors import UsageError, WeightsError
from monai_xray2mri.training.small_networks import Recipe, SmallTraining


def batch(step: int) -> tuple[Tensor, Tensor]:
    x = torch.rand(16, 1, generator=torch.Generator().manual_seed(step))
    return x, 3 * x - 1


def loss(network: nn.Module, points: tuple[Tensor, Tensor]) -> Tensor:
    x, y = points
    error: Tensor = (network(x) - y).square().mean()
    return error


def make_network() -> nn.Sequential:
    """With a layer that draws and one with buffers."""
    return nn.Sequential(nn.Linear(1, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.1), nn.Linear(8, 1))


def make_training(averaging: float = 0.9, **settings: int) -> SmallTraining[nn.Sequential, tuple[Tensor, Tensor]]:
    recipe = Recipe(60, learning_rate=0.05, averaging=averaging, largest_gradient=1.0, interval=20)
    return SmallTraining(make_network, batch, loss, recipe, {"points": 16, **settings})


def test_it_learns_and_writes_a_log(tmp_path: Path) -> None:
    training = make_training()
    assert training.run(tmp_path / "line.pt", look=lambda network: {"weights": len(network)})
    records = [json.loads(line) for line in (tmp_path / "line.jsonl").read_text().splitlines()]
    assert [record["iteration"] for record in records] == [20, 40, 60]
    assert records[-1]["loss"] < 0.5 * records[0]["loss"]
    assert training.losses == [record["loss"] for record in records]
    assert {record["weights"] for record in records} == {5}
    assert not training.average.training


def test_stopped_at_every_step_it_gives_the_same_weights(tmp_path: Path) -> None:
    whole = make_training()
    assert whole.run(tmp_path / "whole.pt")
    parts = make_training()
    while not parts.run(tmp_path / "parts.pt", minutes=0):
        parts = make_training()
    for name, value in whole.average.state_dict().items():
        assert torch.equal(value, parts.average.state_dict()[name]), name
    assert whole.losses == parts.losses


def test_without_averaging_the_result_are_the_last_weights() -> None:
    training = make_training(averaging=0.0)
    training.advance()
    for name, value in training.network.state_dict().items():
        assert torch.equal(value, training.average.state_dict()[name])


def test_what_a_look_keeps_is_there_after_an_interruption(tmp_path: Path) -> None:
    first = make_training()

    def look(network: nn.Module) -> dict[str, float]:
        first.kept = {"best": {"w": torch.ones(2)}, "score": 0.5}
        return {}

    first.run(tmp_path / "line.pt", look=look)
    again = make_training()
    again.run(tmp_path / "line.pt")
    assert again.kept["score"] == 0.5 and torch.equal(again.kept["best"]["w"], torch.ones(2))


def test_another_run_s_checkpoint_is_refused(tmp_path: Path) -> None:
    make_training().run(tmp_path / "line.pt", minutes=0)
    with pytest.raises(UsageError, match="points 16 instead of 17"):
        make_training(points=17).run(tmp_path / "line.pt")
    (tmp_path / "line.checkpoint").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="undamaged"):
        make_training().run(tmp_path / "line.pt")
