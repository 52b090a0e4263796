"""Bundles with tiny networks of random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser

from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION

_NETWORK = {
    "autoencoder_def": {"channels": [8, 8, 8], "groups": 4},
    "diffusion_def": {"channels": [8, 8, 16, 16], "context": 8, "heads": 2, "groups": 4},
    "encoder_def": {"channels": [8, 8, 8, 8], "context": 8},
    "network_def": {"steps": 1},
}
"""What makes a shipped configuration small; 256 x 256 pixels and 50 slices stay."""
_FIVE_SLICES = {
    "diffusion_def": {"sample_size": 8},
    "encoder_def": {"image_size": 64},
    "network_def": {"image_size": 64, "pixel_mm": 2.5, "modeled_slices": [13, 17], "steps": 2},
}
"""What also makes its volumes small: 5 slices of 64 x 64 pixels, the network of ``make_tiny_network``."""


def tiny_configuration(shipped: Path, five_slices: bool = False) -> dict[str, Any]:
    """The configuration ``inference.json`` of a shipped bundle with a tiny network.

    Args:
        shipped: folder of the shipped bundle.
        five_slices: 5 slices of 64 x 64 pixels instead of 50 of 256 x 256.
    """
    config: dict[str, Any] = json.loads((shipped / "configs" / "inference.json").read_text())
    for changes in (_NETWORK, _FIVE_SLICES) if five_slices else (_NETWORK,):
        for name, options in changes.items():
            config[name].update(options)
    return config


def write_bundle(folder: Path, config: dict[str, Any], shipped: Path) -> Path:
    """Write a bundle with a configuration, the other files of a shipped one, and random weights of seed 0."""
    for name in ("configs", "models"):
        (folder / name).mkdir(parents=True)
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    metadata = json.loads((shipped / "configs" / "metadata.json").read_text())
    (folder / "configs" / "metadata.json").write_text(json.dumps({**metadata, "simulator_version": SIMULATOR_VERSION}))
    if (train := shipped / "configs" / "train.json").is_file():  # not every bundle has one
        (folder / "configs" / "train.json").write_bytes(train.read_bytes())
    torch.manual_seed(0)
    network = ConfigParser(config).get_parsed_content("network_def")
    torch.save(network.state_dict(), folder / "models" / "model.pt")
    return folder


def make_tiny_bundle(folder: Path, shipped: Path, five_slices: bool = False) -> Path:
    """Write a shipped bundle with a tiny network, see :func:`tiny_configuration`."""
    return write_bundle(folder, tiny_configuration(shipped, five_slices), shipped)
