"""The calibration that travels with a knee bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from monai_xray2mri.core.calibration import Calibration, read_calibration

RENAMED: Final = {"knees": "participants"}
"""Entries of the files that earlier bundles hold, and the fields that they are now."""

INTERVAL: Final = {
    "level": "level",
    "scale": "scale",
    "floor": "floor",
    "knees": "participants",
    "simulator": "simulator",
}
"""What a result says of the calibration: its entry to the calibration's field."""


def knee_calibration(bundle: Path, weights_sha256: str) -> Calibration | None:
    """See :func:`~monai_xray2mri.core.calibration.read_calibration`."""
    return read_calibration(bundle, weights_sha256, RENAMED)
