"""What the knee bundles name in their configuration so that MONAI Label's own ``monaibundle`` app can serve them.

Each part does the same under ``python -m monai.bundle run``. MONAI Label makes preprocessing, inferer and
postprocessing anew for every request, from ``displayable_configs`` with the request's values: numbers, texts or empty.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from monai.inferers import Inferer
from monai.transforms import MapTransform, SaveImaged

from monai_xray2mri.errors import WeightsError
from monai_xray2mri.label.answers import UnknownName, answered
from monai_xray2mri.label.request import read_request, side_of, truth_of
from monai_xray2mri.label.volume_file import FULL_SCALE
from monai_xray2mri.systems.knee_xray2mri.inferer import SliceDiffusionInferer
from monai_xray2mri.systems.knee_xray2mri.transforms import LoadKneeRegiond, SaveKneeVolumed


class LoadServedKneeRegiond(LoadKneeRegiond):
    """:class:`LoadKneeRegiond` whose refusals reach the client as an HTTP error with the reason.

    Args:
        keys: keys of file paths.
        bundle_root: the bundle's folder; its ``models`` must hold ``model.pt`` and no second ``.pt``, of which MONAI
            Label would load the one with the shorter name.
        side: ``"R"``, ``"L"`` or empty.
        assume_spacing: take a picture without spacing as one joint region.
        **options: those of :class:`LoadKneeRegiond`.

    Raises:
        InputRefused: see :class:`LoadKneeRegiond`.
        WeightsError: several models.
        UsageError: no such file or side.
    """

    def __init__(
        self, keys: Any, bundle_root: str, side: Any = None, assume_spacing: Any = False, **options: Any
    ) -> None:
        super().__init__(keys, **options)
        self.bundle_root, self.asked = Path(bundle_root), (side, assume_spacing)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace each path by the region."""
        with answered():
            require_one_model(self.bundle_root)
            side, assume_spacing = self.asked
            self.side, self.assume_spacing = side_of(side), truth_of(assume_spacing, "assume_spacing")
            for key in self.key_iterator(dict(data)):
                if not str(data[key]):
                    raise UnknownName(
                        "image", "must be in the studies folder", "no image of that name", "Check the name."
                    )
            return super().__call__(data)


class ServedInferer(Inferer):
    """:class:`SliceDiffusionInferer` for weights that are surely those of the bundle.

    MONAI Label loads weights without insisting on their names: what a file lacks would stay random.

    Args:
        bundle_root: the bundle's folder.
        **options: seed, steps, slices, samples, guidance and others of :class:`SliceDiffusionInferer`.

    Raises:
        UsageError: an option out of range.
        WeightsError: ``models/model.pt`` has not the names of the network's weights.
    """

    def __init__(self, bundle_root: str, **options: Any) -> None:
        super().__init__()
        self.bundle_root, self.options = Path(bundle_root), options

    def __call__(self, inputs: torch.Tensor, network: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Radiographs [B,1,H,W] in [-1,1] to volumes [B,1,H,W,S] in [-1,1]."""
        with answered():
            options = asdict(read_request(self.options).options)
            require_weights_of(self.bundle_root, network)
            volumes: torch.Tensor = SliceDiffusionInferer(**options)(inputs, network, *args, **kwargs)
            return volumes


class ScaleToStoredd(MapTransform):
    """Brings intensities in [0,1] to the full scale of an integer type, which MONAI Label would round to 0 and 1.

    Args:
        keys: keys of volumes.
        dtype: ``float32`` or empty leaves them; see :data:`~monai_xray2mri.label.volume_file.FULL_SCALE`.
    """

    def __init__(self, keys: Any, dtype: str | None = None) -> None:
        super().__init__(keys)
        self.dtype = dtype

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Scale each volume; it stays of floats."""
        result = dict(data)
        with answered():
            dtype = read_request({"result_dtype": self.dtype}).dtype
        for key in self.key_iterator(result):
            if dtype != "float32":
                scale = FULL_SCALE[dtype]
                result[key] = torch.round(torch.clamp(result[key] * scale, 0, scale))
        return result


class SaveServedKneeVolumed(SaveKneeVolumed, SaveImaged):
    """:class:`SaveKneeVolumed` that MONAI Label leaves out, as it does with MONAI's own ``SaveImaged``."""


def require_one_model(bundle_root: Path) -> None:
    """Make sure that the bundle has one model.

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


def require_weights_of(bundle_root: Path, network: torch.nn.Module) -> None:
    """Make sure that the bundle's weights fill the network.

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
    return frozenset(torch.load(file, map_location="meta", weights_only=True))
