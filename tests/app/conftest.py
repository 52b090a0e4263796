"""The app in this process, as ``python app_package`` would run it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.films import simulated_crop, write_film


@pytest.fixture
def app_package(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The app's folder, importable; what the app does to the process's logging is undone."""
    folder = repository / "app_package"
    monkeypatch.syspath_prepend(folder)
    root = logging.getLogger()
    names = ("monai.deploy", "pydicom", "highdicom")
    levels, filters = {name: logging.getLogger(name).level for name in names}, list(root.filters)
    yield folder
    root.filters[:] = filters
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def run_app(app_package: Path) -> Callable[..., int]:
    """Calls the app with options; returns its exit code."""
    pytest.importorskip("holoscan", reason="the extra deploy is not installed")
    from launch import main

    return lambda *options: main([str(option) for option in options])


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A study with one film, of the right knee."""
    return write_film(tmp_path / "study" / "film.dcm", simulated_crop())
