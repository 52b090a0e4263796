"""Networks of training runs, with the configurations that made them; records of weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from monai_xray2mri.errors import WeightsError
from monai_xray2mri.runtime.devices import choose_device
from monai_xray2mri.training.configurations import configuration_files


def weights_record(weights_sha256: str, bundle: Path) -> dict[str, Any]:
    """Name, version and hash of weights, with the simulator of their training."""
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text())
    return {
        "bundle": bundle.resolve().name,
        "version": metadata["version"],
        "simulator": metadata.get("simulator_version"),
        "weights_sha256": weights_sha256,
    }


def run_record(weights: Path, bundle: Path, names: Sequence[str]) -> dict[str, Any]:
    """The record of the weights of a training run, with the configurations of its network."""
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    return weights_record(digest, bundle) | {"configurations": list(names)}


def read_network(weights: Path, bundle: Path, names: Sequence[str], device: str) -> nn.Module:
    """The network of a training run.

    Args:
        weights: ``model.pt`` of the run.
        bundle: with whose configurations it was trained.
        names: configurations that followed ``train.json``.
        device: where to compute.

    Raises:
        WeightsError: the weights are of another network.
        UsageError: there is no such configuration.
    """
    from monai.bundle import ConfigParser  # seconds of a CPU, which whoever reads no configuration saves

    parser = ConfigParser()
    parser.read_config([str(file) for file in configuration_files(bundle, names, bundle)])
    network: nn.Module = parser.get_parsed_content("network_def")
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
        network.load_state_dict({name: value.float() for name, value in state.items()})
    except Exception as error:  # zip, pickle and key errors alike mean that they are of something else
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"weights {weights.name}", "must be of the configured network", first) from error
    return network.to(choose_device(device)).eval()
