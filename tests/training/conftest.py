"""Small sets and networks that tests of the training share; nothing is simulated for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from monai.bundle import ConfigWorkflow

from monai_xray2mri.knee.data.arrays import IMAGE_SIZE, LATENT_SIZE, SLICES, WIDE_SIZE, KneeStore
from monai_xray2mri.knee.data.simulated import simulated_index
from monai_xray2mri.knee.grading.features import FEATURES
from monai_xray2mri.simulation.knee.people.seeds import SEED_RANGES

SMALL = {
    "autoencoder_def#channels": [8, 8, 8],
    "autoencoder_def#groups": 4,
    "diffusion_def#channels": [8, 8, 16, 16],
    "diffusion_def#groups": 4,
    "diffusion_def#heads": 2,
    "diffusion_def#guide#embedding": 32,
    "encoder_def#channels": [8, 8, 8, 8],
}
"""The bundle's topology with few channels."""

END_OF_RUN = "train#handlers#8#iterations"
"""Where a configuration ends; less than its ``iterations`` interrupts it there."""


def write_set(folder: Path, split: str, knees: int = 2) -> Path:
    """A set of smooth blobs that move with the depth and from knee to knee, as the store keeps real ones."""
    first = SEED_RANGES[split].start
    store = KneeStore.create(folder, knees, simulated_index(range(first, first + knees)))
    rows, columns = np.mgrid[-1 : 1 : IMAGE_SIZE * 1j, -1 : 1 : IMAGE_SIZE * 1j]
    wide = np.linspace(0, 1, WIDE_SIZE)
    features = np.zeros(61, np.uint8)
    features[np.cumsum([0, *(feature.width for feature in FEATURES[:-1])])] = 1
    for knee in range(knees):
        middles = np.linspace(-0.5, 0.5, SLICES) * (1 + knee)
        slices = [255 * np.exp(-3 * ((rows - middle) ** 2 + columns**2)) for middle in middles]
        lesions = np.zeros((SLICES, LATENT_SIZE, LATENT_SIZE), np.uint8)
        lesions[10 * knee : 10 * knee + 5, 4:6, 4:6] = 1
        radiograph = (65535 * np.outer(wide, wide ** (1 + knee))).astype(np.uint16)
        store.write(
            knee,
            {
                "slices": np.stack(slices).astype(np.uint8),
                "radiographs": radiograph,
                "features": features,
                "lesions": lesions,
            },
        )
    return folder


@pytest.fixture(scope="session")
def knees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two knees to train on."""
    return write_set(tmp_path_factory.mktemp("sets") / "training", "training")


@pytest.fixture(scope="session")
def validation_knees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two knees to watch training by."""
    return write_set(tmp_path_factory.mktemp("sets") / "validation", "validation")


@pytest.fixture(scope="session")
def small_configuration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``SMALL`` and short intervals, as a configuration for the command line."""
    path = tmp_path_factory.mktemp("configurations") / "small.json"
    short = {"batch_size": 4, "epoch_length": 3, "save_interval": 2, "log_interval": 1, "precision": None}
    path.write_text(json.dumps({**SMALL, **short}))
    return path


@pytest.fixture
def run_stage(bundle: Path) -> Callable[..., ConfigWorkflow]:
    """Runs a stage by the bundle's configurations, on the CPU in float32 unless told otherwise."""

    def run(files: list[str], data: Path, output: Path, **options: object) -> ConfigWorkflow:
        workflow = ConfigWorkflow(
            config_file=[str(bundle / "configs" / f"{name}.json") for name in ("inference", *files)],
            meta_file=str(bundle / "configs" / "metadata.json"),
            logging_file=False,
            workflow_type="train",
            dataset_dir=str(data),
            output_dir=str(output),
            device="$torch.device('cpu')",
            **{"precision": "$None", **SMALL, **options},
        )
        workflow.initialize()
        assert not workflow.check_properties()
        workflow.run()
        workflow.finalize()
        return workflow

    return run
