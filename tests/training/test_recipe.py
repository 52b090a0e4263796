"""Stages in order, from wherever they stand; another recipe's state is refused."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from monai_xray2mri.cli import main
from monai_xray2mri.errors import ExitCode, UsageError
from monai_xray2mri.runtime.files import lock_folder
from monai_xray2mri.training.plotting import draw_losses, read_log
from monai_xray2mri.training.recipe import ChosenWeights, Progress, Reporter, TrainingRecipe, Turn, run_recipe
from monai_xray2mri.training.recipe.configured import ConfiguredTraining, checkpoint_step
from tests.training.conftest import SMALL
from tests.training.test_resume import same

COUNTING = "tests.helpers.toy_stages.Counting"


def counting(name: str, units: int, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "_target_": COUNTING, "folder": f"$@output_dir + '/{name}'", "units": units, **arguments}


class Run:
    """Runs recipes of some stages in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder / "state", folder / "some.json"

    def recipe(self, *stages: dict[str, Any], **entries: Any) -> TrainingRecipe:
        self.file.write_text(json.dumps({"nice": None, **entries, "stages": list(stages)}))
        return TrainingRecipe(self.file, {"output_dir": str(self.folder)})

    def __call__(self, *stages: dict[str, Any], minutes: float | None = None, **entries: Any) -> bool:
        return run_recipe(self.recipe(*stages, **entries), self.folder, Reporter(self.folder, quiet=True), minutes)

    def log(self) -> list[tuple[str, str, int]]:
        lines = map(json.loads, (self.folder / "log.jsonl").read_text().splitlines())
        return [(line["stage"], line["event"], line["done"]) for line in lines]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_stages_run_in_order_and_what_was_lost_is_made_again(run: Run) -> None:
    stages = counting("first", 2), counting("second", 3, after="$@output_dir + '/first'")
    assert not run(*stages, minutes=0)  # no time at all
    assert run(*stages)
    assert run.log() == [
        ("first", "begins", 0),
        ("first", "is complete", 2),
        ("second", "begins", 0),
        ("second", "is complete", 3),
    ]
    shutil.rmtree(run.folder / "first")
    assert run(*stages)
    assert run.log()[4:] == [("first", "begins", 0), ("first", "is complete", 2)]
    assert run(counting("first", 5), stages[1])  # more of it is allowed
    assert run.log()[6:] == [("first", "goes on", 2), ("first", "is complete", 5)]


def test_another_recipe_is_refused(run: Run) -> None:
    first, second = counting("first", 1, mark="a"), counting("second", 1)
    assert run(first, second, seed=1)
    for stages, entries, found in (
        ((counting("first", 1, mark="b"), second), {"seed": 1}, 'stage first as it is .*mark "a" instead of "b"'),
        ((first, second), {"seed": 2}, "seed 1 instead of 2"),
        ((second, first), {"seed": 1}, "first, second instead of second, first"),
        ((first,), {"seed": 1}, "a stage second has begun"),
    ):
        with pytest.raises(UsageError, match=found):
            run(*stages, **entries)
    assert run(first, second, counting("third", 1), seed=1, threads=1)  # what has begun is the same
    (run.folder / "recipe.json").write_text("{}")
    with pytest.raises(UsageError, match="recipe state 1"):
        run(first)


def test_what_is_no_recipe_is_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        TrainingRecipe(tmp_path / "nowhere.json", {})
    for stages, found in (
        ([], "list 'stages'"),
        ([{"name": "one"}], "stage 1 a _target_"),
        ([counting("one", 1), counting("one", 1)], "name each stage once"),
    ):
        with pytest.raises(UsageError, match=found):
            run.recipe(*stages)
    with pytest.raises(UsageError, match=r"stage one.*strange"):
        run(counting("one", 1, strange=1))
    with pytest.raises(UsageError, match="0 of 1 files"):
        run(counting("one", 1, lazy=True))
    with lock_folder(run.folder), pytest.raises(UsageError, match="one run at a time"):
        run(counting("one", 1))


def test_speed_and_what_is_left_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    reporter = Reporter(tmp_path, interval=10, clock=lambda: now[0])
    reporter.begin("denoiser", "stage 2 of 3", Progress(100, 1000, "slices"))
    for _ in range(4):
        now[0] += 4.0
        reporter.heard(8)
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "xray2mri: stage 2 of 3, denoiser, goes on: 100 of 1,000 slices",
        "xray2mri: stage 2 of 3, denoiser, works: 124 of 1,000 slices, 2 slices a second, 7 min left",
    ]


