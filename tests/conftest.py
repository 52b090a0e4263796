"""Fixtures that several test folders share."""

from __future__ import annotations

import json
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


TINY = {
    "autoencoder_def": {"channels": [8, 8, 8], "groups": 4},
    "diffusion_def": {
        "channels": [8, 8, 16, 16],
        "context": 8,
        "heads": 2,
        "groups": 4,
        "sample_size": 8,
        "guide": {
            "_target_": "monai_xray2mri.networks.condition.FeatureEmbedding",
            "features": 61,
            "embedding": 32,
        },
    },
    "encoder_def": {"channels": [8, 8, 8, 8], "context": 8, "image_size": 64},
    "network_def": {"image_size": 64, "pixel_mm": 2.5, "modeled_slices": [13, 17], "steps": 2},
}


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Path:
    """The shipped bundle's configuration with a tiny network of random weights."""
    import torch

    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    config = json.loads((bundle / "configs" / "inference.json").read_text())
    for name, options in TINY.items():
        config[name].update(options)
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    (folder / "configs" / "metadata.json").write_bytes((bundle / "configs" / "metadata.json").read_bytes())
    torch.manual_seed(0)
    torch.save(make_tiny_network().state_dict(), folder / "models" / "model.pt")
    return folder
