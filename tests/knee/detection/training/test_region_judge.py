"""Training of the region judge: what it is shown, and the command from folders to weights with their record."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from monai_xray2mri.cli import main
from monai_xray2mri.knee.detection.networks.region_judge import JUDGED_SIZE, RegionJudge
from monai_xray2mri.knee.detection.training.crops import CROP_SIZE
from monai_xray2mri.knee.detection.training.films import FIRST_TRAINING, Film
from monai_xray2mri.knee.detection.training.judge_pictures import Pictures, cut_shafts, random_part
from monai_xray2mri.knee.detection.training.region_judge import (
    acceptance,
    describe,
    fit_known_knees,
    make_training,
)
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION


def knees_of(count: int, seed: int = 0) -> np.ndarray:
    """[N,160,160] uint8: two bright bones, one above the other, a third one to the right, and noise."""
    random = np.random.default_rng(seed)
    crops = np.full((count, CROP_SIZE, CROP_SIZE), 60.0)
    crops[:, :72, 40:120] = crops[:, 80:, 45:115] = 180
    crops[:, 100:, 125:140] = 140
    return (crops + random.normal(0, 6, crops.shape)).clip(0, 255).astype(np.uint8)


def film_of(joint: tuple[float, float]) -> Film:
    """A film of noise with the joint at a place in mm."""
    pixels = np.random.default_rng(0).integers(0, 255, (350, 430)).astype(np.uint8)
    return Film(pixels, (joint,), ("knee",))


@pytest.fixture
def pictures() -> Pictures:
    others = [np.random.default_rng(2).random((50, 80)).astype(np.float32)]
    return Pictures(knees_of(30), knees_of(10, seed=1), cut_shafts([film_of((175.0, 200.0))]), others, seed=3)


def test_half_of_a_batch_are_knees_of_either_side(pictures: Pictures) -> None:
    views, is_knee, is_right = pictures.batch(0)
    assert views.shape == (56, 1, JUDGED_SIZE, JUDGED_SIZE) and views.isfinite().all()
    assert is_knee.tolist() == [1] * 28 + [0] * 28 and len(is_right) == 28
    right = views[:28, :, 45:, 48:58].mean(dim=(1, 2, 3)) > views[:28, :, 45:, 6:16].mean(dim=(1, 2, 3))
    assert (right.float() == is_right).float().mean() > 0.9  # the third bone lies where the side says


def test_shafts_are_parts_away_from_the_joint() -> None:
    assert cut_shafts([film_of((175.0, 200.0))]).shape == (2, CROP_SIZE, CROP_SIZE)
    assert len(cut_shafts([film_of((80.0, 200.0))])) == 1  # above the joint is no film any more


def test_parts_of_pictures_are_square_and_differ() -> None:
    random, picture = np.random.default_rng(0), np.linspace(0, 1, 6000, dtype=np.float32).reshape(60, 100)
    parts = [random_part([picture], random) for _ in range(20)]
    assert all(part.shape[0] == part.shape[1] <= 60 and -1 <= part.min() <= part.max() <= 1 for part in parts)
    assert len({part.shape for part in parts}) > 5


def test_it_learns_knees_and_their_side_by_heart(pictures: Pictures) -> None:
    training = make_training(pictures, 40)
    losses = [training.advance() for _ in range(40)]
    network = training.average
    fit_known_knees(network, pictures)
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])
    known, upside_down = knees_of(20, seed=9), knees_of(20, seed=9)[:, ::-1]
    assert acceptance(network, known)["side right"] == 1
    distances = [
        float(network.distance(describe(network, torch.from_numpy(crops / 127.5 - 1.0).float()[:, None])).median())
        for crops in (known, upside_down.copy())
    ]
    assert distances[0] < distances[1]


def test_a_resumed_training_gives_the_same_weights(pictures: Pictures, tmp_path: Path) -> None:
    whole, parts = make_training(pictures, 3), make_training(pictures, 3)
    assert whole.run(tmp_path / "whole.pt")
    assert not make_training(pictures, 3).run(tmp_path / "parts.pt", minutes=0)
    assert parts.run(tmp_path / "parts.pt")
    for training in (whole, parts):
        fit_known_knees(training.average, pictures)
    one, same = whole.average.state_dict(), parts.average.state_dict()
    assert all(torch.equal(one[name], same[name]) for name in one)


def test_the_command_writes_weights_and_what_they_reach(tmp_path: Path, knees: Path) -> None:
    for split, count in (("train", 8), ("val", 4)):
        for number, crop in enumerate(knees_of(count, seed=count)):
            side = "RL"[number % 2]
            folder = tmp_path / "real" / split / str(number % 5)
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(crop if side == "R" else crop[:, ::-1]).save(folder / f"{9000000 + number}{side}.png")
    film = film_of((175.0, 200.0))
    (tmp_path / "films").mkdir()
    np.savez(
        tmp_path / "films" / f"{SIMULATOR_VERSION}-{FIRST_TRAINING}.npz",
        pixels=film.pixels[None], joints=[film.joints], kinds=[film.kinds],
    )  # fmt: skip
    for name in ("seen", "unseen"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.random.default_rng(len(name)).integers(0, 255, (90, 70)).astype(np.uint8)).save(
            tmp_path / name / "other.png"
        )
    folders = {"--real": "real", "--films": "films", "--other": "seen", "--unseen": "unseen", "--output": "region.pt"}
    named = [part for option, name in folders.items() for part in (option, str(tmp_path / name))]
    call = ["train-part", "judge", *named, "--knees", str(knees), "--crops", "6", "--iterations", "4"]
    assert main(call) == 0
    network = RegionJudge()
    network.load_state_dict(torch.load(tmp_path / "region.pt", weights_only=True))
    record = json.loads((tmp_path / "region.json").read_text())
    assert (record["iterations"], record["crops"], record["simulated"], record["shafts"]) == (4, 6, 2, 2)
    assert record["judged"]["validation"]["crops"] == 4 and record["judged"]["parts of unseen pictures"]["crops"] == 400
