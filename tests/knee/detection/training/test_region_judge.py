"""Training of the region judge: what it is shown, and the command from folders to weights with their record."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from monai_xray2mri.cli import main
from monai_xray2mri.knee.detection.likeness import shipped_judge
from monai_xray2mri.knee.detection.networks.region_judge import JUDGED_SIZE, RegionJudge
from monai_xray2mri.knee.detection.training.crops import CROP_SIZE, GradedCrops
from monai_xray2mri.knee.detection.training.films import FIRST_TRAINING, Film
from monai_xray2mri.knee.detection.training.judge_pictures import Pictures, cut_shafts, random_part
from monai_xray2mri.knee.detection.training.region_judge import (
    EXACT,
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
    crops[:, 100:, 125:140] = 220
    return (crops + random.normal(0, 6, crops.shape)).clip(0, 255).astype(np.uint8)


def film_of(joint: tuple[float, float]) -> Film:
    """A film of noise with the joint at a place in mm."""
    pixels = np.random.default_rng(0).integers(0, 255, (350, 430)).astype(np.uint8)
    return Film(pixels, (joint,), ("knee",))


@pytest.fixture
def pictures() -> Pictures:
    others = [np.random.default_rng(2).random((50, 80)).astype(np.float32)]
    real = GradedCrops(knees_of(30), np.arange(30) % 5, tuple(map(str, range(30))))
    return Pictures(real, knees_of(10, seed=1), cut_shafts([film_of((175.0, 200.0))]), others, seed=3)


def test_half_of_a_batch_are_knees_of_either_side(pictures: Pictures) -> None:
    views, is_knee, is_right = pictures.batch(0)
    assert views.shape == (56, 1, JUDGED_SIZE, JUDGED_SIZE) and views.isfinite().all()
    assert is_knee.tolist() == [1] * 28 + [0] * 28 and len(is_right) == 28
    shown = [pictures.batch(step) for step in range(3)]
    right = [
        views[:28, :, 45:, 48:58].mean((1, 2, 3)) > views[:28, :, 45:, 6:16].mean((1, 2, 3)) for views, _, _ in shown
    ]
    told = torch.cat([side for _, _, side in shown])
    assert (torch.cat(right).float() == told).float().mean() > 0.9  # the third bone lies where the side says


def test_shafts_are_parts_away_from_the_joint() -> None:
    assert cut_shafts([film_of((175.0, 200.0))]).shape == (2, CROP_SIZE, CROP_SIZE)
    assert len(cut_shafts([film_of((80.0, 200.0))])) == 1  # above the joint is no film any more
    assert len(cut_shafts([])) == 0


def test_severe_grades_are_shown_more_often_than_they_occur(pictures: Pictures) -> None:
    shown = pictures._real(4000)[:, 0, 100, 100]
    by_grade = [pictures.real[grade::5, 0, 100, 100] for grade in (0, 4)]
    often = [float(torch.isin(shown, values).float().mean()) for values in by_grade]
    assert often[1] > 2 * often[0]


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


def test_the_command_writes_weights_and_what_they_reach(tmp_path: Path) -> None:
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
    folders = {"--real": "real", "--films": "films", "--other": "seen", "--unseen": "unseen"}
    named = [part for option, name in folders.items() for part in (option, str(tmp_path / name))]
    call = ["train-part", "judge", *named, "--real", str(tmp_path / "real"), "--simulated", "1", "--iterations", "4"]
    assert main([*call, "--output", str(tmp_path / "region.pt")]) == 0
    network = RegionJudge()
    network.load_state_dict(torch.load(tmp_path / "region.pt", weights_only=True))
    record = json.loads((tmp_path / "region.json").read_text())
    assert (record["iterations"], record["crops"], record["simulated"], record["shafts"]) == (4, 16, 1, 2)
    assert record["judged"]["validation 2"]["crops"] == 4
    assert record["judged"]["parts of unseen pictures"]["crops"] == 400

    assert main([*call, "--refit", "--output", str(tmp_path / "again.pt")]) == 0
    again, shipped = torch.load(tmp_path / "again.pt", weights_only=True), shipped_judge().state_dict()
    kept = {name: torch.equal(value.float(), shipped[name]) for name, value in again.items()}
    assert {name for name, equal in kept.items() if not equal} == set(EXACT)
