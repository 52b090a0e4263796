"""A knee's result for tests of what is written: real records with made-up voxels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from pydicom import Dataset

from monai_xray2mri.knee.grading.features import validate_grades
from monai_xray2mri.radiograph.knee.roi import KneeROI
from monai_xray2mri.systems.knee_xray2mri.case import KneeCase
from monai_xray2mri.systems.knee_xray2mri.result import KneeResult
from monai_xray2mri.types import Box, Radiograph, Side, Volume

PROVENANCE = {
    "software": "monai_xray2mri",
    "version": "1.2.3",
    "model": "knee_xray2mri 0.2.0",
    "weights_sha256": "0123456789abcdef" * 4,
    "options": {"seed": 5, "samples": 2, "steps": 20, "slices": 4, "guidance": 1.0, "eta": 0.0},
    "side": "R",
}
BOX = Box(20, 10, 80, 80)
AFFINE = np.array([[2.5, 0, 0, -78.75], [0, 0, 1.5, -2.25], [0, -2.5, 0, 58.75], [0, 0, 0, 1.0]])


def case(header: Dataset | None, side: Side = Side.RIGHT, name: str = "film.dcm", **replaced: object) -> KneeCase:
    """A knee on a film of noise."""
    pixels = np.random.default_rng(2).random((120, 100), dtype=np.float32)
    radiograph = Radiograph(pixels, (0.5, 0.5), "ImagerPixelSpacing", (side,), "ImageLaterality", name, dataset=header)
    roi = KneeROI(side, BOX, pixels[:80, :80], 110.0, "whole image")
    grading = replace(
        validate_grades({"XRKL": 3, "XRJSM": 2}),
        source="structured report",
        remarks=(f"report of {name}: preliminary",),
    )
    return replace(KneeCase(radiograph, roi, grading), **replaced)  # type: ignore[arg-type]


def synthesis(of: KneeCase, samples: int = 2, **options: object) -> KneeResult:
    """Volumes of 4 slices of 48 x 64 voxels; keywords replace options of the provenance."""
    dice = np.random.default_rng(3)
    volumes = [Volume(dice.random((4, 48, 64), dtype=np.float32), AFFINE) for _ in range(samples)]
    stack = np.stack([volume.voxels for volume in volumes])
    spread = replace(volumes[0], voxels=stack.std(axis=0, ddof=1)) if samples > 1 else None
    provenance = PROVENANCE | {"options": PROVENANCE["options"] | options, "remarks": list(of.remarks)}  # type: ignore[operator]
    mean = replace(volumes[0], voxels=stack.mean(axis=0))
    return KneeResult(of, mean, spread, tuple(volumes), provenance)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
