"""Training of the foot segmenter: what its scenes show, and that a run is written whole."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from monai_xray2mri.errors import UsageError
from monai_xray2mri.photograph.foot.segmenter import KINDS, FootSegmenter
from monai_xray2mri.photograph.foot.training import scenes as module
from monai_xray2mri.photograph.foot.training import segmenter as training
from monai_xray2mri.simulation.foot.foot import WholeFoot

SIZE = 256


def plain_foot(seed: int) -> WholeFoot:
    """An egg on a floor, which costs nothing."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:SIZE, 0:SIZE]
    radius = np.hypot((rows - 128) / 90, (columns - 128) / (38 + 12 * (rows < 100)))
    outline = (radius < 1).astype(np.float32)
    color = np.where(outline > 0, 0.7, 0.3)[None] * random.uniform(0.8, 1.2, (3, 1, 1)) * np.ones((3, SIZE, SIZE))
    return WholeFoot(color.astype(np.float32), outline, {"heel": (200.0, 128.0)}, 0.7, np.eye(3))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_DRAWN", 2)
    monkeypatch.setattr(training, "judge", partial(training.judge, number=8))


def test_every_kind_is_shown_from_far_and_from_near(few: None) -> None:
    films = np.full((1, SIZE, SIZE), 90, np.uint8)
    drawn = module.Scenes([plain_foot(0)], films)
    shares: dict[int, list[float]] = {}
    for number in range(240):
        scene = drawn.scene(number)
        if (kinds := scene.kinds[scene.kinds >= 0]).size:
            shares.setdefault(int(np.bincount(kinds).argmax()), []).append(float((scene.limb > 0.5).mean()))
    assert sorted(shares) == list(range(len(KINDS)))
    for kind in (module.FOOT, module.HAND, module.SOLE, module.COVERED, module.SIDE):
        assert min(shares[kind]) < 0.2 and max(shares[kind]) > 0.45, KINDS[kind]


def test_a_scene_follows_from_its_number(few: None) -> None:
    first, again = (module.Scenes([plain_foot(0)], np.empty((0, SIZE, SIZE), np.uint8)) for _ in range(2))
    for number in (0, 7, 5000):
        np.testing.assert_array_equal(first.scene(number).picture, again.scene(number).picture)
    assert (first.scene(0).picture != first.scene(1).picture).any()


def test_a_small_limb_counts_as_much_as_a_large_one() -> None:
    torch.manual_seed(0)
    network = FootSegmenter()
    kinds = torch.full((2, 16, 16), -1)
    kinds[0, :2, :2], kinds[1, 2:, :] = 1, 0
    pictures, limbs = torch.rand(2, 3, 64, 64), torch.zeros(2, 1, 64, 64)
    together = training.loss_of_batch(network, (pictures, limbs, kinds))
    alone = [training.loss_of_batch(network, (pictures[k : k + 1], limbs[k : k + 1], kinds[k : k + 1])) for k in (0, 1)]
    assert together.item() == pytest.approx(sum(each.item() for each in alone) / 2, rel=0.02)


def test_a_run_writes_weights_with_the_mean_outline_and_what_they_reach(few: None, tmp_path: Path) -> None:
    output = tmp_path / "segmenter.pt"
    arguments = {"feet": 2, "films_folder": None, "run": lambda _, seeds: map(plain_foot, seeds)}
    assert not training.train_from_simulation(output, iterations=2, minutes=0.0, **arguments)
    assert not output.exists()
    assert training.train_from_simulation(output, iterations=2, **arguments)
    network = FootSegmenter()
    network.load_state_dict(torch.load(output, weights_only=True))
    assert 0.1 < float(network.template.mean()) < 0.8
    record = json.loads(output.with_suffix(".json").read_text())
    assert (record["iterations"], record["feet"], record["judged"]["scenes"]) == (2, 2, 8)
    assert all(sum(taken.values()) == pytest.approx(1, abs=0.01) for taken in record["judged"]["taken_for"].values())
    with pytest.raises(UsageError, match="same settings"):
        training.train_from_simulation(output, iterations=3, **arguments)
