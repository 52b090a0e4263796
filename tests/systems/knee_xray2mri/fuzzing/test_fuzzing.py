"""Two hundred mutated studies: each is used or refused in words, and nothing else happens."""

from __future__ import annotations

from collections import Counter

import pytest

from monai_xray2mri.errors import ExitCode
from monai_xray2mri.runtime.memory import peak_memory_mb
from monai_xray2mri.systems.knee_xray2mri.fuzzing.benign import BENIGN
from monai_xray2mri.systems.knee_xray2mri.fuzzing.field import BENIGN_FIELD, HARMFUL_FIELD
from monai_xray2mri.systems.knee_xray2mri.fuzzing.harmful import HARMFUL
from monai_xray2mri.systems.knee_xray2mri.fuzzing.harness import Corpus, Harness, Outcome, tiny_predictor
from monai_xray2mri.systems.knee_xray2mri.fuzzing.table import count_outcomes, table
from tests.helpers.films import simulated_crop

STUDIES, WHOLE_EVERY = 200, 10
MEMORY_MB = 700
ONCE_UNEXPECTED = {0: (377, 435, 585, 889, 953, 1235, 1433), 1: (937, 1763)}
"""Studies of the benchmark that once met a defect: unknown transfer syntax, numbers that are texts, unknown VR."""


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus(simulated_crop())


@pytest.fixture(scope="module")
def outcomes(corpus: Corpus) -> list[Outcome]:
    before = peak_memory_mb()
    found = list(Harness(corpus, tiny_predictor(), WHOLE_EVERY).run(range(STUDIES)))
    assert peak_memory_mb() < before + MEMORY_MB
    return found


def test_every_study_ends_well(outcomes):
    assert [outcome for outcome in outcomes if outcome.problems] == []
    assert {outcome.code for outcome in outcomes} == {ExitCode.DONE, ExitCode.INPUT_REFUSED}


def test_what_was_a_defect_once_ends_well():
    predictor = tiny_predictor()
    for seed, numbers in ONCE_UNEXPECTED.items():
        found = Harness(Corpus(simulated_crop(), seed), predictor, WHOLE_EVERY).run(numbers)
        assert [(seed, outcome.number, outcome.problems) for outcome in found if outcome.problems] == []


def test_at_least_thirty_per_cent_are_benign_and_used(outcomes):
    benign = [outcome for outcome in outcomes if outcome.benign]
    assert len(benign) >= 0.3 * STUDIES
    assert {outcome.code for outcome in benign} == {ExitCode.DONE}


def test_every_mutation_occurs_and_some_are_refused(outcomes):
    kinds = Counter(outcome.mutation for outcome in outcomes)
    assert set(kinds) == {*BENIGN, *BENIGN_FIELD, *HARMFUL, *HARMFUL_FIELD}
    refused = [outcome for outcome in outcomes if outcome.code == ExitCode.INPUT_REFUSED]
    assert len(refused) > 0.2 * STUDIES
    assert all(outcome.message for outcome in refused)


def test_table_counts_what_happened(outcomes):
    lines = count_outcomes(outcomes)
    assert sum(line.studies for line in lines) == STUDIES
    assert sum(line.used for line in lines) == sum(outcome.code == ExitCode.DONE for outcome in outcomes)
    assert str(STUDIES) in table(lines).splitlines()[-1]


def test_a_study_is_the_same_in_every_order(corpus, tmp_path):
    for number in (3, 7, 3):
        folder = tmp_path / f"{number}_{len(list(tmp_path.iterdir()))}"
        corpus.write(number, folder)
    first, _, again = sorted(tmp_path.iterdir(), key=lambda path: path.name.split("_")[1])
    names = [path.relative_to(first) for path in sorted(first.rglob("*"))]
    assert names == [path.relative_to(again) for path in sorted(again.rglob("*"))]
    for name in names:
        if (first / name).is_file():
            assert (first / name).read_bytes() == (again / name).read_bytes()


def test_a_wrong_result_is_found(corpus):
    """The harness tells a study that names its patient, and one whose pixels differ."""
    harness = Harness(corpus, tiny_predictor(), WHOLE_EVERY)
    numbers = [number for number in range(40) if number % len(BENIGN) == 0 or number % len(HARMFUL) == 2]
    harness.hidden = {"word": "film"}
    harness.pixels = 1 - harness.pixels
    problems = {problem for outcome in harness.run(numbers[:4]) for problem in outcome.problems}
    assert problems & {"pixels of a benign study changed", "says word"}