def test_the_first_candidate_stays_unless_another_gains_enough(tmp_path: Path) -> None:
    candidates = []
    for number, loss in enumerate((0.01, 0.009, 0.005)):
        file = tmp_path / f"{number}_best.pt"
        file.write_bytes(bytes([number]))
        file.with_suffix(".json").write_text(json.dumps({"iteration": 1, "validation_loss": loss}))
        candidates.append({"weights": str(file), "options": {"channels": number}})
    for needed, chosen in ((1.0, 2), (0.4, 2), (4.0, 0)):
        stage = ChosenWeights(tmp_path / str(needed), candidates, needed)
        assert not stage.progress().complete
        stage.work(Turn())
        assert stage.progress().complete
        assert json.loads((stage.folder / "network.json").read_text()) == {"channels": chosen}
        assert (stage.folder / "weights.pt").read_bytes() == bytes([chosen])
    (tmp_path / "2_best.json").unlink()
    with pytest.raises(UsageError, match=r"2_best\.json"):
        ChosenWeights(tmp_path / "other", candidates).work(Turn())


def test_a_log_is_read_as_if_nothing_had_been_cut_off(tmp_path: Path) -> None:
    log = tmp_path / "denoiser.jsonl"
    lines = [{"iteration": 2, "loss": 3.0}, {"iteration": 2, "validation_loss": 4.0}, {"iteration": 4, "loss": 2.0}]
    again = [{"iteration": 4, "loss": 1.0}]
    log.write_text("\n".join(map(json.dumps, [*lines, {"iteration": 6, "loss": 0.5}, *again])) + '\n{"iterat')
    assert read_log(log) == [*lines[:2], *again]
    assert draw_losses(log, tmp_path / "denoiser.png", 16)
    assert (tmp_path / "denoiser.png").stat().st_size > 1000
    assert not draw_losses(tmp_path / "none.jsonl", tmp_path / "none.png", 16)


def test_slices_are_counted_from_the_first_step(bundle: Path, tmp_path: Path) -> None:
    stage = ConfiguredTraining("denoiser", tmp_path, 10, bundle)
    assert str(stage.progress()) == "0 of 160 slices"  # the batch size is that of train.json
    waiting = ConfiguredTraining("denoiser", tmp_path, 10, bundle, [str(tmp_path / "of_an_earlier_stage.json")])
    assert str(waiting.progress()) == "0 of 10 steps"


def training_recipe(folder: Path, knees: Path, validation: Path) -> Path:
    """Two stages by the bundle's configurations, of the smallest network."""

    def stage(name: str, kind: str, **options: object) -> dict[str, Any]:
        return {
            "name": name,
            "_target_": "monai_xray2mri.training.recipe.ConfiguredTraining",
            "stage": kind,
            "folder": f"$@output_dir + '/{name}'",
            "bundle": "@bundle_root",
            "configurations": ["validate", "validate_autoencoder"][: 1 + (kind == "autoencoder")],
            "iterations": 24 if kind == "denoiser" else 3,
            "options": {
                **{key: value for key, value in SMALL.items() if kind == "denoiser" or "autoencoder" in key},
                "dataset_dir": str(knees),
                "validation_dir": str(validation),
                "batch_size": 2,
                "epoch_length": 15,
                "save_interval": 3,
                "val_slices": 2,
                "val_minutes": 60,
                "picture_interval": 1000,
                **options,
            },
        }

    file = folder / "small_recipe.json"
    stages = [
        stage("images", "autoencoder"),
        stage("latents", "denoiser", autoencoder_weights="$@output_dir + '/images/autoencoder.pt'"),
    ]
    file.write_text(json.dumps({"nice": None, "stages": stages}))
    return file


def test_a_killed_recipe_ends_as_one_that_was_not(
    knees: Path, validation_knees: Path, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """kill -9 within the second stage, then a new machine that has the folder of the state and nothing else."""
    file = training_recipe(tmp_path, knees, validation_knees)

    def command(state: str) -> list[str]:
        return ["train", "--bundle", str(bundle), "--recipe", str(file), "--output", str(tmp_path / state), "-q"]

    program = subprocess.Popen([sys.executable, "-m", "monai_xray2mri.cli", *command("killed")])
    checkpoint = tmp_path / "killed" / "latents" / "denoiser_checkpoint.pt"
    deadline = time.monotonic() + 600
    while not checkpoint.exists() and program.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    program.send_signal(signal.SIGKILL)
    assert program.wait() == -signal.SIGKILL
    assert 0 < checkpoint_step(checkpoint) < 24
    shutil.move(tmp_path / "killed", tmp_path / "moved")

    for state in ("moved", "whole"):
        assert main(command(state)) == ExitCode.DONE
    for name in ("images/autoencoder.pt", "latents/denoiser_checkpoint.pt", "latents/model.pt"):
        same(*(torch.load(tmp_path / state / name, weights_only=True) for state in ("moved", "whole")))
    assert any("validation_loss" in line for line in read_log(tmp_path / "whole" / "latents" / "denoiser.jsonl"))
    assert main([*command("whole"), "--seed", "1"]) == ExitCode.USAGE
    assert "option seed: must not be given with --recipe" in capsys.readouterr().err
