"""Which files make up a training configuration: overlays on the ``inference.json`` that describes the network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from monai_xray2mri.errors import UsageError

NETWORK = "inference"
"""Name of the configuration that describes the network; nothing describes it a second time."""


def configuration_files(bundle: Path, names: Sequence[str], shared: Path) -> list[Path]:
    """Files of a training configuration, in the order in which ``monai.bundle`` merges them; later ones win.

    The first is the ``inference.json`` of the network that is trained, the second ``train.json``. A named file that
    lies beside another ``inference.json`` belongs to that bundle and brings its network.

    Args:
        bundle: folder of the bundle.
        names: configurations behind ``train.json``: of the bundle by name, or paths of JSON files.
        shared: folder of the bundle whose configurations others use where they have none of their own.

    Raises:
        UsageError: there is no such configuration.
    """
    files = [_configuration(name, bundle, shared) for name in ("train", *names)]
    beside = [file.with_name(f"{NETWORK}.json") for file in files[1:]]
    ours = {folder.resolve() for folder in _folders(bundle, shared)}
    others = [path for path in beside if path.is_file() and path.parent.resolve() not in ours]
    return [others[-1] if others else _configuration(NETWORK, bundle, shared), *files]


def _configuration(name: str, bundle: Path, shared: Path) -> Path:
    for path in (*(folder / f"{name}.json" for folder in _folders(bundle, shared)), Path(name)):
        if path.is_file():
            return path
    raise UsageError(f"configuration {name}", "must be of the bundle, or a JSON file", "no such file")


def _folders(bundle: Path, shared: Path) -> tuple[Path, Path]:
    return bundle / "configs", shared / "configs"
