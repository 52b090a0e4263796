"""The joint segmenter: what it learns from, that it learns, and what it ships with."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.measures.crop import COLUMNS, ROWS, joint_crop
from monai_xray2mri.knee.measures.parts import Part, part_labels
from monai_xray2mri.knee.measures.segmentation import WEIGHTS, neighbors, part_probabilities
from monai_xray2mri.knee.measures.segmentation_training import (
    Batches,
    TrainingPair,
    make_training,
    random_slabs,
    simulate_pair,
    train_on_simulated_knees,
    training_grades,
    training_pair,
)
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.simulation.knee.knee import SimulatedKnee
from monai_xray2mri.simulation.knee.mri.mr import Tissue
from monai_xray2mri.simulation.knee.people.seeds import TEST


def test_the_crop_lies_around_the_origin(knee: SimulatedKnee) -> None:
    crop = joint_crop(knee.volume, knee.affine)
    assert crop.values.shape == (len(crop.slices), ROWS, COLUMNS)
    place = knee.affine @ np.array([0, 0, crop.slices[4], 1.0])
    assert crop.y[4] == pytest.approx(place[1])
    inverse = np.linalg.inv(knee.affine)
    column, row, position, _ = np.rint(inverse @ [crop.x[50], crop.y[4], crop.z[20], 1.0]).astype(int)
    assert crop.values[4, 20, 50] == knee.volume[position, row, column]
    assert abs(crop.x).max() < 41 and abs(crop.z).max() < 21 and abs(crop.y).max() <= 22.5


def test_a_crop_beyond_the_border_is_filled_with_zeros(knee: SimulatedKnee) -> None:
    part = knee.volume[:, 110:150, 100:180]
    affine = knee.affine.copy()
    affine[:3, 3] = (affine @ [100, 110, 0, 1])[:3]
    small, whole = joint_crop(part, affine), joint_crop(knee.volume, knee.affine)
    np.testing.assert_allclose(small.z, whole.z)
    held = small.values != 0
    np.testing.assert_array_equal(small.values[held], whole.values[held])
    assert 0.3 < held.mean() < 0.5


def test_cortex_goes_to_its_bone_and_lesions_to_their_part() -> None:
    labels = np.zeros((3, 20, 20), np.uint8)
    labels[:, :8], labels[:, 8:10] = Tissue.FEMUR, Tissue.CORTEX
    labels[:, 10], labels[:, 11:13], labels[:, 13:] = Tissue.TIBIAL_CARTILAGE, Tissue.CORTEX, Tissue.TIBIA
    labels[1, 3, 3] = Tissue.CYST
    lesions = np.zeros_like(labels)
    lesions[1, 3, 3] = 1 + LESION_FEATURES.index("XRCYFM")
    parts = part_labels(labels, lesions)
    assert (np.delete(parts[:, :10].ravel(), 200 + 63) == Part.FEMUR).all()
    assert parts[1, 3, 3] == Part.FEMORAL_CYST
    assert (parts[:, 10] == Part.CARTILAGE).all()
    assert (parts[:, 11:] == Part.TIBIA).all()
    assert part_labels(labels)[1, 3, 3] == Part.FEMUR


def test_the_parts_of_a_knee_hold_its_lesions(lesioned_knee: SimulatedKnee) -> None:
    _, _, parts = training_pair(lesioned_knee, lesioned_knee.affine)
    assert set(np.unique(parts)) == set(Part)


def test_neighbors_at_the_ends_stand_in() -> None:
    found = neighbors(np.arange(3)[:, None, None] * np.ones((1, 2, 2)))
    assert found[:, :, 0, 0].tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 2]]


def test_slabs_are_bones_with_cartilage_between() -> None:
    for seed in range(5):
        slices, parts = random_slabs(np.random.default_rng(seed))
        assert slices.shape == (3, ROWS, COLUMNS)
        assert {Part.FEMUR, Part.TIBIA} <= set(np.unique(parts)) <= {Part.FEMUR, Part.TIBIA, Part.CARTILAGE}
        assert parts[0, 60] == Part.FEMUR and parts[-1, 60] == Part.TIBIA
        if (parts == Part.CARTILAGE).sum() > 300:
            assert slices[1][parts == Part.CARTILAGE].mean() > slices[1][parts == Part.FEMUR].mean() + 0.2


def test_batches_are_the_same_for_the_same_seed_and_step() -> None:
    pair = (np.random.default_rng(0).random((29, ROWS, COLUMNS)), np.zeros((29, ROWS, COLUMNS)))
    pairs = [(*pair, np.zeros((29, ROWS, COLUMNS), np.uint8))] * 3
    first, second, other = (Batches(pairs, 6, seed) for seed in (0, 0, 1))
    assert len(first) == 3
    assert first(1)[0].shape == (8, 3, ROWS, COLUMNS) and first(1)[1].shape == (8, ROWS, COLUMNS)
    assert torch.equal(first(2)[0], second(2)[0])
    assert not torch.equal(first(0)[0], other(0)[0]) and not torch.equal(first(0)[0], first(1)[0])


def test_it_learns(lesioned_knee: SimulatedKnee) -> None:
    training = make_training(Batches([training_pair(lesioned_knee, lesioned_knee.affine)], 24), 8)
    losses = [training.advance() for _ in range(24)]
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])


def test_a_resumed_training_gives_the_same_weights(lesioned_knee: SimulatedKnee, tmp_path: Path) -> None:
    def run(knees: Callable[[int], TrainingPair], seeds: Sequence[int]) -> Generator[TrainingPair, None, None]:
        yield from [training_pair(lesioned_knee, lesioned_knee.affine) for _ in seeds]

    def train(folder: str, minutes: float | None = None) -> dict[str, Any]:
        return train_on_simulated_knees(tmp_path / folder / WEIGHTS, 1, 3, 8, run=run, minutes=minutes)

    assert train("whole")["complete"]
    assert not train("parts", minutes=0)["complete"]
    assert train("parts")["complete"]
    whole, parts = (torch.load(tmp_path / folder / WEIGHTS, weights_only=True) for folder in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    assert {value.dtype for value in whole.values()} == {torch.float16}
    assert (tmp_path / "whole" / WEIGHTS).stat().st_size < 200_000


def test_the_shipped_network_names_the_bones_of_a_knee(knee: SimulatedKnee) -> None:
    _, _, truth = training_pair(knee, knee.affine)
    found = part_probabilities(joint_crop(knee.volume, knee.affine)).argmax(0)
    for part in (Part.FEMUR, Part.TIBIA, Part.CARTILAGE):
        overlap = 2 * ((found == part) & (truth == part)).sum() / ((found == part).sum() + (truth == part).sum())
        assert overlap > (0.85 if part is Part.CARTILAGE else 0.95), part.name


def test_training_grades_are_balanced_and_training_seeds_alone_are_trained_on() -> None:
    drawn = [training_grades(seed) for seed in range(200)]
    assert drawn[:5] == [training_grades(seed) for seed in range(5)]
    for stem in LESION_FEATURES:
        assert 0.35 < np.mean([grades[stem] for grades in drawn]) < 0.65
    assert {grades["XRJSM"] for grades in drawn} == {0, 1, 2, 3}
    with pytest.raises(InputRefused, match="training range"):
        simulate_pair(TEST[0])
