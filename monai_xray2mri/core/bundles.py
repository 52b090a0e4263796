"""MONAI Bundles on disk: where the shipped ones lie, what they say of themselves, and their trained networks."""

from __future__ import annotations

import json
import os
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from monai_xray2mri.core.definitions import defined_object
from monai_xray2mri.errors import WeightsError

if TYPE_CHECKING:
    from torch import nn

Network = TypeVar("Network", bound="nn.Module")

_COMPLETE: Final = "Give --bundle the folder of a complete bundle, or restore its files."


def shipped_bundle(name: str) -> Path:
    """A bundle that comes with the package, unless ``$XRAY2MRI_BUNDLE`` names another.

    It lies in the source tree, else in the installed package.

    Args:
        name: of its folder, which is that of its system or begins with it.
    """
    if chosen := os.environ.get("XRAY2MRI_BUNDLE"):
        return Path(chosen)
    package = Path(__file__).parents[1]
    beside = package.parent / "bundle" / name
    return beside if beside.is_dir() else package / "bundle" / name


def load_network(bundle: Path) -> nn.Module:
    """The network of a bundle with its weights, in evaluation mode.

    ``network_def`` of ``configs/inference.json`` says of which class it is; the weights are ``models/model.pt``.

    Raises:
        WeightsError: the bundle or its weights are missing, damaged or of another architecture.
    """
    import torch  # takes seconds; where a bundle lies and what it is called can be asked without it

    config, weights = bundle / "configs" / "inference.json", bundle / "models" / "model.pt"
    for file in (config, weights):
        if not file.is_file():
            raise WeightsError(
                f"bundle {bundle.name}", f"must hold {file.relative_to(bundle)}", "no such file", _COMPLETE
            )
    try:
        with zipfile.ZipFile(weights) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"checksum of {damaged} does not match")
        state = torch.load(weights, map_location="cpu", weights_only=True)
        network: nn.Module = defined_object(config, "network_def")
        network.load_state_dict(state)
    except Exception as error:  # zip, pickle, JSON and key errors alike mean that the bundle cannot be trusted
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"bundle {bundle.name}", "must hold undamaged weights of its network", first_line, _COMPLETE
        ) from error
    return network.eval()


def load_network_of(bundle: Path, kind: type[Network], page: str) -> Network:
    """The network of a bundle of one system with its weights.

    Args:
        bundle: its folder.
        kind: class of the system's networks; its module lies in the system's package.
        page: of the documents, on the system.

    Raises:
        WeightsError: see :func:`load_network`; also a bundle of another system, or one that is not trained yet.
    """
    if (bundle / "configs" / "recipe.json").is_file() and not (bundle / "models" / "model.pt").exists():
        raise WeightsError(
            f"bundle {bundle.name}",
            "must hold models/model.pt",
            "it is not trained yet",
            f"Train it: xray2mri train --bundle {bundle} --recipe recipe (docs/{page}).",
        )
    network = load_network(bundle)
    if not isinstance(network, kind):
        raise WeightsError(
            f"bundle {bundle.name}",
            f"must hold a network of the system {kind.__module__.split('.')[-2]}",
            type(network).__name__,
            "Give --bundle the folder of such a bundle.",
        )
    return network


def bundle_version(bundle: Path) -> str:
    """Version of a bundle, from its ``configs/metadata.json``.

    Raises:
        WeightsError: there is none.
    """
    return str(_metadata(bundle, "version"))


def system_name(bundle: Path) -> str:
    """The system that a bundle is of, from its ``configs/metadata.json``.

    Raises:
        WeightsError: the bundle is missing, or names none.
    """
    return str(_metadata(bundle, "system"))


def output_dimensions(bundle: Path) -> int:
    """Spatial dimensions of what a bundle's network makes, from its ``configs/metadata.json``; 3 where that tells none.

    Raises:
        WeightsError: the bundle is missing.
    """
    outputs = _json(bundle, "metadata.json").get("network_data_format", {}).get("outputs", {})
    return next((len(output["spatial_shape"]) for output in outputs.values() if output.get("spatial_shape")), 3)


def configuration(bundle: Path) -> dict[str, Any]:
    """``configs/inference.json`` of a bundle as it is written, nothing instantiated.

    Raises:
        WeightsError: it is missing or damaged.
    """
    return _json(bundle, "inference.json")


def _metadata(bundle: Path, entry: str) -> Any:
    found = _json(bundle, "metadata.json")
    if entry not in found:
        remedy = "Restore configs/metadata.json, or add the entry."
        raise WeightsError(f"bundle {bundle.name}", f"must state its {entry} in metadata.json", "no entry", remedy)
    return found[entry]


def _json(bundle: Path, name: str) -> dict[str, Any]:
    file = bundle / "configs" / name
    try:
        content: dict[str, Any] = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"bundle {bundle.name}", f"must hold configs/{name}", type(error).__name__, _COMPLETE
        ) from error
    return content


def require_one_model(bundle_root: Path) -> None:
    """Make sure that a bundle holds one model: MONAI Label loads the ``.pt`` file with the shortest name.

    Raises:
        WeightsError: none, or several.
    """
    names = sorted(file.name for file in (bundle_root / "models").glob("*.pt"))
    if names != ["model.pt"]:
        raise WeightsError(
            f"bundle {bundle_root.resolve().name}",
            "must hold models/model.pt and no other .pt file",
            ", ".join(names) or "none",
            "Move the others out of the folder: MONAI Label loads the one with the shortest name.",
        )


def require_weights_of(bundle_root: Path, network: nn.Module) -> None:
    """Make sure that a bundle's weights are those of a network, name by name.

    MONAI Label does not insist on it: what a file lacks would stay random.

    Args:
        bundle_root: folder of the bundle.
        network: that was made of its configuration.

    Raises:
        WeightsError: names are missing or too many.
    """
    file = bundle_root / "models" / "model.pt"
    found, wanted = _names(file, file.stat().st_mtime_ns), network.state_dict().keys()
    if missing := wanted ^ found:
        raise WeightsError(
            f"bundle {bundle_root.resolve().name}",
            "must hold the weights of its network",
            f"{len(wanted - found)} missing and {len(missing - wanted)} unknown, e.g. {min(missing)}",
            "Restore models/model.pt of this bundle.",
        )


@lru_cache(maxsize=4)
def _names(file: Path, _changed: int) -> frozenset[str]:
    import torch

    return frozenset(torch.load(file, map_location="meta", weights_only=True))
