"""The process that makes results: what it makes, and how it ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from monai_xray2mri.errors import WeightsError
from monai_xray2mri.hospital.maker import ChildMaker, MakingFailed, Stopped
from monai_xray2mri.hospital.settings import ModelSettings
from tests.helpers.films import simulated_crop, write_film
from tests.helpers.hospital_system import film, install_film_system


@pytest.fixture(scope="module")
def film_bundle(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[Path]:
    """A bundle of a system that loads and computes nothing large."""
    site, bundle = install_film_system(tmp_path_factory.mktemp("film"))
    before, sys.path[:0] = list(sys.path), [str(site), str(repository)]
    yield bundle
    sys.path[:] = before


@pytest.fixture(scope="module")
def maker(film_bundle: Path) -> Iterator[ChildMaker]:
    made = ChildMaker(ModelSettings(film_bundle), partial=True)
    yield made
    made.close()


@pytest.fixture
def films(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "films", film("one"))


@pytest.fixture
def slow_films(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "slow", film("one", ImageComments="slow"))


def folder_of(folder: Path, content: bytes) -> Path:
    folder.mkdir()
    (folder / "film.dcm").write_bytes(content)
    return folder


def never() -> bool:
    return False


def test_a_film_becomes_a_result_of_the_knees_bundle(tiny_bundle, tmp_path):
    write_film(tmp_path / "films" / "film.dcm", simulated_crop())
    maker = ChildMaker(ModelSettings(tiny_bundle, "cpu", {"estimate": False}, {"steps": 1}), partial=True)
    answer = maker.make(tmp_path / "films", tmp_path / "out", 300, never)
    maker.close()
    assert answer.outcome == "done" and answer.refusals == () and len(answer.files) >= 5
    assert all(file.is_file() for file in answer.files) and maker.version.startswith("0.")


def test_a_refusal_has_a_code_and_a_text(maker, tmp_path):
    folder = folder_of(tmp_path / "films", film("one", ImagerPixelSpacing=None))
    answer = maker.make(folder, tmp_path / "out", 300, never)
    assert (answer.outcome, answer.code) == ("refused", "needs-a-pixel-spacing")
    assert "needs a pixel spacing" in answer.refusals[0]


def test_a_film_of_something_else_is_passed_over(maker, tmp_path):
    folder = folder_of(tmp_path / "films", film("one", BodyPartExamined="CHEST"))
    assert maker.make(folder, tmp_path / "out", 300, never).outcome == "passed"


def test_what_nobody_foresaw_is_a_failure_that_does_not_repeat_the_input(maker, tmp_path):
    folder = folder_of(tmp_path / "films", film("one", ImageComments="fail"))
    with pytest.raises(MakingFailed) as caught:
        maker.make(folder, tmp_path / "out", 300, never)
    assert caught.value.code == "unexpected-RuntimeError" and "Planted" not in str(caught.value)


def test_a_study_that_takes_too_long_is_ended_and_the_next_one_is_made(maker, films, slow_films, tmp_path):
    with pytest.raises(MakingFailed, match="more than") as caught:
        maker.make(slow_films, tmp_path / "late", 0.5, never)
    assert caught.value.code == "time-limit" and maker.pid is None
    assert maker.make(films, tmp_path / "next", 300, never).outcome == "done"


def test_a_process_that_is_killed_is_told_from_a_refusal(maker, films, slow_films, tmp_path):
    maker.make(films, tmp_path / "before", 300, never)
    threading.Timer(0.3, lambda: os.kill(maker.pid, signal.SIGKILL)).start()
    with pytest.raises(MakingFailed) as caught:
        maker.make(slow_films, tmp_path / "killed", 300, never)
    assert caught.value.code == "killed"


def test_a_worker_that_is_told_to_stop_does_not_wait(maker, slow_films, tmp_path):
    with pytest.raises(Stopped):
        maker.make(slow_films, tmp_path / "stopped", 300, lambda: True)
    assert maker.pid is None


def test_a_bundle_that_is_not_there_is_refused_at_the_start(tmp_path):
    with pytest.raises(WeightsError):
        ChildMaker(ModelSettings(tmp_path, "cpu"), partial=True)
