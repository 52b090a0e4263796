"""Methods from what the command line names: bundles, weights with a configuration, classes, folders of volumes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import torch

from monai_xray2mri.errors import UsageError, WeightsError
from monai_xray2mri.evaluation.methods import FolderMethod, class_method
from monai_xray2mri.evaluation.protocols import Method
from monai_xray2mri.knee.data.arrays import GEOMETRY, MODELED_SLICES
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import (
    FEATURES_INPUT,
    RADIOGRAPH_INPUT,
    NetworkMethod,
    modeled_slices,
)
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion
from monai_xray2mri.systems.knee_xray2mri.predictor import Xray2MRI
from monai_xray2mri.systems.registry import default_bundle
from monai_xray2mri.training.configurations import configuration_files
from monai_xray2mri.training.trained import run_record, weights_record

GIVEN: Final = "given"
"""Entry of a baseline's configuration: which of radiograph and features it was trained with."""


def bundle_method(predictor: Xray2MRI, bundle: Path) -> NetworkMethod:
    """The method of a bundle.

    Args:
        predictor: of the bundle.
        bundle: its folder.

    Raises:
        UsageError: the geometry of the network is not that of the evaluated volumes.
    """
    check_geometry(predictor.network, bundle.name)
    return NetworkMethod(predictor, record=weights_record(predictor.weights_sha256, bundle))


def weights_method(weights: Path, bundle: Path, configuration: str | None, device: str) -> NetworkMethod:
    """The network of a training run with a bundle's configurations.

    Args:
        weights: ``model.pt`` of the run.
        bundle: the bundle with whose configurations it was trained.
        configuration: configuration of the bundle, or a file, that follows ``train.json``; it may say what the network
            is given.
        device: where to compute.

    Raises:
        WeightsError: the weights are of another network.
        UsageError: the configuration does not exist, or the geometry is not that of the evaluated volumes.
    """
    names = [] if configuration is None else [configuration]
    files = configuration_files(bundle, names, default_bundle())
    given = json.loads(files[-1].read_text()).get(GIVEN, [RADIOGRAPH_INPUT, FEATURES_INPUT])
    from monai.bundle import ConfigParser  # seconds of a CPU, which whoever reads no configuration saves

    parser = ConfigParser()
    parser.read_config([str(file) for file in files])
    network: SliceDiffusion = parser.get_parsed_content("network_def")
    try:
        network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    except Exception as error:  # zip, pickle and key errors alike mean that they are of something else
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"weights {weights.name}", "must be of the configured network", first) from error
    check_geometry(network, weights.name)
    record = run_record(weights, bundle, names) | {GIVEN: sorted(given)}
    predictor = Xray2MRI(network, weights.name, record["weights_sha256"], device)
    return NetworkMethod(predictor, frozenset(given), record=record)


def check_geometry(network: SliceDiffusion, name: str) -> None:
    """Refuse a network whose volumes cannot be compared with the evaluated ones.

    Raises:
        UsageError: another size, spacing or range of slices.
    """
    found = (network.image_size, network.pixel_mm, network.slice_mm, tuple(network.modeled_slices))
    wanted = (GEOMETRY["image_size"], GEOMETRY["pixel_mm"], GEOMETRY["slice_mm"], MODELED_SLICES)
    if found != wanted:
        raise UsageError(f"network {name}", f"must have side, pixel, slice and range {wanted}", f"{found}")


def method_of(source: str, bundle: Path, device: str) -> Method:
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
        return bundle_method(Xray2MRI.from_bundle(source, device), Path(source))
    if Path(source).is_dir():
        return FolderMethod(Path(source), modeled_slices)
    return class_method(source)
