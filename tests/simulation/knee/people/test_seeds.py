from __future__ import annotations

import itertools

import pytest
import torch

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.simulation.knee.people.seeds import (
    LESION_ENRICHED,
    SEED_RANGES,
    SHIFTED,
    TEST,
    TRAINING,
    VALIDATION,
    knee_generator,
    require_training_seed,
    seed_range_name,
)


def test_ranges_are_disjoint():
    for first, second in itertools.combinations(SEED_RANGES.values(), 2):
        assert first.stop <= second.start or second.stop <= first.start


def test_training_seed_is_returned():
    assert require_training_seed(TRAINING.stop - 1) == TRAINING.stop - 1


@pytest.mark.parametrize("seed", [VALIDATION.start, TEST.start, LESION_ENRICHED.stop - 1, SHIFTED.start])
def test_held_out_seed_is_refused_for_training(seed):
    with pytest.raises(InputRefused, match=seed_range_name(seed)):
        require_training_seed(seed)


@pytest.mark.parametrize("seed", [-1, SHIFTED.stop])
def test_seed_outside_all_ranges_is_refused(seed):
    with pytest.raises(InputRefused, match="must lie in 0 to"):
        seed_range_name(seed)


def test_streams_of_one_knee_are_independent_and_repeatable():
    anatomy = torch.randn(8, generator=knee_generator(5, "anatomy"))
    assert torch.equal(anatomy, torch.randn(8, generator=knee_generator(5, "anatomy")))
    assert not torch.equal(anatomy, torch.randn(8, generator=knee_generator(5, "film")))
    assert not torch.equal(anatomy, torch.randn(8, generator=knee_generator(6, "anatomy")))
