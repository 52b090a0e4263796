"""``xray2mri train``, in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from monai_xray2mri.cli import main
from monai_xray2mri.commands.options import budget_minutes
from monai_xray2mri.errors import ExitCode, UsageError
from tests.training.conftest import knees, small_configuration, validation_knees  # noqa: F401


@pytest.fixture
def train(bundle: Path, small_configuration: Path, tmp_path: Path):  # noqa: F811
    """Calls the command with the small network."""

    def call(*options: object) -> int:
        given = ["--bundle", bundle, "--config", small_configuration, "--device", "cpu", *options]
        if "--dry-run" not in options:
            given += ["--output", tmp_path / "out"]
        return main(["train", *map(str, given)])

    return call


def test_both_stages_with_a_budget_and_on(train, knees, validation_knees, tmp_path, capsys):  # noqa: F811
    options = ["--data", knees, "--iterations", 3, "--validation", validation_knees]
    assert train(*options) == ExitCode.DONE
    said = capsys.readouterr()
    assert said.out == f"{tmp_path / 'out' / 'model.pt'}\n"
    assert "xray2mri: step 3: loss" in said.err and "validation" not in said.err
    assert torch.load(tmp_path / "out" / "denoiser_checkpoint.pt", weights_only=True)["step"] == 3

    assert train(*options) == ExitCode.USAGE
    assert "--resume" in capsys.readouterr().err
    more = ["--data", knees, "--iterations", 100_000, "--resume", "--stage", "denoiser", "--budget", "3s", "-q"]
    assert train(*more) == ExitCode.DONE
    said = capsys.readouterr()
    assert said.out == f"{tmp_path / 'out' / 'model.pt'}\n"
    assert not said.err
    assert 3 < torch.load(tmp_path / "out" / "denoiser_checkpoint.pt", weights_only=True)["step"] < 100_000

    assert train(*options, "--resume", "--seed", 5) == ExitCode.USAGE
    assert "seed 0 instead of 5" in capsys.readouterr().err


def test_a_budget_that_ends_the_first_stage_leaves_the_second(train, knees, tmp_path, capsys):  # noqa: F811
    assert train("--data", knees, "--iterations", 100_000, "--budget", "0.1s") == ExitCode.DONE
    said = capsys.readouterr()
    assert said.out == f"{tmp_path / 'out' / 'autoencoder.pt'}\n"
    assert "the budget ended stage autoencoder at step 1 of 100000" in said.err
    assert not (tmp_path / "out" / "model.pt").exists()


def test_dry_run_needs_no_data(train, capsys):
    assert train("--dry-run", "--batch-size", 8, "--accumulate", 2, "--precision", "bf16") == ExitCode.DONE
    said = capsys.readouterr()
    first, second = json.loads(said.out)["steps"]
    assert (first["stage"], second["stage"]) == ("autoencoder", "denoiser")
    assert second["batch_size"] == 8 and second["micro_batch"] == 4
    assert second["peak_gb"] > second["weights_gb"] > 0 and second["flops"] > 1e6
    assert "stage denoiser" in said.err


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--data", "nowhere"], ExitCode.USAGE, "nowhere"),
        ([], ExitCode.USAGE, "needs data"),
        (["--on-the-fly", "--config", "strange"], ExitCode.USAGE, "configuration strange"),
        (["--on-the-fly", "--budget", "9"], ExitCode.USAGE, "with its unit"),
        (["--on-the-fly", "--iterations", "0"], ExitCode.USAGE, "at least 1"),
    ],
)
def test_usage_errors(train, options, code, words, capsys):
    assert train(*options) == code
    assert words in capsys.readouterr().err


def test_what_a_stage_refuses_has_its_own_exit_code(train, knees, validation_knees, tmp_path, capsys):  # noqa: F811
    assert train("--data", knees, "--stage", "denoiser") == ExitCode.WEIGHTS
    assert "must be trained before" in capsys.readouterr().err
    assert train("--data", knees, "--accumulate", 3) == ExitCode.USAGE
    assert "multiple of the micro-batches" in capsys.readouterr().err
    assert train("--data", validation_knees) == ExitCode.INPUT_REFUSED
    (tmp_path / "bad.pt").write_bytes(b"not a file of PyTorch")
    assert train("--data", knees, "--initial-weights", tmp_path / "bad.pt") == ExitCode.WEIGHTS


def test_budgets():
    assert [budget_minutes(text) for text in ("90s", "9m", "1.5h")] == [1.5, 9, 90]
    for text in ("9", "m", "-1m", "0s"):
        with pytest.raises(UsageError, match="with its unit"):
            budget_minutes(text)
