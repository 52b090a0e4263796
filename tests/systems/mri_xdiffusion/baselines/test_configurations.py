"""Networks of baselines and ablations are trained by configurations of the bundle, with the engine of all others."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from monai_xray2mri.systems.mri_xdiffusion.evaluation.methods import NetworkMethod, method_of
from monai_xray2mri.systems.mri_xdiffusion.network import CrossSectionDiffusion
from monai_xray2mri.systems.mri_xdiffusion.planes import plane_axis, split_places
from monai_xray2mri.training.configurations import configuration_files
from monai_xray2mri.training.configured import read_configurations, run_configured
from monai_xray2mri.training.recipe import TrainingRecipe

SMALL = {
    "diffusion_def#channels": [8, 8, 16],
    "diffusion_def#groups": 4,
    "diffusion_def#sample_size": 4,
    "encoder_def#encoder#channels": [8, 8, 8],
    "encoder_def#encoder#image_size": 32,
    "network_def#image_size": 32,
    "batch_size": 4,
    "epoch_length": 3,
    "log_interval": 1,
    "precision": None,
    "device": "$torch.device('cpu')",
    "train#source#count": 8,
}


@pytest.mark.parametrize(
    ("name", "axes", "dropped"), [("plane_0", {0}, 1.0), ("plane_2", {2}, 1.0), ("planes", {0, 1, 2}, 0.1)]
)
def test_sections_are_of_the_planes_that_a_baseline_knows(
    repository: Path, name: str, axes: set[int], dropped: float
) -> None:
    folder = repository / "bundle" / "mri_xdiffusion"
    files = configuration_files(folder, ["cones", f"train_baseline_{name}"], folder)
    parser = read_configurations(files, {**SMALL, "bundle_root": str(folder)})
    batch = parser.get_parsed_content("train#stream").batch(0, 0)
    batches = [batch, *(parser.get_parsed_content("train#stream").batch(0, number) for number in range(1, 8))]
    rotation = torch.cat([split_places(each["place"])[0] for each in batches])
    assert ((rotation.abs() == 1).sum(dim=(1, 2)) == 3).all()
    assert set(plane_axis(rotation).tolist()) == axes
    assert parser.get_parsed_content("drop_condition") == dropped


def test_a_prior_is_trained_by_the_engine(repository: Path, tmp_path: Path) -> None:
    folder = repository / "bundle" / "mri_xdiffusion"
    files = configuration_files(folder, ["cones", "train_baseline_plane_0"], folder)
    given = {**SMALL, "bundle_root": str(folder), "output_dir": str(tmp_path), "iterations": 3}
    assert run_configured(files, folder / "configs" / "metadata.json", given, "denoiser") == (3, 3)
    state = torch.load(tmp_path / "model.pt", weights_only=True)
    assert all(math.isfinite(float(value.float().sum())) for value in state.values())


def test_the_recipe_of_the_baselines_can_be_made(repository: Path, tmp_path: Path) -> None:
    folder = repository / "bundle" / "mri_xdiffusion"
    given = {"output_dir": str(tmp_path), "bundle_root": str(folder), "device": "cpu"}
    recipe = TrainingRecipe(folder / "configs" / "recipe_baselines.json", given)
    progress = {name: str(recipe.stage(name).progress()) for name in recipe}
    assert progress.pop("knee_volumes") == "0 of 310 volumes"
    assert len(progress) == 6 and set(progress.values()) == {"0 of 60,000 slices"}
    for name in progress:
        stage = recipe.stage(name)
        parser = read_configurations(stage.files(), stage.overrides())
        assert parser["batch_size"] == 16 and ("plane_" in name) == (parser["drop_condition"] == 1.0)
        network: CrossSectionDiffusion = parser.get_parsed_content("network_def")
        assert "plane_" not in name or network.denoiser.first_guess is None  # a prior is given no slice


@pytest.mark.parametrize(
    ("name", "reduction", "told"),
    [
        ("all_directions", "tokens", True),
        ("tokens", "tokens", True),
        ("untold", "tokens", False),
        ("mean_product", "mean_product", True),
        ("matrix_product", "matrix_product", True),
        ("mlp", "mlp", True),
    ],
)
def test_an_ablation_differs_in_what_its_name_says(
    repository: Path, tmp_path: Path, name: str, reduction: str, told: bool
) -> None:
    folder = repository / "bundle" / "mri_xdiffusion"
    given = {"output_dir": str(tmp_path), "bundle_root": str(folder), "device": "cpu"}
    stage = TrainingRecipe(folder / "configs" / "recipe_ablations.json", given).stage(f"cones_{name}")
    assert str(stage.progress()) == "0 of 60,000 slices"
    parser = read_configurations(stage.files(), {**stage.overrides(), **SMALL})
    network: CrossSectionDiffusion = parser.get_parsed_content("network_def")
    denoiser = network.denoiser
    assert (denoiser.reduction, denoiser.told, network.image_encoder.reduction) == (reduction, told, reduction)
    if name == "all_directions":
        return
    assert denoiser.alignment is None and denoiser.first_guess is None and network.schedule.prediction == "v"
    assert parser.get_parsed_content("train#stream").numbers == [1, 2, 5, 10]


def test_the_weights_of_an_ablation_are_a_method(repository: Path, tmp_path: Path) -> None:
    folder = repository / "bundle" / "mri_xdiffusion"
    names = ["cones", "train_ablation", "train_mlp"]
    parser = read_configurations(configuration_files(folder, names, folder), {})
    torch.save(parser.get_parsed_content("network_def").state_dict(), tmp_path / "model.pt")
    method = method_of(f"{tmp_path / 'model.pt'}:{','.join(names)}", folder, "cpu")
    assert isinstance(method, NetworkMethod) and list(method.networks) == ["cones"]
    assert method.settings()["configurations"] == names
