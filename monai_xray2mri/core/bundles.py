"""MONAI Bundles on disk: where the shipped one lies, and its network with checked weights."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import torch
from monai.bundle import ConfigParser

from monai_xray2mri.errors import WeightsError
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion


def default_bundle(name: str = "knee_xray2mri") -> Path:
    """The bundle that comes with the package: ``$XRAY2MRI_BUNDLE``, else of the source tree, else of the wheel."""
    if chosen := os.environ.get("XRAY2MRI_BUNDLE"):
        return Path(chosen)
    package = Path(__file__).parents[1]
    beside = package.parent / "bundle" / name
    return beside if beside.is_dir() else package / "bundle" / name


def load_network(bundle: Path) -> SliceDiffusion:
    """The network of a bundle with its weights, from its ``configs/inference.json`` and ``models/model.pt``.

    Raises:
        WeightsError: the bundle or its weights are missing, damaged or of another architecture.
    """
    config, weights = bundle / "configs" / "inference.json", bundle / "models" / "model.pt"
    remedy = "Give --bundle the folder of a complete bundle, or restore its files."
    for file in (config, weights):
        if not file.is_file():
            raise WeightsError(f"bundle {bundle.name}", f"must hold {file.relative_to(bundle)}", "no such file", remedy)
    try:
        with zipfile.ZipFile(weights) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"checksum of {damaged} does not match")
        state = torch.load(weights, map_location="cpu", weights_only=True)
        parser = ConfigParser()
        parser.read_config(str(config))
        network: SliceDiffusion = parser.get_parsed_content("network_def")
        network.load_state_dict(state)
    except Exception as error:  # zip, pickle, JSON and key errors alike mean that the bundle cannot be trusted
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"bundle {bundle.name}", "must hold undamaged weights of its network", first_line, remedy
        ) from error
    return network.eval()


def bundle_version(bundle: Path) -> str:
    """Version of a bundle, from its ``configs/metadata.json``.

    Raises:
        WeightsError: there is none.
    """
    try:
        return str(json.loads((bundle / "configs" / "metadata.json").read_text())["version"])
    except (OSError, ValueError, KeyError) as error:
        remedy = "Restore configs/metadata.json."
        raise WeightsError(f"bundle {bundle.name}", "must state its version", type(error).__name__, remedy) from error
