"""Methods from what the command line names: bundles, weights with a configuration, classes, folders of volumes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import torch
from monai.bundle import ConfigParser

from monai_xray2mri.errors import UsageError, WeightsError
from monai_xray2mri.evaluation.methods import FolderMethod, class_method
from monai_xray2mri.evaluation.protocols import Method
from monai_xray2mri.knee.data.arrays import GEOMETRY, MODELED_SLICES
from monai_xray2mri.systems.knee_xray2mri.calibration import knee_calibration
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import (
    FEATURES_INPUT,
    RADIOGRAPH_INPUT,
    NetworkMethod,
    modeled_slices,
    weights_record,
)
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion, load_slice_diffusion
from monai_xray2mri.systems.registry import default_bundle
from monai_xray2mri.training.configurations import configuration_files

GIVEN: Final = "given"
"""Entry of a baseline's configuration: which of radiograph and features it was trained with."""


def bundle_method(bundle: Path, device: torch.device) -> NetworkMethod:
    """The network of a bundle with its calibration, if it has one.

    Raises:
        WeightsError: see :func:`~monai_xray2mri.systems.knee_xray2mri.network.load_slice_diffusion`.
        UsageError: its geometry is another than that of the evaluated volumes.
    """
    network = load_slice_diffusion(bundle)
    check_geometry(network, bundle.name)
    record = weights_record(bundle / "models" / "model.pt", bundle)
    calibration = knee_calibration(bundle, str(record["weights_sha256"]))
    return NetworkMethod(network.to(device), record=record, calibration=calibration)


def weights_method(weights: Path, bundle: Path, configuration: str | None, device: torch.device) -> NetworkMethod:
    """The network that a training run with a bundle's configurations has left.

    Args:
        weights: ``model.pt`` of the run.
        bundle: with whose configurations it was trained.
        configuration: of the bundle, or a file, behind ``train.json``; may say what the network is given.
        device: where to compute.

    Raises:
        WeightsError: weights of another network.
        UsageError: no such configuration, or another geometry.
    """
    names = [] if configuration is None else [configuration]
    files = configuration_files(bundle, names, default_bundle())
    given = json.loads(files[-1].read_text()).get(GIVEN, [RADIOGRAPH_INPUT, FEATURES_INPUT])
    parser = ConfigParser()
    parser.read_config([str(file) for file in files])
    network: SliceDiffusion = parser.get_parsed_content("network_def")
    try:
        network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    except Exception as error:  # zip, pickle and key errors alike mean that they are of something else
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"weights {weights.name}", "must be of the configured network", first) from error
    check_geometry(network, weights.name)
    record = weights_record(weights, bundle) | {"configuration": configuration, GIVEN: sorted(given)}
    return NetworkMethod(network.eval().to(device), frozenset(given), record=record)


def check_geometry(network: SliceDiffusion, name: str) -> None:
    """Refuse a network whose volumes cannot be compared with the evaluated ones.

    Raises:
        UsageError: another size, spacing or range of slices.
    """
    found = (network.image_size, network.pixel_mm, network.slice_mm, tuple(network.modeled_slices))
    wanted = (GEOMETRY["image_size"], GEOMETRY["pixel_mm"], GEOMETRY["slice_mm"], MODELED_SLICES)
    if found != wanted:
        raise UsageError(f"network {name}", f"must have side, pixel, slice and range {wanted}", f"{found}")


def method_of(source: str, bundle: Path, device: torch.device) -> Method:
    """The method behind the right side of ``--method NAME=SOURCE``.

    Args:
        source: a bundle's folder; a folder of volumes; weights, ``model.pt`` or ``model.pt:configuration``; or a
            class, ``package.module:Class``.
        bundle: whose configurations weights go with.
        device: where networks compute.

    Raises:
        UsageError: it is none of these.
        WeightsError: damaged weights, or weights of another network.
    """
    path, _, after = source.partition(":")
    if Path(path).is_file():
        return weights_method(Path(path), bundle, after or None, device)
    if (Path(source) / "configs" / "inference.json").is_file():
        return bundle_method(Path(source), device)
    if Path(source).is_dir():
        return FolderMethod(Path(source), modeled_slices)
    return class_method(source)
