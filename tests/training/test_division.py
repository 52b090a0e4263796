"""However a step is divided, into micro-batches or among processes, its gradient is the same within rounding."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigWorkflow

from monai_xray2mri.errors import UsageError
from monai_xray2mri.networks.autoencoder import SliceAutoencoder
from monai_xray2mri.training.order import BatchOrder, Division
from monai_xray2mri.training.plotting import read_log
from monai_xray2mri.training.watch import EvenOrder
from monai_xray2mri.training.weights import save_state
from tests.training.conftest import END_OF_RUN, SMALL

RunStage = Callable[..., ConfigWorkflow]
# Plain gradient descent: the weights tell the gradients, where AdamW would amplify their rounding.
STEPS = {
    "iterations": 2, "epoch_length": 2, "batch_size": 4, "learning_rate": 0.1, "warm_up": 1, "half": False,
    "ema_decay": 0.0, "train#optimizer#_target_": "torch.optim.SGD",
}  # fmt: skip


def start(output: Path) -> Path:
    """A folder with the autoencoder that the denoiser's stage starts from."""
    torch.manual_seed(5)
    save_state(SliceAutoencoder(channels=[8, 8, 8], groups=4), output / "autoencoder.pt")
    return output


def assert_same_training(one: Path, other: Path, name: str, first: dict[str, torch.Tensor] | None = None) -> None:
    left, right = (torch.load(folder / name, weights_only=True) for folder in (one, other))
    assert left.keys() == right.keys()
    for key, value in left.items():
        torch.testing.assert_close(right[key], value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("files", "name"), [(["train", "train_autoencoder"], "autoencoder.pt"), (["train"], "model.pt")]
)
def test_micro_batches_add_up(files: list[str], name: str, run_stage: RunStage, knees: Path, tmp_path: Path) -> None:
    run_stage(files, knees, start(tmp_path / "one"), **STEPS)
    run_stage(files, knees, start(tmp_path / "two"), **STEPS, accumulate=2, checkpoint_activations=True)
    assert_same_training(tmp_path / "one", tmp_path / "two", name)
    run_stage(files, knees, start(tmp_path / "seed"), **STEPS, seed=1)
    with pytest.raises(AssertionError):
        assert_same_training(tmp_path / "one", tmp_path / "seed", name)


def test_two_processes_train_as_one_and_one_goes_on_for_them(
    run_stage: RunStage, bundle: Path, knees: Path, tmp_path: Path
) -> None:
    steps = {**STEPS, "iterations": 4, "log_interval": 1}
    run_stage(["train"], knees, start(tmp_path / "one"), **steps)
    output = start(tmp_path / "two")
    configurations = [str(bundle / "configs" / f"{name}.json") for name in ("inference", "train", "multi_gpu_train")]
    options = {
        "config_file": str(configurations),
        "dataset_dir": str(knees),
        "output_dir": str(output),
        "precision": "$None",
        **SMALL,
        **steps,
        "accumulate": 2,
        END_OF_RUN: 2,
    }
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2",
        "-m", "monai.bundle", "run", *(f"--{key}={value}" for key, value in options.items()),
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=bundle, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert torch.load(output / "denoiser_checkpoint.pt", weights_only=True)["step"] == 2
    run_stage(["train"], knees, output, **steps, resume=True)
    assert_same_training(tmp_path / "one", output, "model.pt")
    one, two = (read_log(folder / "denoiser.jsonl") for folder in (tmp_path / "one", output))
    assert [line["iteration"] for line in two] == [1, 2, 3, 4]  # one process writes
    assert [line["loss"] for line in two] == pytest.approx([line["loss"] for line in one], rel=1e-4)
    assert all(line["images_per_second"] > 0 for line in two)


def parts(batch_size: int, accumulate: int, world: int, epoch: int = 0, first: int = 0) -> list[list[int]]:
    """Items of each step of an epoch of three steps, whichever micro-batch sees them."""
    steps: list[list[int]] = [[] for _ in range(3)]
    for rank in range(world):
        division = Division(batch_size, accumulate)
        division.parts, division.micro_batch = accumulate * world, batch_size // (accumulate * world)
        division.rank, division.world = rank, world
        order = BatchOrder(torch.tensor([1.0, 0.0, 2.0, 1.0]), division, steps=3)
        order.begin(epoch, first)
        for number, items in enumerate(order, first):
            steps[number // accumulate] += items
    return [sorted(items) for items in steps]


def test_the_order_of_items_does_not_depend_on_the_division() -> None:
    whole = parts(12, 1, 1)
    assert all(len(items) == 12 and 1 not in items for items in whole)
    assert whole == parts(12, 3, 2) == parts(12, 2, 1)
    assert whole != parts(12, 1, 1, epoch=1)
    assert parts(12, 1, 1, first=2) == [[], [], whole[2]]


def test_weights_are_the_rates_of_items() -> None:
    order = BatchOrder(torch.tensor([1.0, 0.0, 2.0, 1.0]), Division(4000), steps=1)
    (items,) = order
    counts = torch.bincount(torch.tensor(items), minlength=4) / 4000
    torch.testing.assert_close(counts, torch.tensor([0.25, 0.0, 0.5, 0.25]), atol=0.03, rtol=0)


def test_a_batch_that_does_not_divide_is_refused() -> None:
    with pytest.raises(UsageError, match="multiple of the micro-batches"):
        Division(10, accumulate=4)


def test_validation_sees_the_same_items_every_time() -> None:
    order = EvenOrder(100, 22, Division(4, stream="validation"))
    batches = list(order)
    assert batches == list(order)
    assert len(order) == len(batches) == 5
    items = sorted(item for batch in batches for item in batch)
    assert items[0] == 0 and items[-1] == 99 and len(set(items)) == 20
    with pytest.raises(UsageError, match="at least one batch of 4"):
        EvenOrder(3, 22, Division(4))
