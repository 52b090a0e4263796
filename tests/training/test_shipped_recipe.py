"""The recipe of the two bundles, all its stages, with blobs for knees and few numbers everywhere."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from monai_xray2mri.cli import main
from monai_xray2mri.errors import ExitCode
from monai_xray2mri.training.recipe import Turn
from monai_xray2mri.training.recipe.configured import ConfiguredTraining, checkpoint_step
from tests.helpers.bundles import make_tiny_bundle
from tests.helpers.cached_knees import BlobPatient, blob_knee
from tests.helpers.films import simulated_crop, write_film
from tests.training.conftest import SMALL

KNEES = {400: 2, 1000: 2, 8000: 4}
SIBLINGS = ("ldm", "xdiffusion", "coladiff")
FEW = {"batch_size": 2, "val_slices": 2, "val_minutes": 60, "epoch_length": 5, "save_interval": 1, "compiled": False}


def small(stage: dict[str, Any], place: str, whole: str) -> dict[str, Any]:
    """A stage of few slices, on a small network that ``place`` (its autoencoder) and ``whole`` say to later stages."""
    stage = json.loads(json.dumps(stage))
    if stage["_target_"].endswith("DistilledDecoder"):
        stage |= {"iterations": 1, "knees": KNEES[stage["knees"]], "options": {"slices": 2, "shard": 2}}
        stage["configurations"].append(whole)
    elif stage["_target_"].endswith("FewStepWeights"):
        stage["configurations"].append(whole)
    elif "iterations" in stage:
        network = {key: value for key, value in SMALL.items() if "autoencoder" in key or stage["stage"] == "denoiser"}
        if "koa" in stage["name"] or "both" in stage["name"]:
            network = {key: value for key, value in network.items() if "guide" not in key}
        stage["iterations"] = 1
        stage["options"] |= {**FEW, **network, "cached_slices": 2, "cached_shard": 2, "picture_interval": 1000}
        stage["options"]["cached_knees"] = KNEES[stage["options"]["cached_knees"]]
    elif stage["_target_"].endswith("SimulateKnees"):
        stage |= {"slices": 2, "shard": 2, "knees": KNEES[stage["knees"]]}
    elif stage["_target_"].endswith("EncodeKnees"):
        stage |= {"options": {"slices": 2, "shard": 2}, "knees": KNEES[stage["knees"]]}
        stage.setdefault("configurations", []).append(place)
    elif stage["_target_"].endswith("SimulateWholeKnees"):
        stage["knees"] = 1
    return stage


@pytest.fixture
def recipe(bundle: Path, tmp_path: Path) -> Path:
    shipped = json.loads((bundle / "configs" / "recipe.json").read_text())
    network = tmp_path / "small.json"
    network.write_text(json.dumps({key: value for key, value in SMALL.items() if "autoencoder" in key}))
    whole, file = tmp_path / "whole.json", tmp_path / "recipe.json"
    whole.write_text(json.dumps(SMALL))
    further = json.loads(json.dumps(next(stage for stage in shipped["stages"] if stage["name"] == "features")))
    further |= {"name": "conditions", "folder": "$@output_dir + '/conditions'"}
    further["configurations"].append("train_conditions")
    shipped["stages"].append(further)
    # The siblings' stages differ by a configuration that other tests run.
    stages = [small(stage, str(network), str(whole)) for stage in shipped["stages"] if stage["name"] not in SIBLINGS]
    file.write_text(json.dumps({**shipped, "nice": None, "stages": stages}))
    return file


def test_all_stages_follow_each_other(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monai_xray2mri.knee.data.cache.Patient", BlobPatient)
    monkeypatch.setattr("monai_xray2mri.knee.data.simulated.simulate_knee", blob_knee)
    state = tmp_path / "state"
    command = ["train", "--recipe", str(recipe), "--output", str(state), "--device", "cpu", "-q"]
    assert main(command) == ExitCode.DONE
    lines = [json.loads(line) for line in (state / "log.jsonl").read_text().splitlines()]
    names = [stage["name"] for stage in json.loads(recipe.read_text())["stages"]]
    assert [line["stage"] for line in lines if line["event"] == "is complete"] == names
    choice = json.loads((state / "autoencoder" / "choice.json").read_text())
    channels = (4, 8)[choice["chosen"]]
    frozen = torch.load(state / "autoencoder" / "weights.pt", weights_only=True)
    for name in ("denoiser", "features", "koa", "both", "conditions"):
        model = torch.load(state / name / "model.pt", weights_only=True)
        assert model["denoiser.unet.conv_in.weight"].shape[1] == 2 * channels
        key = "kl.encoder.conv_in.weight"
        assert torch.equal(model[f"autoencoder.{key}"], frozen[key].half())
        assert ("reader.heads.0.0.weight" in model) == (name == "conditions")
        best = json.loads((state / name / "model_best.json").read_text())
        assert best["validation_loss"] > 0
    tuned = torch.load(state / "few_steps" / "model.pt", weights_only=True)
    packed = torch.load(state / "few_steps_weights" / "weights.pt", weights_only=True)
    assert packed.keys() == {name for name in tuned if not name.startswith("autoencoder.")}
    described = [
        json.loads((state / name / "weights.json").read_text()) for name in ("few_steps_weights", "small_decoder")
    ]
    assert described[0]["autoencoder"] == described[1]["autoencoder"]
    assert described[0]["steps"] == 4 and described[1]["quality"]["large"]["psnr"] > 0


def test_a_recipe_of_few_steps_that_was_broken_off_makes_what_fast_takes(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a bundle of its own, broken off after the second of three steps, then run again, then used."""
    monkeypatch.setattr("monai_xray2mri.knee.data.cache.Patient", BlobPatient)
    monkeypatch.setattr("monai_xray2mri.knee.data.simulated.simulate_knee", blob_knee)
    own, state, whole = make_tiny_bundle(tmp_path / "bundle", bundle), tmp_path / "state", tmp_path / "whole.json"
    whole.write_text("{}")
    shipped = json.loads((bundle / "configs" / "recipe_few_steps.json").read_text())
    stages = [small(stage, str(whole), str(whole)) for stage in shipped["stages"]]
    (tuning,) = (stage for stage in stages if stage["name"] == "few_steps")
    tuning["iterations"] = 3
    (own / "configs" / "recipe_few_steps.json").write_text(json.dumps({**shipped, "nice": None, "stages": stages}))
    train = ["train", "--bundle", str(own), "--recipe", "recipe_few_steps", "--output", str(state), "--device", "cpu"]

    steps, work = [], ConfiguredTraining.work

    def broken_off(stage: ConfiguredTraining, turn: Turn) -> None:
        def heard(slices: int) -> None:
            steps.append(slices)
            if len(steps) == 2:
                raise OSError("power cut")

        work(stage, Turn(turn.end, heard))

    monkeypatch.setattr(ConfiguredTraining, "work", broken_off)
    assert main([*train, "-q"]) != ExitCode.DONE
    checkpoint = state / "few_steps" / "denoiser_checkpoint.pt"
    assert 0 < checkpoint_step(checkpoint) < 3 and not (state / "few_steps_weights").exists()
    done = checkpoint_step(checkpoint)
    assert main([*train, "-q"]) == ExitCode.DONE
    assert len(steps) == 2 + 3 - done and checkpoint_step(checkpoint) == 3

    film = write_film(tmp_path / "film.dcm", simulated_crop())
    draw = ["synthesize", str(film), str(tmp_path / "out"), "--bundle", str(own), "--slices", "2", "-q", "--fast"]
    assert main(draw) == ExitCode.USAGE and not (tmp_path / "out").exists()  # the bundle does not have it yet
    shutil.copytree(state / "few_steps_weights", own / "models" / "few_steps")
    shutil.copytree(state / "small_decoder", own / "models" / "small_decoder")
    assert main([*draw, "--decoder", "small"]) == ExitCode.DONE
    report = json.loads((tmp_path / "out" / "knee_right" / "report.json").read_text())
    made = {"few_steps": "few_steps_weights", "small_decoder": "small_decoder"}
    assert report["faster_sha256"] == {
        part: hashlib.sha256((state / folder / "weights.pt").read_bytes()).hexdigest() for part, folder in made.items()
    }
    assert report["options"]["fast"] is True and report["options"]["steps"] == 4
