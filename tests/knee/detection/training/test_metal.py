"""Training of the network that looks for metal: what is drawn and shown, and the command from folders to weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from monai_xray2mri.cli import main
from monai_xray2mri.knee.detection.networks.metal_map import CELLS, METAL_SIZE, MetalMap
from monai_xray2mri.knee.detection.training.crops import CROP_SIZE, GradedCrops
from monai_xray2mri.knee.detection.training.drawn_metal import KINDS, draw_marker, draw_metal
from monai_xray2mri.knee.detection.training.metal import WITH_METAL, MetalPictures, make_training


def knees_of(count: int, seed: int = 0) -> np.ndarray:
    """[N,160,160] uint8: two bones, one above the other, and noise."""
    random = np.random.default_rng(seed)
    crops = np.full((count, CROP_SIZE, CROP_SIZE), 60.0)
    crops[:, :86, 40:120] = crops[:, 94:, 45:115] = 150
    return (crops + random.normal(0, 6, crops.shape)).clip(0, 255).astype(np.uint8)


@pytest.fixture
def pictures() -> MetalPictures:
    real = GradedCrops(knees_of(30), np.arange(30) % 5, tuple(map(str, range(30))))
    return MetalPictures(real, knees_of(3, seed=2), seed=3)


@pytest.mark.parametrize("kind", KINDS)
def test_drawn_metal_is_bright_where_it_is_and_the_knee_remains_elsewhere(kind: str) -> None:
    crop = knees_of(1)[0] / np.float32(127.5) - 1
    drawn, share = draw_metal(crop, np.random.default_rng(1), kind)
    assert drawn.dtype == share.dtype == np.float32 and (share.min(), drawn.min() >= -1) == (0, True)
    metal, free = drawn[share > 0.9], share == 0
    assert 0.002 < (share > 0.5).mean() < 0.6
    assert metal.mean() > np.percentile(drawn[free], 95)
    assert np.corrcoef(drawn[free], crop[free])[0, 1] > 0.95
    assert np.array_equal(draw_metal(crop, np.random.default_rng(1), kind)[0], drawn)


def test_a_marker_is_bright_and_beside_the_knee() -> None:
    crop = np.full((CROP_SIZE, CROP_SIZE), -0.5, np.float32)
    for seed in range(5):
        marked = draw_marker(crop, np.random.default_rng(seed)) - crop
        assert marked.min() == 0 and marked.max() > 0.5
        assert np.ptp(np.nonzero(marked > 0.3)[1]) < CROP_SIZE / 2


def test_half_of_a_batch_has_metal_and_of_real_metal_no_cell_counts(pictures: MetalPictures) -> None:
    views, shares = pictures.batch(0)
    assert views.shape == (32, 1, METAL_SIZE, METAL_SIZE) and shares.shape == (32, 1, CELLS, CELLS)
    assert views.isfinite().all() and views.min() == -1 and views.max() == 1
    assert shares[:16].max() == 0 and (shares[16:28].amax((1, 2, 3)) > 0.3).float().mean() > 0.8
    assert ((shares[28:] > 0.02) & (shares[28:] < 0.3)).all()
    again, _ = pictures.batch(0)
    assert torch.equal(views, again) and not torch.equal(views, pictures.batch(1)[0])


def test_severe_grades_are_shown_more_often_than_they_occur(pictures: MetalPictures) -> None:
    shown = [pictures._knee(metal=False)[0] for _ in range(200)]
    severe = {crop.tobytes() for crop in pictures.real.images[pictures.real.grades >= 3]}
    stored = [np.rint((crop + 1) * 127.5).astype(np.uint8) for crop in shown]
    often = np.mean([any(one.tobytes() in severe for one in (crop, crop[:, ::-1])) for crop in stored])
    assert often > 0.5  # two of five grades


def test_it_learns(pictures: MetalPictures) -> None:
    training = make_training(pictures, 8)
    losses = [training.advance() for _ in range(8)]
    assert np.mean(losses[-3:]) < 0.95 * np.mean(losses[:3])


def test_the_command_goes_on_and_writes_weights_and_what_they_reach(tmp_path: Path) -> None:
    known = sorted(WITH_METAL)[0]
    for split, names in (("train", ["9000001R", "9000002L", known]), ("val", ["9000003R", "9000004L"])):
        for number, (name, crop) in enumerate(zip(names, knees_of(3), strict=False)):
            folder = tmp_path / "real" / split / str(4 * (number % 2))
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(crop).save(folder / f"{name}.png")
    call = ["train-part", "metal", "--real", str(tmp_path / "real"), "--iterations", "2", "--output"]
    assert main([*call, str(tmp_path / "metal.pt"), "--minutes", "0"]) == 0 and not (tmp_path / "metal.pt").exists()
    assert main([*call, str(tmp_path / "metal.pt")]) == 0
    MetalMap().load_state_dict(torch.load(tmp_path / "metal.pt", weights_only=True))
    record = json.loads((tmp_path / "metal.json").read_text())
    assert (record["iterations"], record["natural crops"], record["crops with metal"]) == (2, 2, 1)
    assert set(record["judged"]) >= {"validation 1", "validation 1, grade 4", *(f"drawn: {kind}" for kind in KINDS)}
    assert record["judged"]["validation 1"]["crops"] == 2
