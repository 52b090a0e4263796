"""The table of stated bars follows from rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from monai_xray2mri.evaluation.quality import ABSENT, HOLDS, MISSED, REFERENCE
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import PROFILES
from monai_xray2mri.systems.mri_xdiffusion.evaluation.quality import QUALITY, quality_table
from monai_xray2mri.systems.mri_xdiffusion.evaluation.setting import VolumeSetting
from monai_xray2mri.systems.mri_xdiffusion.evaluation.studies import calibration, comparison, given


def row(case: int, **entries: Any) -> Row:
    return {"case": str(case), "participant": str(case), **entries}


@pytest.fixture(scope="module")
def rows() -> dict[str, list[Row]]:
    """Six cones: 2.5 dB over the mean volume with one slice, 3 with two; their own slice 1 dB over another's."""
    cones, inputs = [], []
    for case in range(6):
        base = 18.0 + case
        for condition, gain in (("1 slice", 2.5), ("2 orthogonal slices", 3.0)):
            cones.append(row(case, method="mean volume", condition=condition, psnr=base))
            cones.append(
                row(
                    case, method="small", condition=condition, psnr=base, psnr_mean8=base + gain,
                    correlation_slices=0.9, correlation_rows=0.95, correlation_columns=0.95,
                )
            )  # fmt: skip
        cones.append(
            row(case, method=comparison.TRUE, correlation_slices=0.96, correlation_rows=0.95, correlation_columns=0.95)
        )
        cones.append(row(case, method=comparison.WITH_MIRROR, psnr=24.0))
        inputs.append(row(case, condition=given.OWN, psnr_mean8=20.0, psnr_at_input_mean8=29.0))
        inputs.append(row(case, condition=given.ANOTHER, psnr_mean8=19.0))
    return {"cones": cones, "cone_inputs": inputs}


def verdicts(rows: dict[str, list[Row]], setting: VolumeSetting) -> dict[str, list[Any]]:
    table = quality_table(rows, setting)
    assert table is not None and len(table.rows) == len(QUALITY)
    return {line[0]: list(line[1:]) for line in table.rows}


def test_each_bar_is_held_missed_or_not_measured(rows: dict[str, list[Row]], setting: VolumeSetting) -> None:
    found = verdicts(rows, setting)
    assert found["cones, 1 slice, over the mean volume"][-1] == HOLDS
    assert found["cones, 1 slice, over the mean volume"][1].startswith("2.50 [2.50, 2.50] dB")
    assert found["cones, 2 orthogonal slices, over the mean volume"][0] == "at least 3.5 dB"
    assert found["cones, 2 orthogonal slices, over the mean volume"][-1] == MISSED
    assert found["cones, own slice over another volume's"][-1] == MISSED
    assert found["cones, input slice at its own place"][-1] == HOLDS
    correlation = found["cones, adjacent-slice correlation off the truth's, worst plane, one sample"]
    assert correlation[1].startswith("0.060") and correlation[-1] == MISSED
    ceiling = found["cones, the mean of truth and mirror image (ceiling of one middle slice)"]
    assert ceiling[0] == "-" and ceiling[-1] == REFERENCE
    assert found["bodies, 5 slices, over interpolation"] == ["at least 1.5 dB", "-", 0, ABSENT]
    assert quality_table({}, setting) is None


def test_a_gpu_has_other_bars(rows: dict[str, list[Row]], setting: VolumeSetting) -> None:
    found = verdicts(rows, replace(setting, profile=PROFILES["full"]))
    assert found["cones, 1 slice, over the mean volume"][0] == "at least 3.5 dB"
    assert found["cones, 1 slice, over the mean volume"][-1] == MISSED


def test_coverage_is_held_against_both_ends(setting: VolumeSetting) -> None:
    rng, drawn = np.random.default_rng(0), []
    for split in ("calibration", "bodies"):
        for number in range(60):
            needed = np.abs(rng.normal(size=400)) * 1.7
            losses = calibration.loss_curve(needed).tolist()
            drawn.append(row(number, split=split, region="all", losses=losses, nominal=0.6, spread=0.1))
            drawn[-1]["case"] = f"{split}/{number}"
    words = "bodies, coverage of 90 % intervals"
    assert verdicts({"calibration": drawn}, setting)[words][-1] == HOLDS
    wider = [{**each, "losses": [0.0] * len(each["losses"])} if each["split"] == "bodies" else each for each in drawn]
    assert verdicts({"calibration": wider}, setting)[words][-1] == MISSED  # all voxels inside is no honest interval
