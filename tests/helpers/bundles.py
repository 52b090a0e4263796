"""A bundle with a tiny network of the evaluated volumes' geometry, and a setting around it."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from monai.bundle import ConfigParser

from monai_xray2mri.evaluation.protocols import Method
from monai_xray2mri.evaluation.study import Profile
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION
from monai_xray2mri.systems.knee_xray2mri.evaluation.method_sources import bundle_method
from monai_xray2mri.systems.knee_xray2mri.evaluation.setting import KneeSetting
from monai_xray2mri.systems.knee_xray2mri.predictor import Xray2MRI

TINY = {
    "autoencoder_def": {"channels": [8, 8, 8], "groups": 4},
    "diffusion_def": {
        "channels": [8, 8, 16, 16],
        "context": 8,
        "heads": 2,
        "groups": 4,
        "guide": {
            "_target_": "monai_xray2mri.networks.condition.FeatureEmbedding",
            "features": 61,
            "embedding": 32,
        },
    },
    "encoder_def": {"channels": [8, 8, 8, 8], "context": 8},
    "network_def": {"steps": 1},
}
"""What makes the shipped configuration small; 256 x 256 pixels and 50 slices stay."""


def make_tiny_bundle(folder: Path, shipped: Path) -> Path:
    """Write the bundle with random weights."""
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    config = json.loads((shipped / "configs" / "inference.json").read_text())
    for key, options in TINY.items():
        config[key].update(options)
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    (folder / "configs" / "train.json").write_bytes((shipped / "configs" / "train.json").read_bytes())
    metadata = json.loads((shipped / "configs" / "metadata.json").read_text())
    (folder / "configs" / "metadata.json").write_text(json.dumps({**metadata, "simulator_version": SIMULATOR_VERSION}))
    parser = ConfigParser()
    parser.read_config(str(folder / "configs" / "inference.json"))
    torch.manual_seed(0)
    torch.save(parser.get_parsed_content("network_def").state_dict(), folder / "models" / "model.pt")
    return folder


def make_setting(bundle: Path, profile: Profile, **others: Method) -> KneeSetting:
    """The bundle and other methods on the CPU, seed 0."""
    method = bundle_method(Xray2MRI.from_bundle(bundle, "cpu"), bundle)
    return KneeSetting({"tiny": method, **others}, "tiny", profile, 0, True)
