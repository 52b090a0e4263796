from __future__ import annotations

from dataclasses import replace

import pytest

from monai_xray2mri.errors import UsageError
from monai_xray2mri.simulation.knee.people.participants import PARTICIPANTS_PER_RANGE, draw_participant
from monai_xray2mri.simulation.knee.people.seeds import SEED_RANGES, SHIFTED, TEST, TRAINING, VALIDATION
from monai_xray2mri.simulation.knee.release.settings import ReleaseSettings, first_seed

SETTINGS = ReleaseSettings(seed=TEST.start, knees=3)


def test_seeds_and_split():
    assert list(SETTINGS.seeds) == [TEST.start, TEST.start + 1, TEST.start + 2]
    assert SETTINGS.split == "test"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"knees": 0}, "at least 1"),
        ({"seed": -1}, "training 0 to"),
        ({"seed": SHIFTED.stop}, "one of the simulator's ranges"),
        ({"seed": TRAINING.start + PARTICIPANTS_PER_RANGE - 2}, "At most 2 knees can start here"),
        ({"seed": TRAINING.stop - 2}, "At most 0 knees can start here"),
        ({"knees": len(TEST) + 1}, "seeds of the test range: must end at"),
        ({"prevalence": "rare"}, "oai, balanced"),
        ({"visibility": 1.5}, "0 to 1"),
        ({"visibility": float("nan")}, "0 to 1"),
        ({"mr_matrix": 300}, "256 or 512"),
        ({"oddities": "all"}, "none or oai"),
        ({"films": "fine"}, "varied or plain"),
    ],
)
def test_what_cannot_be_made_is_refused_in_words(change, words):
    with pytest.raises(UsageError, match=words):
        replace(SETTINGS, **change)


def test_last_seeds_of_a_range_can_be_used():
    last = TRAINING.start + PARTICIPANTS_PER_RANGE - 1
    assert draw_participant(replace(SETTINGS, seed=last - 2).seeds[-1]).seed == last


def test_first_seed_from_split_or_number():
    assert first_seed(None, None) == TRAINING.start
    assert first_seed("validation", None) == VALIDATION.start
    assert first_seed("validation", VALIDATION.start + 7) == VALIDATION.start + 7
    assert first_seed(None, TEST.start + 9) == TEST.start + 9


def test_unknown_split_and_seed_of_another_split_are_refused():
    with pytest.raises(UsageError, match="lesion-enriched"):
        first_seed("testing", None)
    with pytest.raises(UsageError, match=f"{TEST.start} to {TEST.stop - 1}"):
        first_seed("test", 5)


def test_fingerprint_depends_on_all_that_a_participant_depends_on_and_on_nothing_else():
    same = {SETTINGS.fingerprint(), replace(SETTINGS, knees=9, seed=TEST.start + 50).fingerprint()}
    others = {
        replace(SETTINGS, **change).fingerprint()
        for change in (
            {"visibility": 1.0},
            {"mr_matrix": 512},
            {"films": "plain"},
            {"oddities": "oai"},
            {"structural_missingness": True},
            {"prevalence": "balanced"},
            {"device": "cuda"},
        )
    }
    assert len(same) == 1
    assert len(others) == 7
    assert not same & others


def test_every_range_can_be_named():
    assert [ReleaseSettings(first_seed(name, None), 1).split for name in SEED_RANGES] == list(SEED_RANGES)


def test_all_devices_of_a_kind_are_one():
    first, second = (replace(SETTINGS, device=name).as_record() for name in ("cuda", "cuda:1"))
    assert first == second
    assert first["device"] == "cuda"
