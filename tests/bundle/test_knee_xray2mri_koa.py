"""The bundle of Wang 2024b: complete for inference, and an overlay on Wang 2024a's configuration for training."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow, verify_metadata, verify_net_in_out

from monai_xray2mri.knee.data.arrays import GEOMETRY, SLICES, WIDE_SIZE, KneeStore, knee_arrays
from monai_xray2mri.knee.detection.koa import shipped_classifier
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION
from monai_xray2mri.systems.knee_xray2mri.describe import DescribeKOA
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion
from monai_xray2mri.training.configurations import configuration_files

SMALL = {
    "autoencoder_def#channels": [8, 8, 8],
    "autoencoder_def#groups": 4,
    "diffusion_def#channels": [8, 8, 16, 16],
    "diffusion_def#groups": 4,
    "diffusion_def#heads": 2,
    "diffusion_def#guide#embedding": 32,
    "encoder_def#channels": [8, 8, 8, 8],
}


@pytest.fixture(scope="module")
def koa_bundle(repository: Path) -> Path:
    return repository / "bundle" / "knee_xray2mri_koa"


@pytest.fixture(scope="module")
def knees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training set of two knees of noise: what is tested here is the wiring."""
    directory = tmp_path_factory.mktemp("knees")
    index = {
        "source": "simulated", "knees": [0, 1], "simulator": SIMULATOR_VERSION, "visibility": 0.5,
        "geometry": dict(GEOMETRY), "intensity": "noise",
    }  # fmt: skip
    store = KneeStore.create(directory, 2, index)
    random = np.random.default_rng(0)
    for position in range(2):
        slices = np.broadcast_to(random.random((SLICES, 1, 1)), (SLICES, 256, 256))
        store.write(position, knee_arrays(slices, random.random((WIDE_SIZE, WIDE_SIZE)), {"XRKL": 2 * position}))
    return directory


def read(bundle: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((bundle / "configs" / name).read_text())
    return content


def workflow(files: list[Path], knees: Path, output: Path) -> ConfigWorkflow:
    made = ConfigWorkflow(
        config_file=[str(file) for file in files],
        meta_file=str(files[0].parent / "metadata.json"),
        logging_file=False,
        workflow_type="train",
        dataset_dir=str(knees),
        output_dir=str(output),
        device="$torch.device('cpu')",
        precision=None,
        iterations=4,
        epoch_length=2,
        batch_size=2,
        **SMALL,
    )
    made.initialize()
    return made


def write_autoencoder(bundle: Path, output: Path) -> None:
    """The first stage's file, of the small size."""
    parser = ConfigParser(read(bundle, "inference.json"))
    parser.update(SMALL)
    torch.save(parser.get_parsed_content("autoencoder_def").state_dict(), output / "autoencoder.pt")


def test_it_says_what_a_bundle_must(koa_bundle: Path, tmp_path: Path) -> None:
    for name in ("LICENSE", "docs/README.md", "docs/data_license.txt"):
        assert (koa_bundle / name).is_file(), name
    assert "CC BY 4.0" in (koa_bundle / "docs" / "data_license.txt").read_text()
    schema = shutil.copy(Path(__file__).parent / "metadata_schema.json", tmp_path)
    verify_metadata(meta_file=str(koa_bundle / "configs" / "metadata.json"), filepath=schema)


def test_monai_verifies_input_and_output(koa_bundle: Path) -> None:
    verify_net_in_out(
        meta_file=str(koa_bundle / "configs" / "metadata.json"),
        config_file=str(koa_bundle / "configs" / "inference.json"),
        net_id="network_def",
        **{"network_def#steps": 1, "network_def#modeled_slices": [13, 62], **SMALL},
    )


def test_it_is_the_network_of_the_first_bundle_but_for_its_guide(bundle: Path, koa_bundle: Path) -> None:
    first, second = read(bundle, "inference.json"), read(koa_bundle, "inference.json")
    for key in ("autoencoder_def", "encoder_def", "schedule_def", "preprocessing", "inferer", "postprocessing"):
        assert second[key] == first[key], key
    assert {**second["diffusion_def"], "guide": None} == {**first["diffusion_def"], "guide": None}
    geometry = ("region_mm", "magnification", "align", "image_size", "pixel_mm", "slice_mm", "modeled_slices")
    assert [second["network_def"][key] for key in geometry] == [first["network_def"][key] for key in geometry]


def test_the_network_is_described_once(bundle: Path, koa_bundle: Path) -> None:
    """A training configuration of this bundle, by whichever bundle it is called, trains the network of this one."""
    described = read(koa_bundle, "inference.json")
    for name in ("train_koa", "train_reconstruction"):
        assert not [key for key in read(koa_bundle, f"{name}.json") if key.partition("#")[0].endswith("_def")]
    path = str(koa_bundle / "configs" / "train_koa.json")
    for given, name in ((koa_bundle, "train_koa"), (koa_bundle, path), (bundle, path)):
        parser = ConfigParser()
        parser.read_config([str(file) for file in configuration_files(given, [name], bundle)])
        for key in ("autoencoder_def", "diffusion_def", "encoder_def", "schedule_def", "network_def"):
            assert parser[key] == described[key], key


def test_the_network_describes_the_radiograph_itself(koa_bundle: Path) -> None:
    parser = ConfigParser(read(koa_bundle, "inference.json"))
    parser.update(SMALL)
    network: SliceDiffusion = parser.get_parsed_content("network_def")
    assert network.guide_width == 69
    assert isinstance(network.describe, DescribeKOA)
    film = torch.rand(1, 1, 256, 256) * 2 - 1
    guide = network.condition(film).guide
    assert guide.shape == (1, 69)
    torch.testing.assert_close(guide[:, :5].sum(), torch.ones(()))
    torch.testing.assert_close(guide[:, 5:].sum(), torch.ones(()))
    assert any(name.startswith("describe.classifier.") for name in network.state_dict())


@pytest.mark.parametrize(("overlay", "width"), [(None, 69), ("train_reconstruction", 69), ("train_joint", 130)])
def test_the_denoiser_trains(
    bundle: Path, koa_bundle: Path, knees: Path, tmp_path: Path, overlay: str | None, width: int
) -> None:
    write_autoencoder(koa_bundle, tmp_path)
    names = ["train_koa", overlay] if overlay else ["train_koa"]
    run = workflow(configuration_files(koa_bundle, names, bundle), knees, tmp_path)
    network: SliceDiffusion = run.parser.get_parsed_content("network")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    run.run()
    run.finalize()
    assert network.guide_width == width
    state = torch.load(tmp_path / "model.pt", weights_only=True)
    moved = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert any(name.startswith("denoiser.guide.") for name in moved)
    assert not any(name.startswith(("describe.", "autoencoder.")) for name in moved)
    shipped = shipped_classifier().state_dict()
    for name, value in shipped.items():  # what is written is the classifier that it was trained with
        torch.testing.assert_close(state[f"describe.classifier.{name}"].float(), value)
