"""What determines a result: the entries that are the same for every system."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_xray2mri.core.bundles import bundle_version
from monai_xray2mri.core.identity import package_version
from monai_xray2mri.core.wording import DISCLAIMER


def model_of(bundle: Path) -> tuple[str, str]:
    """Name with version of a bundle, and the SHA-256 of its weights.

    Raises:
        WeightsError: it states no version.
    """
    digest = hashlib.sha256((bundle / "models" / "model.pt").read_bytes()).hexdigest()
    return f"{bundle.resolve().name} {bundle_version(bundle)}", digest


def provenance(
    model: str,
    weights_sha256: str,
    options: Mapping[str, Any],
    facts: Mapping[str, object],
    remarks: Sequence[str],
    forced: bool,
    interval: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """What determines a result, without patient data: equal values mean equal voxels (same device).

    Args:
        model: name and version of the bundle.
        weights_sha256: of its weights.
        options: how the result was drawn.
        facts: of the system, about what the result was made from.
        remarks: about the input.
        forced: whether a doubt was overruled.
        interval: how intervals of the result are calibrated; None: they are not.
    """
    return {
        "software": "monai_xray2mri",
        "version": package_version(),
        "model": model,
        "weights_sha256": weights_sha256,
        "options": options,
        **facts,
        "remarks": list(remarks),
        "interval": interval,
        "disclaimer": DISCLAIMER,
        **({"forced": True} if forced else {}),
    }
