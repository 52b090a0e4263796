"""K samples to an interval of each angle, by split conformal prediction, and how often it holds the truth.

The score of a calibration foot is how far the true angle lies from the median of its K readings; the half width is the
ceil((n + 1) level)-th smallest score of n feet (Vovk et al. 2005; Lei et al. 2018). The truth of a new foot that is
exchangeable with them lies in median -+ half width with the probability ``level`` at least.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from monai_xray2mri.evaluation.bootstrap import summarize
from monai_xray2mri.evaluation.conditions import mean_cell
from monai_xray2mri.evaluation.conformal import LEVEL
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, Study, where
from monai_xray2mri.evaluation.suite import Rows
from monai_xray2mri.systems.foot_xray_sccdm.angles import ANGLES as NAMES
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.cases import CALIBRATION, TEST, FootCase
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.measures import ANGLES
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.setting import SAMPLES, WORDS, FootSetting

FILE: Final = "angle_interval.json"
ENTRIES: Final = dict(zip(ANGLES, NAMES, strict=True))
"""Angle in rows to its name in the file."""
_BEFORE: Final = (1, 2, 4, SAMPLES)
"""Numbers of samples whose mean radiograph is measured."""


def measure(setting: FootSetting, case: FootCase) -> Iterator[Row]:
    """One row: the true angles and the readings of K samples; PSNR of the mean of some."""
    truth = case.known()
    drawn = setting.drawn(case, SAMPLES)
    readings = np.array([setting.find(radiograph).angles for radiograph in drawn])
    row: Row = {}
    for place, (angle, true) in enumerate((("hva", truth.hallux_valgus), ("ima", truth.intermetatarsal))):
        row |= {f"{angle}_readings": [round(float(each), 2) for each in readings[:, place]], f"{angle}_true": true}
    ruler = setting.ruler(case)
    for count in _BEFORE:
        found = ruler.intensities(drawn[:count].mean(axis=0))
        row |= {f"psnr_{count}": found["psnr"], f"ssim_{count}": found["ssim"]}
    yield row


def half_width(scores: Sequence[float], level: float = LEVEL) -> float | None:
    """Half width in the unit of the scores; None for too few of them.

    Example:
        >>> half_width([0.1 * step for step in range(1, 20)], 0.9)
        1.8
    """
    place = math.ceil((len(scores) + 1) * level)
    return None if place > len(scores) else round(float(np.sort(scores)[place - 1]), 6)


def half_widths(rows: Sequence[Row]) -> dict[str, float] | None:
    """Half width in degrees of each angle, from the calibration feet; None for too few of them."""
    calibrating = where(rows, split=CALIBRATION)
    found = {angle: half_width([_score(row, angle) for row in calibrating]) for angle in ANGLES}
    return {angle: width for angle, width in found.items() if width is not None} if all(found.values()) else None


def _score(row: Row, angle: str) -> float:
    return abs(float(np.median(row[f"{angle}_readings"])) - row[f"{angle}_true"])


def work(setting: FootSetting) -> float:
    """Radiographs that one foot costs."""
    return float(SAMPLES)


def coverage(rows: Sequence[Row]) -> dict[str, list[float]]:
    """Angle to 1 or 0 for each test foot: whether the conformal interval holds the truth; empty without calibration."""
    widths = half_widths(rows)
    if widths is None:
        return {}
    return {
        angle: [float(_score(row, angle) <= width) for row in where(rows, split=TEST)]
        for angle, width in widths.items()
    }


def tables(rows: Sequence[Row]) -> list[ResultTable]:
    """Coverage on test feet, and what the mean of several samples scores."""
    tested = where(rows, split=TEST)
    people = [str(row["participant"]) for row in tested]
    found: list[ResultTable] = []
    covered, widths = coverage(rows), half_widths(rows)
    if tested and widths is not None:
        cells = []
        for angle, (name, _) in ANGLES.items():
            inside = [
                float(min(row[f"{angle}_readings"]) <= row[f"{angle}_true"] <= max(row[f"{angle}_readings"]))
                for row in tested
            ]
            cells.append([
                name, f"{widths[angle]:.1f}", mean_cell(summarize(covered[angle], people)),
                mean_cell(summarize(inside, people)), len(tested),
            ])  # fmt: skip
        note = (
            f"Level {LEVEL:.0%}; median of {SAMPLES} samples, half widths from {len(where(rows, split=CALIBRATION))} "
            "calibration feet. Beside it what the bare range of the samples holds."
        )
        head = ["angle", "half width, degrees", "coverage", "coverage of the samples' range", WORDS.cases]
        found.append(ResultTable("intervals", "Intervals of angles", head, cells, note))
    if tested:

        def cell(name: str) -> str:
            return mean_cell(summarize([row[name] for row in tested], people))

        cells = [[count, cell(f"psnr_{count}"), cell(f"ssim_{count}"), len(tested)] for count in _BEFORE]
        head = ["samples", "PSNR dB of their mean", "SSIM of their mean", WORDS.cases]
        found.append(ResultTable("samples", "Mean of several samples", head, cells))
    return found


def files(rows: Rows, setting: FootSetting, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The entry ``angle_interval`` of the bundle's ``inference.json``, a file of the output folder; none without one.

    See :class:`~monai_xray2mri.systems.foot_xray_sccdm.angles.AngleInterval`.
    """
    of_study = rows.get("intervals", ())
    widths = half_widths(of_study)
    if widths is None:
        return {}
    content = {
        "level": LEVEL,
        "samples": SAMPLES,
        "sampling": setting.bundle.sampling().sampler_record(),
        "half_width_deg": {ENTRIES[angle]: width for angle, width in widths.items()},
        "feet": len(where(of_study, split=CALIBRATION)),
        "weights_sha256": setting.bundle.record.get("weights_sha256"),
    }
    return {FILE: content}


INTERVALS: Final = Study(
    "intervals", "Intervals of angles", (CALIBRATION, TEST), {"cpu": 200, "full": 200}, measure, work, tables,
    needs_simulation=True,
)  # fmt: skip
