from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace

import pytest

from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.files import lock_folder
from monai_xray2mri.simulation.knee.people.participants import draw_participant
from monai_xray2mri.simulation.knee.people.seeds import TRAINING, VALIDATION
from monai_xray2mri.simulation.knee.release.layout import SETTINGS
from monai_xray2mri.simulation.knee.release.plan import (
    claim,
    in_words,
    make_folder,
    needed_bytes,
    participant_bytes,
    plan_release,
)
from monai_xray2mri.simulation.knee.release.settings import ReleaseSettings


def test_estimate_is_what_the_disk_says(release, settings):
    blocks = sum(path.stat().st_blocks * 512 for path in release.rglob("*") if path.is_file())
    assert sum(participant_bytes(settings, seed) for seed in settings.seeds) == pytest.approx(blocks, rel=0.05)


def test_finer_films_need_more(settings):
    varied = replace(settings, films="varied")
    sizes = {
        participant_bytes(varied, seed) - participant_bytes(settings, seed) for seed in range(1_000_000, 1_000_040)
    }
    assert len(sizes) == 3, "there are three pixel sizes"
    assert 3e6 < min(sizes) < max(sizes) < 13e6


def test_sum_for_many_is_reckoned_from_a_sample(settings):
    varied = replace(settings, films="varied")
    many = tuple(draw_participant(seed) for seed in range(1_000_000, 1_001_500))
    exact = sum(participant_bytes(varied, one.seed) for one in many)
    assert needed_bytes(varied, many) == pytest.approx(exact, rel=0.02)
    assert needed_bytes(varied, many) != exact
    assert needed_bytes(varied, ()) == 0


def test_larger_matrix_needs_four_times_the_series(settings):
    difference = participant_bytes(replace(settings, mr_matrix=512), settings.seed) - participant_bytes(
        settings, settings.seed
    )
    assert difference == 80 * 3 * 256 * 256 * 2


def test_release_that_does_not_fit_is_refused_before_anything_is_made(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    one = participant_bytes(ReleaseSettings(TRAINING.start, 1, films="plain"), TRAINING.start)
    knees = free // one + 10
    assert knees < len(TRAINING), "the disk of this machine is too large for this test"
    settings = ReleaseSettings(TRAINING.start, knees, films="plain")
    few = tuple(replace(draw_participant(TRAINING.start), number=9_000_000 + n) for n in range(knees))
    with pytest.raises(UsageError, match=r"GB of disk.*free.*one takes \d+ MB"):
        plan_release(tmp_path, settings, few)
    assert not any(tmp_path.iterdir())


def test_plan_says_what_is_there_and_what_it_will_take(release, settings):
    participants = tuple(draw_participant(seed) for seed in range(settings.seed, settings.seed + 5))
    plan = plan_release(release, settings, participants)
    assert (plan.complete, len(plan.remaining)) == (2, 3)
    assert plan.needed_bytes == 3 * participant_bytes(settings, settings.seed)
    assert str(plan).startswith("2 complete, 3 knees to simulate: about ")


def test_numbers_of_bytes_in_words():
    assert [in_words(count) for count in (15_400_000, 1_540_000_000, 15_400_000_000_000)] == [
        "15 MB", "1.5 GB", "15.4 TB",
    ]  # fmt: skip


def test_settings_are_written_and_accepted_again(tmp_path, settings):
    claim(tmp_path, settings)
    record = json.loads((tmp_path / SETTINGS).read_text())
    assert (record["seed"], record["knees"], record["split"], record["complete"]) == (
        settings.seed, 2, "validation", False,
    )  # fmt: skip
    claim(tmp_path, settings)
    claim(tmp_path, replace(settings, knees=5))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": VALIDATION.start + 5}, "whose seed is not"),
        ({"seed": TRAINING.start}, "whose split is not training"),
        ({"visibility": 1.0}, "whose visibility is not"),
        ({"mr_matrix": 512}, "whose mr matrix is not"),
        ({"knees": 1}, "more knees than asked for"),
        ({"oddities": "oai"}, "whose oddities is not oai"),
    ],
)
def test_other_release_is_refused(tmp_path, settings, change, words):
    claim(tmp_path, settings)
    with pytest.raises(UsageError, match=words):
        claim(tmp_path, replace(settings, **change))


def test_release_of_another_simulator_is_refused(tmp_path, settings):
    claim(tmp_path, settings)
    record = json.loads((tmp_path / SETTINGS).read_text())
    (tmp_path / SETTINGS).write_text(json.dumps({**record, "simulator_version": "0.0"}))
    with pytest.raises(UsageError, match=r"simulator version is not .*found: 0\.0"):
        claim(tmp_path, settings)


def test_folder_with_other_things_is_refused(tmp_path, settings):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"files but no release\.json"):
        claim(tmp_path, settings)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_damaged_settings_are_refused(tmp_path, settings):
    (tmp_path / SETTINGS).write_text('{"seed": 1')
    with pytest.raises(UsageError, match="unreadable"):
        claim(tmp_path, settings)


def test_output_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(UsageError, match=r"found: a file"):
        make_folder(tmp_path / "taken")
    with pytest.raises(UsageError, match="output below"):
        make_folder(tmp_path / "taken" / "below")


def test_one_run_at_a_time(tmp_path):
    with lock_folder(tmp_path), pytest.raises(UsageError, match="another run"), lock_folder(tmp_path):
        pass
    with lock_folder(tmp_path):
        assert os.listdir(tmp_path) == []  # noqa: PTH208
