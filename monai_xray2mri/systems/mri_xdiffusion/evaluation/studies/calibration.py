"""Are intervals right? Samples of calibration cases set their width, test cases say how often they hold (D.13).

The paper's interval is one of a mean over cases. Here it is one of each voxel, by conformal risk control.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from monai_xray2mri.errors import UsageError
from monai_xray2mri.evaluation.bootstrap import summarize
from monai_xray2mri.evaluation.conditions import mean_cell
from monai_xray2mri.evaluation.conformal import (
    LEVEL,
    NOMINAL,
    SCALES,
    controlled_scale,
    loss_curve,
    needed_scales,
)
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, Study, distinct, where
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import BODIES, BODY_SIZE, VolumeCase
from monai_xray2mri.systems.mri_xdiffusion.evaluation.measures import VolumeRuler
from monai_xray2mri.systems.mri_xdiffusion.evaluation.setting import SAMPLES, VolumeSetting, sections_of

_EVERY: Final = 8
_FEWEST_VOXELS: Final = 50


def positions_of(case: VolumeCase, stride: int) -> list[int]:
    """Sections of a case that are looked at: one that its name decides; with stride 1 every eighth from there on."""
    along = case.box[0]
    length = along.stop - along.start
    first = zlib.crc32(case.name.encode()) % length
    chosen = [first] if stride > 1 else [(first + step) % length for step in range(0, length, _EVERY)]
    return [along.start + index for index in chosen]


def measure(setting: VolumeSetting, case: VolumeCase) -> Iterator[Row]:
    """The loss curve of the intervals, everywhere and inside the object."""
    indices = positions_of(case, setting.stride)
    _, rows, columns = case.box
    drawn = sections_of(setting, case, case.given(case.even_places(1)), indices, SAMPLES)[:, :, rows, columns]
    truth = case.voxels[indices][:, rows, columns]
    needed, error, spread = needed_scales(drawn, truth), np.abs(truth - drawn.mean(axis=0)), drawn.std(axis=0, ddof=1)
    inside = VolumeRuler(case).object[[index - case.box[0].start for index in indices]]
    for name, mask in {"all": np.ones_like(inside), "inside the object": inside}.items():
        if mask.sum() >= _FEWEST_VOXELS:
            yield {
                "region": name,
                "losses": [round(float(value), 5) for value in loss_curve(needed[mask])],
                "nominal": float((error[mask] <= NOMINAL * spread[mask]).mean()),
                "spread": float(spread[mask].mean()),
            }


def work(setting: VolumeSetting) -> float:
    """Sections that one case costs."""
    return SAMPLES * (1 if setting.stride > 1 else BODY_SIZE // _EVERY)


def calibrated_scale(rows: Sequence[Row]) -> float | None:
    """Factor of the samples' spread that calibration cases ask for; None where they are too few."""
    calibrating = where(rows, split="calibration", region="all")
    if not calibrating:
        return None
    try:
        return controlled_scale(np.array([row["losses"] for row in calibrating]), 1 - LEVEL)
    except UsageError:
        return None


def coverage(rows: Sequence[Row]) -> dict[str, float] | None:
    """Test case to the share of its voxels that the calibrated intervals hold; None without a calibration."""
    scale = calibrated_scale(rows)
    if scale is None:
        return None
    at = int(np.searchsorted(SCALES, scale))
    return {str(row["case"]): 1 - row["losses"][at] for row in where(rows, split=BODIES, region="all")}


def tables(rows: Sequence[Row]) -> list[ResultTable]:
    """Coverage by region on test cases; empty where there are too few to calibrate."""
    calibrating, tested = where(rows, split="calibration", region="all"), where(rows, split=BODIES)
    scale = calibrated_scale(rows)
    if scale is None or not tested:
        return []
    at = int(np.searchsorted(SCALES, scale))
    cells = []
    for region in distinct(tested, "region"):
        chosen = where(tested, region=region)
        people = [str(row["participant"]) for row in chosen]
        covered = summarize([1 - row["losses"][at] for row in chosen], people)
        nominal = summarize([row["nominal"] for row in chosen], people)
        cells.append([region, mean_cell(covered), mean_cell(nominal), len(chosen)])
    note = (
        f"Level {LEVEL:.0%}, scale {scale:.2f} from {len(calibrating)} cases, {SAMPLES} samples, one slice given. "
        f"Nominal: {NOMINAL:.2f} standard deviations of the samples, uncalibrated."
    )
    head = ["region", "calibrated", "nominal", "volumes"]
    return [ResultTable("calibration", "Coverage on unseen volumes", head, cells, note)]


CALIBRATION: Final[Study[Any, Any]] = Study(
    "calibration", "Uncertainty", ("calibration", BODIES), {"cpu": 50, "full": 200}, measure, work, tables
)
