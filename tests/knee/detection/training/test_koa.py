"""Training of the classifier on small crops drawn for the test: learning, resumption, calibration."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from monai_xray2mri.cli import main
from monai_xray2mri.errors import InputRefused, UsageError, WeightsError
from monai_xray2mri.knee.detection.networks.koa_classifier import KOAClassifier, graded_part
from monai_xray2mri.knee.detection.training.crops import CROP_SIZE, GradedCrops, load_public_crops, simulated_crops
from monai_xray2mri.knee.detection.training.imagenet import FROZEN, _names, pretrained_classifier
from monai_xray2mri.knee.detection.training.koa import (
    GradedBatches,
    KOATraining,
    fit_temperature,
    ordinal_loss,
    plain_views,
    ranked_probability_score,
    vary_views,
)
from monai_xray2mri.training.small_networks import Recipe


def drawn_crops(count: int, first: int = 0) -> GradedCrops:
    """Crops with a dark band between two bones, as wide as the grade says."""
    random = np.random.default_rng(first)
    images = random.integers(90, 110, (count, CROP_SIZE, CROP_SIZE))
    grades = np.arange(count) % 5
    for image, grade in zip(images, grades, strict=True):
        image[88 - 4 * grade : 92 + 4 * grade] -= 80
    return GradedCrops(images.astype(np.uint8), grades, tuple(str(first + n) for n in range(count)))


def test_the_ranked_probability_score_counts_steps() -> None:
    certain = torch.eye(5)
    grades = torch.full((5,), 2)
    found = [float(ranked_probability_score(certain[k : k + 1], grades[:1])) for k in range(5)]
    assert found == [2, 1, 0, 1, 2]


def test_the_loss_is_least_for_the_true_distribution() -> None:
    truth = torch.tensor([0.5, 0.3, 0.1, 0.1, 0.0])
    grades = torch.tensor([0] * 5 + [1] * 3 + [2, 3])
    logits = truth.clamp(min=1e-6).log().expand(10, 5).clone().requires_grad_(True)
    ordinal_loss(logits, grades).backward()
    assert logits.grad is not None
    assert logits.grad.sum(dim=0).abs().max() < 1e-4


def test_variation_follows_the_generator_and_keeps_the_side() -> None:
    images = torch.zeros(8, CROP_SIZE, CROP_SIZE, dtype=torch.uint8)
    images[:, :, :40] = 200
    first = vary_views(images, torch.Generator().manual_seed(1))
    assert torch.equal(first, vary_views(images, torch.Generator().manual_seed(1)))
    assert not torch.equal(first, vary_views(images, torch.Generator().manual_seed(2)))
    assert (first[..., :20].mean(dim=(1, 2, 3)) > first[..., 80:].mean(dim=(1, 2, 3))).all()


class SmallClassifier(KOAClassifier):
    """Grades by the mean grey values of a view's rows."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        self.head = torch.nn.Linear(24, 5)
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, view: torch.Tensor) -> torch.Tensor:
        return self.head(torch.nn.functional.adaptive_avg_pool2d(view, (24, 1)).flatten(1))


def make_training(epochs: int) -> KOATraining:
    recipe = Recipe(2 * epochs, learning_rate=3e-2, weight_decay=0.02, averaging=0.5, largest_gradient=1.0, interval=2)
    batches = GradedBatches(drawn_crops(40), size=20)
    return KOATraining(batches, drawn_crops(10, first=100), recipe, SmallClassifier)


def test_it_learns_what_the_grades_look_like_and_resumes_bit_by_bit(tmp_path: Path) -> None:
    whole = make_training(12)
    assert whole.train(tmp_path / "whole.pt")
    records = [json.loads(line) for line in (tmp_path / "whole.jsonl").read_text().splitlines()]
    assert [record["iteration"] for record in records] == list(range(2, 25, 2))
    assert records[-1]["loss"] < 0.9 * records[0]["loss"]

    assert not make_training(12).train(tmp_path / "parts.pt", minutes=0)
    again = make_training(12)
    assert again.train(tmp_path / "parts.pt")
    assert again.step == whole.step == 24
    first, second = (torch.load(tmp_path / name, weights_only=True) for name in ("whole.pt", "parts.pt"))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert {value.dtype for value in first.values()} == {torch.float16}

    with pytest.raises(UsageError, match="iterations 24 instead of 26"):
        make_training(13).train(tmp_path / "parts.pt")


def test_every_crop_is_seen_once_in_an_epoch() -> None:
    batches = GradedBatches(drawn_crops(25), size=10)
    assert len(batches) == 3
    grades = torch.cat([batches(step)[1] for step in range(3, 6)])
    assert grades.bincount().tolist() == [5] * 5


