"""Fixtures of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.conftest import write_set


@pytest.fixture(scope="session")
def knees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training set of two knees."""
    return write_set(tmp_path_factory.mktemp("sets") / "training", "training")
