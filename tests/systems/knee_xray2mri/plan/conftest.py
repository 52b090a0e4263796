"""Fixtures of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.films import simulated_crop, write_film


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write_film(tmp_path / "study" / "film.dcm", simulated_crop())
