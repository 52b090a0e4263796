"""Splits by participant: shares, stability, held-out seed ranges."""

from __future__ import annotations

from collections import Counter

import pytest

from monai_xray2mri.errors import UsageError
from monai_xray2mri.knee.oai.splits import Protocol, split_of

NUMBERS = [str(number) for number in range(9_000_000, 9_010_000)]


@pytest.mark.parametrize(
    ("protocol", "shares"),
    [("000", {"training": 0.7, "validation": 0.1, "test": 0.2}), ("001", {"training": 0.7, "validation": 0.3})],
)
def test_shares_are_those_of_the_papers(protocol: Protocol, shares: dict[str, float]) -> None:
    counts = Counter(split_of(number, protocol) for number in NUMBERS)
    assert set(counts) == set(shares)
    for split, share in shares.items():
        assert counts[split] / len(NUMBERS) == pytest.approx(share, abs=0.02)  # 4 standard errors of 10,000


def test_a_participant_stays_where_he_is_for_ever() -> None:
    # These very values: a change would move participants of every set that was ever prepared.
    assert [split_of(number) for number in NUMBERS[:8]] == EXPECTED


EXPECTED = ["training", "test", "training", "training", "validation", "training", "training", "training"]


def test_both_protocols_train_on_the_same_participants() -> None:
    trained = [
        {number for number in NUMBERS if split_of(number, protocol) == "training"} for protocol in ("000", "001")
    ]
    assert trained[0] == trained[1]


def test_another_seed_makes_another_division() -> None:
    assert [split_of(number) for number in NUMBERS[:50]] != [split_of(number, seed=1) for number in NUMBERS[:50]]


@pytest.mark.parametrize(
    ("seed_range", "split"),
    [
        ("validation", "validation"),
        ("test", "test"),
        ("calibration", "test"),
        ("lesion-enriched", "test"),
        ("shifted", "test"),
    ],
)
def test_held_out_simulated_knees_never_train(seed_range: str, split: str) -> None:
    assert {split_of(number, seed_range=seed_range) for number in NUMBERS[:100]} == {split}


def test_simulated_knees_of_the_training_range_are_divided() -> None:
    assert [split_of(number, seed_range="training") for number in NUMBERS[:50]] == [split_of(n) for n in NUMBERS[:50]]


def test_unknown_protocols_and_numbers_are_refused() -> None:
    with pytest.raises(UsageError, match="must be one of 000, 001"):
        split_of(NUMBERS[0], "002")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="seven digits"):
        split_of("SIM1")
