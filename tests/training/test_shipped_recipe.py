"""The recipe of the two bundles, all its stages, with blobs for knees and few numbers everywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from monai_xray2mri.cli import main
from monai_xray2mri.errors import ExitCode
from tests.helpers.cached_knees import BlobPatient, blob_knee
from tests.training.conftest import SMALL

KNEES = {1000: 2, 8000: 4}
SIBLINGS = ("ldm", "xdiffusion", "coladiff")
FEW = {"batch_size": 2, "val_slices": 2, "val_minutes": 60, "epoch_length": 5, "save_interval": 1}


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
        stage["configurations"].append(place)
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
