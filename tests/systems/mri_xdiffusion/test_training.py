"""Training by the bundle's own configurations: cones, knees, paper size, recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from monai_xray2mri.diffusion.latent_diffusion import LatentDiffusion
from monai_xray2mri.systems.mri_xdiffusion.network import CrossSectionDiffusion
from monai_xray2mri.training.configurations import configuration_files
from monai_xray2mri.training.configured import read_configurations, run_configured
from monai_xray2mri.training.denoiser import ForwardDiffusion
from monai_xray2mri.training.dry_run import measure_step
from monai_xray2mri.training.recipe import TrainingRecipe

SMALL: dict[str, Any] = {
    "diffusion_def#channels": [8, 8, 16],
    "diffusion_def#groups": 4,
    "diffusion_def#sample_size": 4,
    "encoder_def#encoder#channels": [8, 8, 8],
    "encoder_def#encoder#image_size": 32,
    "network_def#image_size": 32,
    "batch_size": 4,
    "epoch_length": 10,
    "log_interval": 10,
    "warm_up": 5,
    "precision": None,
    "device": "$torch.device('cpu')",
}


@pytest.fixture(scope="module")
def folder(repository: Path) -> Path:
    return repository / "bundle" / "mri_xdiffusion"


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("names", "size", "most"), [((), 96, 3.9e6), (("cones",), 64, 0.9e6)], ids=["knees", "cones"])
def test_the_compact_networks_are_as_small_as_they_must_be(
    folder: Path, names: tuple[str, ...], size: int, most: float
) -> None:
    network = read_configurations(configuration_files(folder, names, folder), {}).get_parsed_content("network_def")
    assert isinstance(network, CrossSectionDiffusion)
    assert 0.7 * most < parameters(network) < most
    assert network.image_size == size and network.pixel_mm * size == network.side_mm


def test_the_paper_size_takes_zero_123s_projection(folder: Path) -> None:
    """Nothing of this size is made in memory."""
    pytest.importorskip("transformers")
    parser = ConfigParser()
    parser.read_config(
        [str(folder / "configs" / f"{name}.json") for name in ("inference", "train", "paper", "train_paper")]
    )
    with torch.device("meta"):
        denoiser = parser.get_parsed_content("diffusion_def")
    assert denoiser.context.projection.weight.shape == (768, 772)
    assert parameters(denoiser.unet) == 859_532_484  # Zero-123's U-Net
    with FlopCounterMode(display=False) as counter, torch.device("meta"):
        latent, t = torch.zeros(1, 4, 32, 32), torch.zeros(1, dtype=torch.long)
        denoiser(latent, t, latent, torch.zeros(1, 1, 768), torch.zeros(1, 10), torch.zeros(1, 11))
    assert counter.get_total_flops() == pytest.approx(176.3e9, rel=1e-3)
    assert parser["batch_size"] == 32 and parser["learning_rate"] == 1e-6 and parser["warm_up"] == 100


def test_a_step_is_measured_without_being_computed(folder: Path) -> None:
    parser = read_configurations(configuration_files(folder, ["cones"], folder), {"precision": None})
    cost = measure_step(parser, "denoiser")
    assert cost.parameters == cost.trained_parameters < 0.9e6 and 0.2e9 < cost.flops / cost.batch_size < 0.4e9


def test_training_learns_goes_on_and_is_watched(folder: Path, tmp_path: Path) -> None:
    files = configuration_files(folder, ["cones", "validate", "validate_cones"], folder)
    given = {
        **SMALL, "bundle_root": str(folder), "output_dir": str(tmp_path), "iterations": 40, "learning_rate": 2e-3,
        "resume": True, "val_interval": 10, "val_batches": 4, "picture_interval": 40, "val_steps": 2, "ema_decay": 0.9,
        "validate#source#count": 4, "train#source#count": 16,
    }  # fmt: skip
    metadata = folder / "configs" / "metadata.json"
    assert run_configured(files, metadata, {**given, "train#handlers#8#iterations": 20}, "denoiser") == (20, 40)
    assert run_configured(files, metadata, given, "denoiser") == (40, 40)
    log = [json.loads(line) for line in (tmp_path / "denoiser.jsonl").read_text().splitlines()]
    assert sum("loss" in record for record in log) == 4
    watched = [record["validation_loss"] for record in log if "validation_loss" in record]
    assert len(watched) == 4 and watched[-1] < 0.97 * watched[0]
    assert json.loads((tmp_path / "model_best.json").read_text())["validation_loss"] == min(watched)
    state = torch.load(tmp_path / "model.pt", weights_only=True)
    assert 4 < state["latent_scale"] < 25  # one over the root mean square of sections of cones
    with Image.open(tmp_path / "pictures" / "00000040.png") as picture:
        assert picture.size == (8 * 32, 6 * 32)


def test_what_was_not_acquired_counts_nowhere(network: CrossSectionDiffusion) -> None:
    mask = torch.ones(2, 1, 16, 16)
    mask[0, :, :, 5] = 0  # in the second column of cells
    cells = LatentDiffusion.known_cells(network, mask)  # of a codec whose cells hang together
    assert cells[0, 0].tolist() == [[1, 0, 1, 1]] * 4 and (cells[1] == 1).all()
    batch = {
        "target": torch.zeros(2, 1, 16, 16), "image": torch.zeros(2, 1, 16, 16), "place": torch.zeros(2, 10),
        "guide": torch.zeros(2, 11), "mask": mask,
    }  # fmt: skip
    dropped = ForwardDiffusion(network, drop_condition=1.0, drop_guide=0.0, drop_group=0.0)
    _, (_, weight), _, _ = dropped(batch)
    assert torch.equal(weight, torch.nn.functional.pixel_unshuffle(mask, 4))  # each number is a pixel
    del batch["mask"]  # as in batches of knees: everything counts
    assert (dropped(batch)[1][1] == 1).all()


def test_the_recipe_names_stages_that_can_be_made(folder: Path, tmp_path: Path) -> None:
    given = {"output_dir": str(tmp_path), "bundle_root": str(folder), "device": "cpu"}
    recipe = TrainingRecipe(folder / "configs" / "recipe.json", given)
    progress = {name: str(recipe.stage(name).progress()) for name in recipe}
    assert list(progress) == ["cones", "knee_volumes", "knees"]
    assert progress == {
        "cones": "0 of 240,000 slices",
        "knee_volumes": "0 of 310 volumes",
        "knees": "0 of 400,000 slices",
    }
    for name in ("cones", "knees"):
        stage = recipe.stage(name)
        assert stage.overrides()["output_dir"].startswith(str(tmp_path))
        assert stage.batch_size == 16


def test_stages_draw_steps_evenly_in_log_snr(folder: Path, tmp_path: Path) -> None:
    given = {"output_dir": str(tmp_path), "bundle_root": str(folder), "device": "cpu"}
    recipe = TrainingRecipe(folder / "configs" / "recipe.json", given)
    for name, drawn in (("cones", [-16, 4]), ("knees", [-12, 4])):
        stage = recipe.stage(name)
        parser = read_configurations(stage.files(), stage.overrides())
        assert parser["log_snr"] == drawn
        for part in ("train", "validate"):  # the best weights are those that are best at what is trained
            assert parser[part]["prepare_batch"]["log_snr"] == "@log_snr"
