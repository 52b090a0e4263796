"""Both stages on knees that are simulated meanwhile (by the real simulator: the slow file of this folder)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from monai.bundle import ConfigWorkflow

from tests.training.conftest import END_OF_RUN


def test_both_stages_train_and_resume_on_the_fly(run_stage: Callable[..., ConfigWorkflow], tmp_path: Path) -> None:
    few = {"knees": 1, "ring": 1, "group": 1, "reuse": 4, "fitting_knees": 1}
    few |= {"iterations": 4, "epoch_length": 4, "batch_size": 2}
    first = ["train", "train_autoencoder", "train_on_the_fly", "train_autoencoder_on_the_fly"]
    run_stage(first, tmp_path, tmp_path, **few)
    run_stage(["train", "train_on_the_fly"], tmp_path, tmp_path, **few, **{END_OF_RUN: 2}, resume=True)  # nothing yet
    scale = torch.load(tmp_path / "denoiser_checkpoint.pt", weights_only=True)["latent_scale"]
    run_stage(["train", "train_on_the_fly"], tmp_path, tmp_path, **few, resume=True)
    content = torch.load(tmp_path / "denoiser_checkpoint.pt", weights_only=True)
    assert content["step"] == 4
    assert content["latent_scale"] == scale != 1  # fitted once, neither again nor never
    state = torch.load(tmp_path / "model.pt", weights_only=True)
    frozen = torch.load(tmp_path / "autoencoder.pt", weights_only=True)
    for name, value in frozen.items():
        torch.testing.assert_close(state[f"autoencoder.{name}"], value.half())
