"""Bundles on disk."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from monai_xray2mri.core.bundles import load_network, require_one_model, require_weights_of, system_name
from monai_xray2mri.errors import WeightsError
from monai_xray2mri.systems.knee_xray2mri.network import load_slice_diffusion


def test_a_bundle_has_one_model_with_all_weights(tmp_path: Path) -> None:
    network = torch.nn.Linear(2, 2)
    models = tmp_path / "models"
    models.mkdir()
    with pytest.raises(WeightsError, match=r"models/model.pt and no other .pt file \(found: none\)"):
        require_one_model(tmp_path)
    torch.save(network.state_dict(), models / "model.pt")
    require_one_model(tmp_path)
    require_weights_of(tmp_path, network)
    with pytest.raises(WeightsError, match=r"1 missing and 0 unknown, e\.g\. extra"):
        network.register_buffer("extra", torch.zeros(1))
        require_weights_of(tmp_path, network)
    (models / "a.pt").touch()
    with pytest.raises(WeightsError, match=r"a\.pt, model\.pt.*shortest name"):
        require_one_model(tmp_path)


def write_bundle(folder: Path, network: torch.nn.Module, definition: dict[str, object], **metadata: str) -> Path:
    for name in ("configs", "models"):
        (folder / name).mkdir(parents=True)
    (folder / "configs" / "inference.json").write_text(json.dumps({"network_def": definition}))
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))
    torch.save(network.state_dict(), folder / "models" / "model.pt")
    return folder


def test_the_network_is_of_the_class_that_the_bundle_names(tmp_path: Path) -> None:
    linear = torch.nn.Linear(2, 3)
    definition = {"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 3}
    bundle = write_bundle(tmp_path / "linear", linear, definition)
    network = load_network(bundle)
    assert isinstance(network, torch.nn.Linear)
    assert torch.equal(network.weight, linear.weight)
    assert not network.training
    with pytest.raises(WeightsError, match=r"must hold a network of the system knee_xray2mri \(found: Linear\)"):
        load_slice_diffusion(bundle)


def test_a_bundle_names_its_system(tmp_path: Path, bundle: Path) -> None:
    assert system_name(bundle) == system_name(bundle.with_name("knee_xray2mri_koa")) == "knee_xray2mri"
    nameless = write_bundle(tmp_path / "nameless", torch.nn.Identity(), {}, version="1")
    with pytest.raises(WeightsError, match=r"bundle nameless.*must state its system in metadata\.json"):
        system_name(nameless)
    with pytest.raises(WeightsError, match=r"bundle absent.*must hold configs/metadata\.json"):
        system_name(tmp_path / "absent")


def test_what_a_bundle_says_of_itself_needs_no_torch(repository: Path) -> None:
    code = (
        "import sys\n"
        "from monai_xray2mri.core.bundles import bundle_version, shipped_bundle, system_name\n"
        "bundle = shipped_bundle('knee_xray2mri')\n"
        "bundle_version(bundle), system_name(bundle)\n"
        "sys.exit('torch' in sys.modules or 'monai' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=repository, check=False).returncode == 0
