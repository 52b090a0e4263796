"""One release of two participants that all tests look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from monai_xray2mri.simulation.knee.people.participants import Participant, draw_participant
from monai_xray2mri.simulation.knee.people.seeds import VALIDATION
from monai_xray2mri.simulation.knee.release.run import simulate_release
from monai_xray2mri.simulation.knee.release.settings import ReleaseSettings

SETTINGS = ReleaseSettings(seed=VALIDATION.start + 31, knees=2, films="plain")


@pytest.fixture(scope="session")
def settings() -> ReleaseSettings:
    """Settings of the release."""
    return SETTINGS


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release, made undisturbed by one process; tests do not change it."""
    folder = tmp_path_factory.mktemp("releases") / "release"
    simulate_release(folder, SETTINGS)
    return folder


@pytest.fixture(scope="session")
def participant() -> Participant:
    """The release's first participant."""
    return draw_participant(SETTINGS.seed)


@pytest.fixture(scope="session")
def contents() -> Callable[[Path], dict[str, bytes]]:
    """Function that gives every file below a folder with its bytes."""

    def read(folder: Path) -> dict[str, bytes]:
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    return read
