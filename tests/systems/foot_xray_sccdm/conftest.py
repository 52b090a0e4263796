"""A bundle of random weights, photographs of a simulated foot, and keypoints that are near the truth."""

from __future__ import annotations

from pathlib import Path

import pytest

from monai_xray2mri.systems.registry import Loaded, load
from tests.helpers.feet import write_small_foot_bundle


@pytest.fixture(scope="session")
def small_bundle(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_foot_bundle(repository, tmp_path_factory.mktemp("bundles"))


@pytest.fixture(scope="session")
def loaded(small_bundle: Path) -> Loaded:
    return load(small_bundle, "cpu")
