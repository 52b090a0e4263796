"""Fixtures that several test folders share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the source tree."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real radiographs, reports and a label map that are not part of the repository."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder of real sample inputs (shared/data beside the repository) is absent")
    return folder


@pytest.fixture(scope="session")
def field(shared_data: Path) -> Path:
    """Inputs as hospitals, vendors and people make them (:mod:`tests.helpers.field`)."""
    folder = shared_data / "field"
    if not folder.is_dir():
        pytest.skip("the folder of inputs from the field (shared/data/field beside the repository) is absent")
    return folder


@pytest.fixture(scope="session")
def bundle(repository: Path) -> Path:
    """The shipped knee bundle."""
    return repository / "bundle" / "knee_xray2mri"


@pytest.fixture(autouse=True)
def _seed() -> Iterator[None]:
    """Random weights of tests are the same in every order; a test of what needs no torch does not wait for it."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    state = torch.random.get_rng_state()
    torch.manual_seed(0)
    yield
    torch.random.set_rng_state(state)


def make_tiny_network(**options: object) -> SliceDiffusion:
    """See :func:`~monai_xray2mri.systems.knee_xray2mri.tiny_network.tiny_network`."""
    from monai_xray2mri.systems.knee_xray2mri.tiny_network import tiny_network

    return tiny_network(**options)


@pytest.fixture
def tiny_network() -> SliceDiffusion:
    """See :func:`make_tiny_network`."""
    return make_tiny_network()


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Path:
    """The shipped bundle with a tiny network: 5 slices of 64 x 64 pixels, random weights."""
    from tests.helpers.bundles import make_tiny_bundle

    return make_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny", bundle, five_slices=True)
