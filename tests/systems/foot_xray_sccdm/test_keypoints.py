"""The keypoint detector with its shipped weights: where it finds points, and when it is not sure."""

from __future__ import annotations

import json
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import torch

from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.simulation.foot.foot import SimulatedFoot, simulate_foot
from monai_xray2mri.simulation.foot.people import SEED_RANGES
from monai_xray2mri.simulation.foot.skeleton import KEYPOINTS
from monai_xray2mri.systems.foot_xray_sccdm.keypoints import training
from monai_xray2mri.systems.foot_xray_sccdm.keypoints.broken import BONES_OF, lost, without
from monai_xray2mri.systems.foot_xray_sccdm.keypoints.completeness import TAU, keypoint_completeness
from monai_xray2mri.systems.foot_xray_sccdm.keypoints.detector import find_all_keypoints, find_keypoints
from monai_xray2mri.systems.foot_xray_sccdm.keypoints.network import KeypointNetwork
from monai_xray2mri.systems.foot_xray_sccdm.keypoints.training import Film, FilmBatches, spoil

FEET = 3


@cache
def foot(number: int = 0) -> SimulatedFoot:
    """A foot of the test range, which no detector was trained or calibrated on."""
    return simulate_foot(SEED_RANGES["test"][number])


def film(number: int = 0) -> Film:
    known = foot(number)
    photograph = known.cut_out.mean(0)
    return Film(known.radiograph, photograph, known.bones, known.keypoints.astype(np.float32), known.pixel_mm)


def test_points_of_true_radiographs_are_found_within_a_millimetre() -> None:
    found = find_all_keypoints([foot(number).radiograph for number in range(FEET)])
    errors = [
        foot(number).pixel_mm * np.hypot(*(each.points - foot(number).keypoints).T) for number, each in enumerate(found)
    ]
    assert float(np.median(errors)) <= 1.0
    for number, each in enumerate(found):
        assert keypoint_completeness(each.confidence) > TAU
        hallux, metatarsal = each.angles
        assert hallux == pytest.approx(foot(number).hallux_valgus, abs=5)
        assert metatarsal == pytest.approx(foot(number).intermetatarsal, abs=4)


def test_it_is_not_sure_where_there_are_no_bones() -> None:
    random = np.random.default_rng(0)
    every = np.logical_or.reduce(list(foot().bones.values()))
    for image in (film().photograph, random.random((256, 256)), without(foot().radiograph, every, every)):
        assert keypoint_completeness(find_keypoints(image.astype(np.float32)).confidence) < 0.1


def test_a_bone_that_is_missing_takes_the_confidence_of_its_points_alone() -> None:
    every = np.logical_or.reduce(list(foot().bones.values()))
    gone = foot().bones["metatarsal 5"]
    before = find_keypoints(foot().radiograph).confidence
    after = find_keypoints(without(foot().radiograph, gone, every)).confidence
    own = lost(foot().bones, gone)
    assert [name for name, is_lost in zip(KEYPOINTS, own, strict=True) if is_lost] == [
        "metatarsal 5 head", "metatarsal 5 base"
    ]  # fmt: skip
    assert after[own].max() < 0.5 < before[own].min()
    assert np.median(np.abs(after - before)[~own]) < 0.1


def test_a_radiograph_of_another_size_has_its_points_in_its_own_pixels() -> None:
    large = np.kron(foot().radiograph, np.ones((2, 2), np.float32))
    points = find_keypoints(foot().radiograph).points
    assert np.abs(find_keypoints(large).points - (2 * points + 0.5)).max() < 1.0


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((256, 255), np.float32), "square"), (np.zeros((32, 32), np.float32), "square"),
        (np.full((256, 256), 1.5, np.float32), r"\[0,1\]"), (np.full((256, 256), np.nan, np.float32), r"\[0,1\]"),
    ],
)  # fmt: skip
def test_what_is_no_radiograph_is_refused(image: np.ndarray, words: str) -> None:
    with pytest.raises(InputRefused, match=words):
        find_keypoints(image)


def test_completeness_is_equation_12_with_all_ten_points() -> None:
    confidence = np.array([0.9] * 5 + [0.65] + [0.6] * 4)
    assert keypoint_completeness(confidence) == pytest.approx(confidence.mean() * 0.6)
    assert keypoint_completeness(np.full(10, 0.64)) == 0
    assert keypoint_completeness(np.array([1.0] + [0.0] * 9)) == pytest.approx(0.01)  # one point alone earns no 1


@pytest.mark.parametrize(("way", "fewest", "most"), [(0, 0, 9), (1, 0, 0), (2, 0, 0), (3, 10, 10), (4, 0, 9)])
def test_spoiled_films_tell_which_points_are_to_be_seen(way: int, fewest: int, most: int) -> None:
    random = np.random.default_rng(way)
    image, points, seen = spoil(film(), [film(1)], random, way)
    assert image.shape == (256, 256) and 0 <= image.min() <= image.max() <= 1
    assert points.shape == (len(BONES_OF), 2) and fewest <= seen.sum() <= most
    assert not np.array_equal(image, film().radiograph)


def test_a_batch_follows_from_its_number() -> None:
    source = FilmBatches([film(), film(1)], seed=3)
    for first, again, other in zip(source.batch(4), source.batch(4), source.batch(5), strict=True):
        assert (first == again).all()
        assert first.shape == other.shape
    assert (source.batch(4)[0] != source.batch(5)[0]).any()


def test_a_run_writes_weights_and_what_they_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "read_films", lambda folder, split: [film(number % FEET) for number in range(4)])
    monkeypatch.setattr(training, "calibration", partial(training.calibration, batches=1))
    output = tmp_path / "keypoints.pt"
    assert not training.train_from_feet(tmp_path, tmp_path, output, iterations=2, minutes=0.0)
    assert not output.exists()
    assert training.train_from_feet(tmp_path, tmp_path, output, iterations=2)
    network = KeypointNetwork()
    network.load_state_dict(torch.load(output, weights_only=True))
    found = find_keypoints(foot().radiograph, network)
    assert found.points.shape == (10, 2) and not np.array_equal(found.points, find_keypoints(foot().radiograph).points)
    record = json.loads(output.with_suffix(".json").read_text())
    assert (record["iterations"], record["feet"], record["judged"]["feet"]) == (2, 4, 3)
    assert set(record["judged"]["keypoint_completeness"]) == {"true", "photographs", "without bones", "blurred"}


def test_a_folder_without_simulated_feet_of_the_range_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="must hold simulated feet"):
        training.read_films(tmp_path, "training")
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "truth.json").write_text(json.dumps({"seed": SEED_RANGES["test"][0]}))
    with pytest.raises(UsageError, match="training range"):
        training.read_films(tmp_path, "training")
