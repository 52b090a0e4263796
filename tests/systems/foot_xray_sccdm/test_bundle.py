"""The bundle by MONAI's own commands: a photograph to a picture of its radiograph."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow, run, verify_metadata, verify_net_in_out
from PIL import Image

from monai_xray2mri.core.wording import SHORT_DISCLAIMER
from monai_xray2mri.errors import UnknownName, UsageError, WeightsError
from monai_xray2mri.simulation.foot.people import FOOT_SIMULATOR_VERSION
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.setting import OWN_STEPS
from monai_xray2mri.systems.foot_xray_sccdm.transforms import FootRadiographInferer, LoadFootd, RadiographAsShownd
from monai_xray2mri.systems.registry import Loaded
from tests.helpers.feet import take_photographs_at_their_word


@pytest.fixture
def bundle(repository: Path) -> Path:
    return repository / "bundle" / "foot_xray_sccdm"


@pytest.fixture(autouse=True)
def _photographs(monkeypatch: pytest.MonkeyPatch) -> None:
    take_photographs_at_their_word(monkeypatch)


def photographs(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        Image.new("RGB", (4, 4)).save(folder / f"{name}.png")
    return folder


def test_monai_verifies_the_metadata_offline(bundle: Path, repository: Path, tmp_path: Path) -> None:
    schema = shutil.copy(repository / "tests" / "bundle" / "metadata_schema.json", tmp_path)
    verify_metadata(meta_file=str(bundle / "configs" / "metadata.json"), filepath=schema)
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text())
    assert metadata["version"] in metadata["changelog"]
    assert metadata["simulator_version"] == FOOT_SIMULATOR_VERSION


def test_the_compact_network_draws_in_ten_steps_without_noise_and_the_papers_in_a_thousand(bundle: Path) -> None:
    compact = json.loads((bundle / "configs" / "inference.json").read_text())["network_def"]
    paper = json.loads((bundle / "configs" / "paper.json").read_text())
    assert (compact["steps"], compact["eta"]) == (OWN_STEPS, 0.0) == (10, 0.0)
    assert (paper["network_def#steps"], paper["network_def#eta"]) == (1000, 1.0)


def test_monai_verifies_input_and_output(small_bundle: Path) -> None:
    verify_net_in_out(
        meta_file=str(small_bundle / "configs" / "metadata.json"),
        net_id="network_def",
        config_file=str(small_bundle / "configs" / "inference.json"),
        **{"network_def#steps": 1},
    )


def test_the_configuration_has_the_properties_monai_asks_for(bundle: Path, tmp_path: Path) -> None:
    workflow = ConfigWorkflow(
        config_file=str(bundle / "configs" / "inference.json"),
        meta_file=str(bundle / "configs" / "metadata.json"),
        logging_file=False,
        workflow_type="infer",
        bundle_root=str(bundle),
        dataset_dir=str(tmp_path),
    )
    workflow.initialize()
    assert not workflow.check_properties()


def test_monai_runs_it_from_photographs_to_the_pictures_of_the_command_line(
    small_bundle: Path, loaded: Loaded, tmp_path: Path
) -> None:
    folder = photographs(tmp_path / "photos", "right", "left")
    run(
        config_file=str(small_bundle / "configs" / "inference.json"),
        meta_file=str(small_bundle / "configs" / "metadata.json"),
        bundle_root=str(small_bundle),
        dataset_dir=str(folder),
        output_dir=str(tmp_path / "out"),
        device="$torch.device('cpu')",
        samples=2,
        seed=3,
    )
    for side in ("right", "left"):
        ours = loaded(folder / f"{side}.png", samples=2, seed=3).save(tmp_path / "saved").directory / "radiograph.png"
        with Image.open(tmp_path / "out" / f"{side}_synthetic_xray.png") as theirs, Image.open(ours) as picture:
            np.testing.assert_array_equal(np.asarray(theirs), np.asarray(picture))
            assert theirs.info["Description"] == SHORT_DISCLAIMER


def test_the_transforms_take_what_clients_send(small_bundle: Path, tmp_path: Path, loaded: Loaded) -> None:
    folder = photographs(tmp_path / "photos", "left")
    loader = LoadFootd("image", str(small_bundle), side="", pixel_mm="0.5", force="false")
    data: dict[Any, Any] = loader({"image": str(folder / "left.png")})
    assert data["image"].shape == (1, 256, 256) and data["image"].meta["side"] == "L"
    inferer = FootRadiographInferer(str(small_bundle), samples="1", steps=2.0, variant=["none"], seed="")
    data["pred"] = inferer(data["image"][None], loaded.predictor.network)[0]
    wanted = loaded(folder / "left.png", pixel_mm=0.5).volume
    shown = RadiographAsShownd("pred", "image")(data)["pred"]
    np.testing.assert_array_equal(shown.numpy().T, wanted.voxels[0])
    assert torch.diagonal(shown.affine).tolist() == [-0.5, -0.5, 1, 1]
    filled = RadiographAsShownd("pred", "image", "uint8")(data)["pred"]
    assert filled.max() <= 255 and filled.min() >= 0 and float(filled.max()) > 1
    for wrong in ({"steps": 5000}, {"variant": "blur"}):
        with pytest.raises(UsageError):
            FootRadiographInferer(None, **wrong)(data["image"][None], loaded.predictor.network)
    with pytest.raises(UnknownName):
        loader({"image": ""})
    second = shutil.copytree(small_bundle, tmp_path / "two")
    (second / "models" / "a.pt").write_bytes(b"")
    with pytest.raises(WeightsError, match=r"a\.pt"):
        LoadFootd("image", str(second))({"image": str(folder / "left.png")})


def test_the_network_is_described_once(bundle: Path) -> None:
    """In ``inference.json``; configurations behind it change entries of it."""
    keys = {"autoencoder_def", "diffusion_def", "schedule_def", "network_def"}
    for file in (bundle / "configs").glob("*.json"):
        content = ConfigParser.load_config_file(str(file))
        assert file.stem == "inference" or not keys & content.keys(), file.name
