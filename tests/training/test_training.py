"""Both stages of Wang 2024a, Algorithm 1, by the bundle's own configurations."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from ignite.engine import Engine
from monai.bundle import ConfigWorkflow
from PIL import Image
from torch import Tensor

from monai_xray2mri.errors import UsageError
from monai_xray2mri.knee.data.slices import TrainingSlices
from monai_xray2mri.knee.grading.features import FEATURES
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion
from monai_xray2mri.training.autoencoder import AutoencoderLoss, ImageCrops, PrepareAutoencoderBatch
from monai_xray2mri.training.average import AveragedWeights
from monai_xray2mri.training.denoiser import ConditionalDenoising, ForwardDiffusion, WeightedSquaredError
from monai_xray2mri.training.handlers import AutocastInferer
from monai_xray2mri.training.order import DataEpoch
from monai_xray2mri.training.rates import lambda_linear, warm_up_and_decay
from monai_xray2mri.training.weights import scale_latents

GROUPS = [feature.width for feature in FEATURES]
RunStage = Callable[..., ConfigWorkflow]


def test_both_stages_run_learn_and_are_watched(
    run_stage: RunStage, knees: Path, validation_knees: Path, tmp_path: Path
) -> None:
    watched = {"validation_dir": str(validation_knees), "val_interval": 20, "val_slices": 4, "picture_interval": 20}
    first = ["train", "train_autoencoder", "validate", "validate_autoencoder"]
    few = {"iterations": 20, "epoch_length": 15, "batch_size": 4, "val_knees_shown": 1}
    run_stage(first, knees, tmp_path, **few, **watched)
    again = {**few, "iterations": 60, "learning_rate": 3e-3, "log_interval": 20, "val_steps": 2, "ema_decay": 0.9}
    run_stage(["train", "validate"], knees, tmp_path, **again, **watched)
    log = [json.loads(line) for line in (tmp_path / "denoiser.jsonl").read_text().splitlines()]
    assert [record["iteration"] for record in log] == [20, 20, 40, 40, 60, 60]
    assert log[4]["loss"] < 0.9 * log[0]["loss"]
    losses = {record["iteration"]: record["validation_loss"] for record in log if "validation_loss" in record}
    assert min(losses.values()) < losses[20]
    best = json.loads((tmp_path / "model_best.json").read_text())
    assert losses[best["iteration"]] == best["validation_loss"] == min(losses.values())
    assert (tmp_path / "model_best.pt").is_file() and (tmp_path / "autoencoder_best.pt").is_file()
    state = torch.load(tmp_path / "model.pt", weights_only=True)
    assert {value.dtype for value in state.values() if value.is_floating_point()} == {torch.float16}
    assert state["latent_scale"] != 1
    frozen = torch.load(tmp_path / "autoencoder.pt", weights_only=True)
    for name, value in frozen.items():
        torch.testing.assert_close(state[f"autoencoder.{name}"], value.half())
    for folder, steps in (("pictures", (20, 40, 60)), ("autoencoder_pictures", (20,))):
        for step in steps:
            with Image.open(tmp_path / folder / f"{step:08d}.png") as picture:
                assert picture.size == (9 * 256, 2 * 256)


def test_training_goes_on_from_given_weights(run_stage: RunStage, knees: Path, tmp_path: Path) -> None:
    few = {"iterations": 2, "epoch_length": 2, "batch_size": 2, "half": False}
    run_stage(["train", "train_autoencoder"], knees, tmp_path, **few)
    run_stage(["train"], knees, tmp_path, **few)
    start = torch.load(tmp_path / "model.pt", weights_only=True)
    given = {"initial_weights": str(tmp_path / "model.pt"), "learning_rate": 0.0}
    run_stage(["train"], knees, tmp_path / "other", **few, **given)  # and the autoencoder comes with them
    after = torch.load(tmp_path / "other" / "model.pt", weights_only=True)
    for name, value in start.items():
        torch.testing.assert_close(after[name], value)


def test_a_time_budget_ends_the_run_with_weights(run_stage: RunStage, knees: Path, tmp_path: Path) -> None:
    workflow = run_stage(
        ["train", "train_autoencoder"], knees, tmp_path, iterations=10_000, batch_size=2, accumulate=2, minutes=1 / 60
    )
    iteration = workflow.parser.get_parsed_content("train#trainer").state.iteration
    assert 0 < iteration < 10_000 and iteration % 2 == 0  # between two steps
    assert torch.load(tmp_path / "autoencoder_checkpoint.pt", weights_only=True)["step"] == iteration // 2
    assert (tmp_path / "autoencoder.pt").is_file()


def test_tensorboard_is_written_where_it_is_installed(run_stage: RunStage, knees: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    few = {"iterations": 2, "epoch_length": 2, "batch_size": 2, "log_interval": 1}
    run_stage(["train", "train_autoencoder"], knees, tmp_path, **few)
    assert list((tmp_path / "tensorboard" / "autoencoder").glob("events.out.tfevents.*"))


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
    crops = ImageCrops(TrainingSlices(knees), size=128, image_share=0.5, scale_image=lambda film: film * 0 + 7)
    first = [crops[item] for item in range(40)]
    assert all(crop.shape == (1, 128, 128) for crop in first)
    films = sum(bool((crop == 7).all()) for crop in first)
    assert 10 <= films <= 30
    assert all(torch.equal(crops[item], first[item]) for item in reversed(range(40)))
    crops.set_epoch(1)
    assert not all(torch.equal(crops[item], first[item]) for item in range(40))


def test_autoencoder_loss_is_equation_6_plus_kl() -> None:
    image = torch.zeros(2, 1, 8, 8)
    reconstruction, kl = image + 0.5, torch.tensor([64.0, 64.0])
    assert float(AutoencoderLoss(kl_weight=0.0)((reconstruction, kl), image)) == pytest.approx(0.25)
    assert float(AutoencoderLoss(kl_weight=1.0)((image, kl), image)) == pytest.approx(64.0)


def test_the_sampled_latent_of_an_image_has_its_own_generator(tiny_network: SliceDiffusion) -> None:
    images = torch.rand(2, 1, 64, 64)
    torch.manual_seed(1)
    _, _, (generators,), _ = PrepareAutoencoderBatch()(images)
    both, _ = tiny_network.autoencoder(images, generators)
    torch.manual_seed(1)
    _, _, (generators,), _ = PrepareAutoencoderBatch()(images)
    one, _ = tiny_network.autoencoder(images[1:], generators[1:])
    torch.testing.assert_close(both[1:], one)
    other, _ = tiny_network.autoencoder(images[1:], generators[:1])
    assert not torch.allclose(one, other)


def batch(count: int = 512) -> dict[str, Tensor]:
    features = torch.zeros(count, sum(GROUPS))
    features[:, torch.tensor([0, *GROUPS[:-1]]).cumsum(0)] = 1  # every feature known, grade 0
    weight = torch.ones(count, 1, 8, 8)
    weight[:, :, 0, 0] = 9
    return {
        "latent": torch.randn(count, 4, 8, 8),
        "image": torch.zeros(count, 1, 1, 1),
        "image_latent": torch.ones(count, 4, 8, 8),
        "guide": features,
        "place": torch.zeros(count),
        "weight": weight,
    }


def test_condition_dropout_has_the_stated_rates(tiny_network: SliceDiffusion) -> None:
    rates = {"drop_condition": 0.2, "drop_context": 0.1, "drop_latent": 0.15}
    diffusion = ForwardDiffusion(tiny_network, GROUPS, **rates, drop_guide=0.25, drop_group=0.1)
    *_, given = diffusion(batch(4000))
    t, features, keep = given["t"], given["guide"], given["keep"]
    kinds, counts = keep.unique(dim=0, return_counts=True)
    shares = {tuple(kind): float(count) / 4000 for kind, count in zip(kinds.tolist(), counts, strict=True)}
    wanted = {(0, 0, 0): 0.2, (0, 1, 1): 0.1, (1, 0, 1): 0.15, (1, 1, 1): 0.55}
    assert shares == {kind: pytest.approx(share, abs=0.03) for kind, share in wanted.items()}
    assert float((features.sum(dim=1) == 0).float().mean()) == pytest.approx(0.25, abs=0.03)
    assert float(features.sum(dim=1).mean() / 19) == pytest.approx(0.75 * 0.9, abs=0.03)
    assert float((t >= 500).float().mean()) == pytest.approx(0.65, abs=0.03)


def test_the_weight_of_a_batch_counts_where_the_guide_is_given(tiny_network: SliceDiffusion) -> None:
    diffusion = ForwardDiffusion(tiny_network, GROUPS, drop_condition=0.5)
    _, (_, weight), _, given = diffusion(batch(64))
    assert weight[:, 0, 0, 0].tolist() == (1 + 8 * given["keep"][:, 2]).tolist()
    assert bool((weight[:, 0, 1:] == 1).all())


def test_groups_weight_guide_and_place_are_optional(tiny_network: SliceDiffusion) -> None:
    """A batch of images alone trains: nothing is known of the guide, and every number weighs the same."""
    bare = {name: value for name, value in batch(64).items() if name in ("latent", "image", "image_latent")}
    noisy, (target, weight), arguments, given = ForwardDiffusion(tiny_network)(bare)
    assert arguments == () and given["place"].shape == (64, 0)
    assert not given["guide"].any() and bool((weight == 1).all())
    assert WeightedSquaredError()(noisy, (target, weight)) == (noisy - target).square().mean()
    whole = ForwardDiffusion(tiny_network, drop_guide=0.5, drop_condition=0.0)(batch(400))[3]["guide"].sum(dim=1)
    assert set(whole.tolist()) == {0, len(GROUPS)}  # without groups all of a guide is known or unknown together


def test_latents_of_a_batch_are_scaled_by_the_network(tiny_network: SliceDiffusion) -> None:
    tiny_network.latent_scale.fill_(0.25)
    given = batch(8)
    latent, image_latent = ForwardDiffusion(tiny_network).latents(given)
    assert torch.equal(latent, given["latent"] * 0.25) and torch.equal(image_latent, given["image_latent"] * 0.25)
    tiny_network.scale_radiograph_latent = False
    assert torch.equal(ForwardDiffusion(tiny_network).latents(given)[1], given["image_latent"])


def test_the_latent_scale_gives_unit_variance_where_it_is_fitted(tiny_network: SliceDiffusion) -> None:
    assert float(scale_latents(tiny_network, 4.0).latent_scale) == 0.25
    assert float(scale_latents(tiny_network, None).latent_scale) == 0.25


def test_the_loss_is_the_weighted_squared_error() -> None:
    weight = torch.tensor([[[[1.0, 3.0]]]])
    loss = WeightedSquaredError()(torch.zeros(1, 2, 1, 2), (torch.full((1, 2, 1, 2), 2.0), weight))
    assert float(loss) == pytest.approx(4 * (1 + 3) / 2)


def test_dropped_knees_see_the_null_condition(tiny_network: SliceDiffusion) -> None:
    """What training shows as dropped is what guidance evaluates as free."""
    denoising = ConditionalDenoising(tiny_network).eval()
    z, t, depth = torch.randn(1, 4, 8, 8), torch.tensor([500]), torch.tensor([0.5])
    film = torch.rand(1, 1, 64, 64)

    def predicted(*keep: float) -> Tensor:
        latent, kept = tiny_network.image_latent(film), torch.tensor([keep])
        guide = torch.ones(1, 61)
        return denoising(z, t=t, image=film, image_latent=latent, place=depth, guide=guide, keep=kept)

    with torch.no_grad():
        free = tiny_network.bind(tiny_network.null_condition(1), depth, 1.0)(z, t)
        condition = tiny_network.condition(film, torch.ones(1, 61))
        bound = tiny_network.bind(condition, depth, 1.0)(z, t)
        without = condition._replace(context=tiny_network.null_context)
        torch.testing.assert_close(predicted(0, 1, 1), tiny_network.bind(without, depth, 1.0)(z, t))
        torch.testing.assert_close(predicted(0, 0, 0), free)
        torch.testing.assert_close(predicted(1, 1, 1), bound)


def test_what_is_trained_has_the_names_of_the_network(tiny_network: SliceDiffusion) -> None:
    """So that a checkpoint of a run and the weights that it leaves name a tensor alike."""
    trained, whole = ConditionalDenoising(tiny_network).state_dict(), tiny_network.state_dict()
    assert {name.partition(".")[0] for name in trained} == {"denoiser", "radiograph_encoder"}
    assert trained.keys() <= whole.keys()


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


def test_the_papers_learning_rate_rises_and_stays() -> None:
    factor = lambda_linear(100, 1000)
    assert factor(0) == pytest.approx(1e-6)
    assert factor(50) == pytest.approx(0.5, abs=1e-5)
    assert factor(100) == factor(999) == 1


def test_half_precision_without_a_scaler_is_refused() -> None:
    with pytest.raises(UsageError, match="needs CUDA"):
        AutocastInferer("cpu", torch.float16)
