"""Slices of stored sets: contents, boxes, loaders, refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from monai_xray2mri.errors import ExitCode, InputRefused, UsageError
from monai_xray2mri.knee.data.arrays import KneeStore
from monai_xray2mri.knee.data.jitter import NO_JITTER, BoxJitter
from monai_xray2mri.knee.data.slices import TrainingSlices, ValidationSlices, require_split
from monai_xray2mri.knee.grading.features import one_hot
from monai_xray2mri.radiograph.knee.region import normalize_region
from monai_xray2mri.simulation.knee.knee import SimulatedKnee
from monai_xray2mri.simulation.knee.people.seeds import (
    CALIBRATION,
    LESION_ENRICHED,
    SEED_RANGES,
    SHIFTED,
    TEST,
    VALIDATION,
)


def collected(slices: Any, **options: Any) -> list[dict[str, Tensor]]:
    return list(DataLoader(slices, batch_size=8, sampler=range(0, len(slices), 7), **options))


def assert_same(one: list[dict[str, Tensor]], other: list[dict[str, Tensor]]) -> None:
    assert len(one) == len(other) > 0
    for left, right in zip(one, other, strict=True):
        assert left.keys() == right.keys()
        for name in left:
            assert torch.equal(left[name], right[name]), name


def test_a_set_holds_what_the_simulator_made(training_set: Path, simulated_knees: list[SimulatedKnee]) -> None:
    slices = TrainingSlices(training_set)
    assert len(slices) == 150
    knee, item = simulated_knees[1], slices[50 + 20]
    stored = (item["target"][0].numpy() + 1) / 2
    assert np.abs(stored - np.asarray(knee.volume[13 + 20])).max() <= 0.5 / 255 + 1e-6
    assert float(item["place"]) == pytest.approx(20 / 49)
    assert int(item["knee"]) == 1
    np.testing.assert_array_equal(item["guide"].numpy(), one_hot(knee.grades))
    assert item["image"].shape == (1, 256, 256)
    assert float(item["image"].min()) == -1
    assert float(item["image"].max()) == 1


def test_lesions_are_kept_at_the_resolution_of_the_latent(
    training_set: Path, simulated_knees: list[SimulatedKnee]
) -> None:
    slices = TrainingSlices(training_set, lesion_weight=1.0)
    truth = torch.from_numpy(np.stack([np.asarray(knee.lesions[13:63]) > 0 for knee in simulated_knees]))
    assert bool(truth.any())
    pooled = torch.nn.functional.max_pool2d(truth.float(), 8)  # [N,S,h,w]
    items = torch.stack([slices[number]["weight"][0] - 1 for number in range(len(slices))])
    assert torch.equal(items, pooled.flatten(0, 1))
    assert torch.equal(slices.with_lesion(), truth.flatten(2).any(dim=2).flatten())


def test_without_jitter_the_radiograph_is_the_simulated_region(
    training_set: Path, simulated_knees: list[SimulatedKnee]
) -> None:
    view = TrainingSlices(training_set, jitter=NO_JITTER)[0]["image"][0].numpy()
    expected = normalize_region(simulated_knees[0].radiograph[36:-36, 36:-36], mirrored=False)
    np.testing.assert_allclose(view, expected, atol=1e-3)


def test_boxes_differ_by_knee_slice_epoch_and_seed_and_come_again(training_set: Path) -> None:
    slices = TrainingSlices(training_set)
    first = slices[3]["image"]
    assert torch.equal(slices[3]["image"], first)
    assert not torch.equal(slices[4]["image"], first)
    assert not torch.equal(TrainingSlices(training_set, seed=1)[3]["image"], first)
    slices.set_epoch(1)
    assert slices.epoch == 1
    assert not torch.equal(slices[3]["image"], first)
    slices.set_epoch(0)
    assert torch.equal(slices[3]["image"], first)


@pytest.mark.parametrize("workers", [1, 2])
def test_items_do_not_depend_on_the_number_of_workers(training_set: Path, workers: int) -> None:
    slices = TrainingSlices(training_set)
    slices.set_epoch(2)
    assert_same(collected(slices), collected(slices, num_workers=workers))


def test_workers_that_stay_hear_of_the_epoch(training_set: Path) -> None:
    slices = TrainingSlices(training_set)
    loader = DataLoader(slices, sampler=[3], num_workers=1, persistent_workers=True)
    seen = []
    for epoch in (0, 1):
        slices.set_epoch(epoch)
        seen.append(next(iter(loader))["image"])
    assert not torch.equal(*seen)
    assert torch.equal(seen[1][0], slices[3]["image"])


def test_knees_that_are_not_complete_are_left_out(make_set: Callable[..., Path]) -> None:
    folder = make_set()
    np.load(folder / "done.npy", mmap_mode="r+")[1] = 0
    slices = TrainingSlices(folder)
    assert len(slices) == 100
    assert [int(slices[number]["knee"]) for number in (0, 49, 50, 99)] == [0, 0, 2, 2]
    np.load(folder / "done.npy", mmap_mode="r+")[:] = 0
    with pytest.raises(UsageError, match="0 complete knees of 3"):
        TrainingSlices(folder)
    with pytest.raises(IndexError):
        slices[100]


@pytest.mark.parametrize("held_out", [VALIDATION, CALIBRATION, TEST, LESION_ENRICHED, SHIFTED])
def test_held_out_knees_never_train(make_set: Callable[..., Path], held_out: range) -> None:
    with pytest.raises(InputRefused, match="training range") as refusal:
        TrainingSlices(make_set([0, held_out[5]]))
    assert refusal.value.exit_code == ExitCode.INPUT_REFUSED


def test_training_is_watched_on_validation_knees_alone(make_set: Callable[..., Path]) -> None:
    slices = ValidationSlices(make_set(VALIDATION[:2]))
    assert len(slices) == 100
    assert slices.jitter == NO_JITTER
    assert TrainingSlices(make_set()).jitter == BoxJitter()
    with pytest.raises(InputRefused, match="validation range"):
        ValidationSlices(make_set(range(2)))


def test_the_ranges_of_seeds_are_the_splits() -> None:
    for name, seeds in SEED_RANGES.items():
        require_split(seeds[0], name)
        with pytest.raises(InputRefused):
            require_split(seeds.stop, name)


def test_of_a_prepared_set_only_the_split_is_read(make_set: Callable[..., Path]) -> None:
    folder = make_set(splits=["test", "training", "validation", "training"])
    assert TrainingSlices(folder).knees.tolist() == [1, 3]
    assert ValidationSlices(folder).knees.tolist() == [2]
    item = TrainingSlices(folder)[60]
    assert int(item["knee"]) == 3
    assert torch.equal(item["target"], ValidationSlices(make_set(VALIDATION[:1]))[10]["target"])
    with pytest.raises(UsageError, match="training split"):
        TrainingSlices(make_set(splits=["test", "validation"]))


def test_knees_of_another_simulator_are_refused_unless_wanted(make_set: Callable[..., Path]) -> None:
    for folder in (make_set(simulator="0.0"), make_set(splits=["training"] * 3, simulator="0.0")):
        with pytest.raises(InputRefused, match=r"version 0\.0"):
            TrainingSlices(folder)
        assert len(TrainingSlices(folder, allow_other_version=True)) == 150


def test_a_missing_set_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="xray2mri simulate-set"):
        TrainingSlices(tmp_path)


def test_a_set_may_be_read_while_it_is_written(make_set: Callable[..., Path]) -> None:
    """Knees that become complete later do not move those that are there."""
    folder = make_set()
    done = np.load(folder / "done.npy", mmap_mode="r+")
    done[2] = 0
    slices = TrainingSlices(folder)
    before = slices[70]
    done[2] = 1
    assert len(slices) == 100
    assert_same([before], [slices[70]])
    assert KneeStore.open(folder).done.all()