def test_nobody_is_trained_on_and_judged() -> None:
    with pytest.raises(UsageError, match="other people"):
        KOATraining(GradedBatches(drawn_crops(10)), drawn_crops(5, first=9), Recipe(2, 1e-3), SmallClassifier)


def test_the_temperature_undoes_overconfidence() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2000, 5)
    grades = torch.distributions.Categorical(logits=logits).sample()
    assert fit_temperature(logits, grades) == pytest.approx(1, abs=0.15)
    assert fit_temperature(3 * logits, grades) == pytest.approx(3, abs=0.45)


def write_crops(folder: Path, names: dict[str, int]) -> None:
    for name, grade in names.items():
        (folder / str(grade)).mkdir(parents=True, exist_ok=True)
        ramp = np.tile(np.linspace(0, 250, 224), (224, 1)).astype(np.uint8)
        Image.fromarray(ramp if name.endswith("R") else ramp[:, ::-1]).save(folder / str(grade) / f"{name}.png")


def test_public_crops_are_read_as_right_knees_with_grade_and_person(tmp_path: Path) -> None:
    write_crops(tmp_path, {"12R": 0, "12L": 3, "13R": 4})
    crops = load_public_crops(tmp_path)
    assert crops.grades.tolist() == [0, 3, 4]
    assert crops.people == ("12", "12", "13")
    assert np.abs(crops.images[0].astype(int) - crops.images[1]).max() <= 1  # the left knee is mirrored
    even, odd = crops.part(0, 2)
    assert (even.people, odd.people) == (("12", "12"), ("13",))
    views = plain_views(torch.from_numpy(crops.images))
    assert views.shape == (3, 1, 192, 192)
    with pytest.raises(InputRefused, match="grade 0 to 4"):
        load_public_crops(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="at least 1"):
        simulated_crops(0)


def photograph_weights(path: Path) -> dict[str, torch.Tensor]:
    """Random weights of the shapes of EfficientNet-Lite0, as its package names them."""
    torch.manual_seed(0)
    state, network = dict[str, torch.Tensor](), KOAClassifier()
    for index, block in enumerate(network.trunk):
        layers = [layer for layer in block.modules() if isinstance(layer, torch.nn.Conv2d)]
        for layer, (convolution, norm) in zip(layers, _names(index), strict=True):
            shape = (32, 3, 3, 3) if index == 0 else layer.weight.shape
            state[f"{convolution}.weight"] = torch.randn(shape) / layer.weight[0].numel() ** 0.5
            state[f"{norm}.weight"], state[f"{norm}.bias"] = (
                torch.rand(len(layer.weight)) + 0.5,
                torch.randn(len(layer.weight)),
            )
    torch.save(state, path)
    return state


def test_the_start_has_the_filters_of_photographs_normalized_for_radiographs(tmp_path: Path) -> None:
    state = photograph_weights(tmp_path / "lite0.pth")
    views = torch.rand(4, 1, 192, 192, generator=torch.Generator().manual_seed(1))
    network = pretrained_classifier(tmp_path / "lite0.pth", [views])
    stem = network.trunk[0]
    with torch.no_grad():
        found = stem[0](graded_part(views))
    torch.testing.assert_close(found.mean((0, 2, 3)), state["_bn0.bias"], atol=1e-3, rtol=0)
    torch.testing.assert_close(found.std((0, 2, 3)), state["_bn0.weight"], atol=0.02, rtol=0.02)
    trained = {name.split(".")[0] for name, weight in network.trunk.named_parameters() if weight.requires_grad}
    assert trained == {str(block) for block in range(FROZEN, len(network.trunk))}
    torch.save({"_fc.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="EfficientNet-Lite0"):
        pretrained_classifier(tmp_path / "other.pth", [views])


def test_the_command_trains_on_folders_of_crops(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photograph_weights(tmp_path / "lite0.pth")
    for folder in ("enhanced", "raw"):
        write_crops(tmp_path / folder / "train", {"1R": 0, "2R": 1, "8L": 4})
    start, one, two, output = (str(tmp_path / name) for name in ("lite0.pth", "enhanced", "raw", "koa.pt"))
    call = ["train-part", "koa", "--start", start, "--real", one, "--real", two, "--simulated", "0", "--epochs", "1"]
    assert main([*call, "--output", output]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record == {"complete": True, "step": 1, "steps": 1, "real": 4, "simulated": 0, "watched": 2}
    assert (tmp_path / "koa.pt").is_file()
