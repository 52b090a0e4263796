"""Both stages of paper 000, Algorithm 1, by the bundle's own configurations on real simulated knees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from ignite.engine import Engine
from monai.bundle import ConfigWorkflow
from torch import Tensor

from monai_xray2mri.data.simulated import simulate_training_set
from monai_xray2mri.data.slices import TrainingSlices
from monai_xray2mri.diffusion.slice_diffusion import SliceDiffusion
from monai_xray2mri.grading.features import FEATURES
from monai_xray2mri.training.autoencoder import AutoencoderLoss, SliceCrops
from monai_xray2mri.training.denoiser import (
    AveragedWeights,
    ConditionalDenoising,
    ForwardDiffusion,
    WeightedSquaredError,
)
from monai_xray2mri.training.handlers import DataEpoch, warm_up_and_decay

GROUPS = [feature.width for feature in FEATURES]
SMALL = {
    "autoencoder_def#channels": [8, 8, 8],
    "autoencoder_def#groups": 4,
    "diffusion_def#channels": [8, 8, 16, 16],
    "diffusion_def#groups": 4,
    "diffusion_def#heads": 2,
    "encoder_def#channels": [8, 8, 8, 8],
}


@pytest.fixture(scope="module")
def knees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("training")
    simulate_training_set(directory, range(1))
    return directory


def run_stage(bundle: Path, files: list[str], knees: Path, output: Path, /, **options: object) -> ConfigWorkflow:
    workflow = ConfigWorkflow(
        config_file=[str(bundle / "configs" / name) for name in files],
        meta_file=str(bundle / "configs" / "metadata.json"),
        logging_file=False,
        workflow_type="train",
        dataset_dir=str(knees),
        output_dir=str(output),
        device="$torch.device('cpu')",
        **SMALL,
        **options,
    )
    workflow.initialize()
    assert not workflow.check_properties()
    workflow.run()
    workflow.finalize()
    return workflow


def test_both_stages_run_and_learn(bundle: Path, knees: Path, tmp_path: Path) -> None:
    stages = ["train.json", "train_autoencoder.json"]
    run_stage(bundle, stages, knees, tmp_path, iterations=60, epoch_length=30, batch_size=4)
    run_stage(bundle, ["train.json"], knees, tmp_path, iterations=200, epoch_length=100, batch_size=4, ema_decay=0.9)
    log = [json.loads(line) for line in (tmp_path / "denoiser.jsonl").read_text().splitlines()]
    assert [record["iteration"] for record in log] == [100, 200]
    assert log[1]["loss"] < 0.9 * log[0]["loss"]
    start = str(tmp_path / "model.pt")
    again = {"iterations": 100, "epoch_length": 100, "batch_size": 4, "initial_weights": start, "learning_rate": 1e-9}
    run_stage(bundle, ["train.json"], knees, tmp_path, **again)
    log = [json.loads(line) for line in (tmp_path / "denoiser.jsonl").read_text().splitlines()]
    assert log[2]["loss"] < 0.95 * log[0]["loss"]  # it went on from what was learnt
    state = torch.load(tmp_path / "model.pt", weights_only=True)
    assert {value.dtype for value in state.values() if value.is_floating_point()} == {torch.float16}
    assert state["latent_scale"] != 1
    frozen = torch.load(tmp_path / "autoencoder.pt", weights_only=True)
    for name, value in frozen.items():
        torch.testing.assert_close(state[f"autoencoder.{name}"], value.half())


def test_both_stages_train_on_knees_that_are_simulated_meanwhile(bundle: Path, tmp_path: Path) -> None:
    few = {"knees": 4, "ring": 2, "group": 1, "reuse": 4, "iterations": 8, "epoch_length": 4, "batch_size": 2}
    first = ["train.json", "train_autoencoder.json", "train_on_the_fly.json", "train_autoencoder_on_the_fly.json"]
    run_stage(bundle, first, tmp_path, tmp_path, **few)
    run_stage(bundle, ["train.json", "train_on_the_fly.json"], tmp_path, tmp_path, **few)
    state = torch.load(tmp_path / "model.pt", weights_only=True)
    frozen = torch.load(tmp_path / "autoencoder.pt", weights_only=True)
    for name, value in frozen.items():
        torch.testing.assert_close(state[f"autoencoder.{name}"], value.half())
    assert state["latent_scale"] != 1


def test_a_training_set_hears_of_every_epoch_before_it_is_read() -> None:
    events: list[object] = []

    class Numbers(torch.utils.data.Dataset[int]):
        def set_epoch(self, epoch: int) -> None:
            events.append(f"epoch {epoch}")

        def __len__(self) -> int:
            return 2

        def __getitem__(self, item: int) -> int:
            events.append(item)
            return item

    numbers = Numbers()
    trainer = Engine(lambda engine, batch: None)
    DataEpoch(numbers).attach(trainer)
    trainer.run(torch.utils.data.DataLoader(numbers), max_epochs=3, epoch_length=2)
    assert events == ["epoch 0", 0, 1, "epoch 1", 0, 1, "epoch 2", 0, 1]


def test_crops_depend_on_seed_epoch_and_number_alone(knees: Path) -> None:
    crops = SliceCrops(
        TrainingSlices(knees), size=128, radiograph_share=0.5, scale_radiograph=lambda film: film * 0 + 7
    )
    first = [crops[item] for item in range(40)]
    assert all(crop.shape == (1, 128, 128) for crop in first)
    films = sum(bool((crop == 7).all()) for crop in first)
    assert 10 <= films <= 30
    assert all(torch.equal(crops[item], first[item]) for item in reversed(range(40)))
    crops.set_epoch(1)
    assert not all(torch.equal(crops[item], first[item]) for item in range(40))


def test_a_time_budget_ends_the_run_with_weights(bundle: Path, knees: Path, tmp_path: Path) -> None:
    stages = ["train.json", "train_autoencoder.json"]
    workflow = run_stage(bundle, stages, knees, tmp_path, iterations=10_000, batch_size=2, minutes=1 / 60)
    assert 0 < workflow.parser.get_parsed_content("train#trainer").state.iteration < 10_000
    assert (tmp_path / "autoencoder.pt").is_file()


def test_autoencoder_loss_is_equation_6_plus_kl() -> None:
    image = torch.zeros(2, 1, 8, 8)
    reconstruction, kl = image + 0.5, torch.tensor([64.0, 64.0])
    assert float(AutoencoderLoss(kl_weight=0.0)((reconstruction, kl), image)) == pytest.approx(0.25)
    assert float(AutoencoderLoss(kl_weight=1.0)((image, kl), image)) == pytest.approx(64.0)


def batch(count: int = 512) -> dict[str, Tensor]:
    features = torch.zeros(count, sum(GROUPS))
    features[:, torch.tensor([0, *GROUPS[:-1]]).cumsum(0)] = 1  # every feature known, grade 0
    lesions = torch.zeros(count, 1, 8, 8)
    lesions[:, :, 0, 0] = 1
    return {
        "latent": torch.randn(count, 4, 8, 8),
        "radiograph": torch.zeros(count, 1, 1, 1),
        "radiograph_latent": torch.ones(count, 4, 8, 8),
        "features": features,
        "depth": torch.zeros(count),
        "lesions": lesions,
    }


def test_condition_dropout_has_the_stated_rates(tiny_network: SliceDiffusion) -> None:
    diffusion = ForwardDiffusion(tiny_network, GROUPS, drop_condition=0.2, drop_features=0.25, drop_feature=0.1)
    _, _, (t, _, _, _, features, keep), _ = diffusion(batch(4000))
    assert float(1 - keep.mean()) == pytest.approx(0.2, abs=0.03)
    assert float((features.sum(dim=1) == 0).float().mean()) == pytest.approx(0.25, abs=0.03)
    assert float(features.sum(dim=1).mean() / 19) == pytest.approx(0.75 * 0.9, abs=0.03)
    assert float((t >= 500).float().mean()) == pytest.approx(0.65, abs=0.03)


def test_lesions_weigh_more_where_their_features_are_given(tiny_network: SliceDiffusion) -> None:
    diffusion = ForwardDiffusion(tiny_network, GROUPS, lesion_weight=8.0, drop_condition=0.5)
    _, (_, weight), (*_, keep), _ = diffusion(batch(64))
    assert weight[:, 0, 0, 0].tolist() == (1 + 8 * keep).tolist()
    assert bool((weight[:, 0, 1:] == 1).all())


def test_the_loss_is_the_weighted_squared_error() -> None:
    weight = torch.tensor([[[[1.0, 3.0]]]])
    loss = WeightedSquaredError()(torch.zeros(1, 2, 1, 2), (torch.full((1, 2, 1, 2), 2.0), weight))
    assert float(loss) == pytest.approx(4 * (1 + 3) / 2)


def test_dropped_knees_see_the_null_condition(tiny_network: SliceDiffusion) -> None:
    """What training shows as dropped is what guidance evaluates as free."""
    denoising = ConditionalDenoising(tiny_network).eval()
    z, t, depth = torch.randn(1, 4, 8, 8), torch.tensor([500]), torch.tensor([0.5])
    film = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        latent = tiny_network.radiograph_latent(film)
        dropped = denoising(z, t, film, latent, depth, torch.ones(1, 61), torch.zeros(1))
        free = tiny_network.bind(tiny_network.null_condition(1), depth, 1.0)(z, t)
        kept = denoising(z, t, film, latent, depth, torch.ones(1, 61), torch.ones(1))
        bound = tiny_network.bind(tiny_network.condition(film, torch.ones(1, 61)), depth, 1.0)(z, t)
    torch.testing.assert_close(dropped, free)
    torch.testing.assert_close(kept, bound)


def test_averaged_weights_follow_and_are_what_is_written(tiny_network: SliceDiffusion, tmp_path: Path) -> None:
    denoising = ConditionalDenoising(tiny_network)
    average = AveragedWeights(denoising, tiny_network, tmp_path / "model.pt", decay=0.5, interval=1)
    name, parameter = next(iter(denoising.named_parameters()))
    before = parameter.detach().clone()
    with torch.no_grad():
        parameter += 1
    average.update()  # decay (1 + 1) / (10 + 1)
    torch.testing.assert_close(average.average[name], before + 1 - 2 / 11)
    average.write()
    written = torch.load(tmp_path / "model.pt", weights_only=True)
    torch.testing.assert_close(written[name].float(), average.average[name].half().float())
    torch.testing.assert_close(parameter, before + 1)


def test_the_learning_rate_rises_then_falls() -> None:
    factor = warm_up_and_decay(10, 100)
    assert factor(0) == pytest.approx(0.1)
    assert max(range(100), key=factor) == 9
    assert factor(100) == pytest.approx(0.05)
